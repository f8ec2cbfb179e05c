"""The hypergradients against one another, against finite differences, and against a problem solved exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointlabel.detectors import build
from pointlabel.losses import soft_iou_loss
from pointlabel.training.bilevel.hypergradient import (
    functional_loss,
    head_derivatives,
    one_step_derivatives,
    proxy_objective,
    residual_agreement,
)

N, PIXELS, N_PARAMETERS = 12, 64, 8
WRONG = 4  # so many of the samples, the first, have labels that lead astray


class LinearProblem:
    """Maps that are linear in the parameters and squared losses: the lower level has one exact answer.

    f_i = X_i w, L_i = |f_i - y_i|^2 / 2P, w* = argmin sum_i a_i L_i / N + ridge |w|^2 / 2. With H the Hessian at w*,

        d L_val(w*) / d a_i = -grad L_val(w*)^T H^-1 grad L_i(w*) / N
    """

    ridge = 1e-3

    def __init__(self, seed: int, own: float) -> None:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        # What samples have in common, orthonormal so that the lower level is well conditioned, and what is their own.
        common = torch.linalg.qr(draw(PIXELS, N_PARAMETERS)).Q * PIXELS**0.5
        truth = draw(N_PARAMETERS)
        self.x = common + own * draw(N, PIXELS, N_PARAMETERS)
        self.y = self.x @ truth + 0.1 * draw(N, PIXELS)
        self.y[:WRONG] = self.x[:WRONG] @ (truth + 2 * draw(N_PARAMETERS))
        self.val_x = common + own * draw(6, PIXELS, N_PARAMETERS)
        self.val_y = self.val_x @ truth + 0.1 * draw(6, PIXELS)

    def losses(self, w: torch.Tensor) -> torch.Tensor:
        return (self.x @ w - self.y).square().mean(1) / 2

    def validation_loss(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return (self.val_x @ parameters["w"] - self.val_y).square().mean() / 2

    def hessian(self, weights: torch.Tensor) -> torch.Tensor:
        products = torch.einsum("n,npi,npj->ij", weights, self.x, self.x) / (N * PIXELS)
        return products + self.ridge * torch.eye(N_PARAMETERS, dtype=torch.float64)

    def solve(self, weights: torch.Tensor) -> torch.Tensor:
        right = torch.einsum("n,npi,np->i", weights, self.x, self.y) / (N * PIXELS)
        return torch.linalg.solve(self.hessian(weights), right)

    def exact(self, weights: torch.Tensor) -> torch.Tensor:
        """d L_val(w*) / d weights, by the implicit function theorem."""
        w = self.solve(weights).requires_grad_()
        outer = torch.autograd.grad(self.validation_loss({"w": w}), w)[0]
        inner = torch.autograd.functional.jacobian(self.losses, w.detach())
        return -inner @ torch.linalg.solve(self.hessian(weights), outer) / N

    def one_step(self, weights: torch.Tensor, lr: float = 1e-3) -> torch.Tensor:
        w = self.solve(weights).requires_grad_()
        return one_step_derivatives(self.losses(w), weights, {"w": w}, self.validation_loss, lr)

    def proxy(self, weights: torch.Tensor) -> torch.Tensor:
        """Derivative of the proxy's objective by the weights."""
        w = self.solve(weights)
        residual = (self.x @ w - self.y)[:, None, None]
        reference = (self.val_x @ w - self.val_y).mean(0)[None, None, None]
        free = weights.clone().requires_grad_()
        return torch.autograd.grad(proxy_objective(free, residual_agreement(residual, reference)), free)[0]


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])


def test_the_exact_derivative_is_that_of_the_solution():
    problem, weights = LinearProblem(0, 0.3), torch.ones(N, dtype=torch.float64)
    exact = problem.exact(weights)
    for i in (0, N - 1):
        step = torch.zeros_like(weights)
        step[i] = 1e-5
        there, back = (problem.validation_loss({"w": problem.solve(weights + s)}) for s in (step, -step))
        assert float(there - back) / 2e-5 == pytest.approx(float(exact[i]), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("own", [0.0, 0.3])
def test_both_hypergradients_follow_the_exact_one(seed, own):
    problem, weights = LinearProblem(seed, own), torch.ones(N, dtype=torch.float64)
    exact, one_step, proxy = problem.exact(weights), problem.one_step(weights), problem.proxy(weights)
    # More weight on wrong labels raises the validation loss, more on right ones lowers it, whoever is asked.
    for found in (exact, one_step, proxy):
        assert found[:WRONG].mean() > 0 > found[WRONG:].mean()
    assert correlation(one_step, exact) > 0.95
    assert correlation(proxy, exact) > (0.999 if own == 0 else 0.9)


def test_where_all_samples_share_their_maps_the_proxy_is_the_one_step_derivative():
    problem, weights = LinearProblem(1, 0.0), torch.ones(N, dtype=torch.float64)
    assert correlation(problem.proxy(weights), problem.one_step(weights, lr=1e-6)) == pytest.approx(1, abs=1e-6)


def test_one_step_is_what_finite_differences_say_of_a_detector():
    torch.manual_seed(3)
    net = build("tiny").double().train()
    image, label = torch.randn(3, 1, 16, 16).double(), (torch.rand(3, 1, 16, 16) > 0.8).double()
    held, held_label = torch.randn(2, 1, 16, 16).double(), (torch.rand(2, 1, 16, 16) > 0.8).double()
    parameters, lr, weights = dict(net.named_parameters()), 0.05, torch.tensor([1.2, 0.5, 1.3]).double()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    validation_loss = functional_loss(net, held, lambda maps: soft_iou_loss(maps[0], held_label))

    def losses() -> torch.Tensor:
        return functional_loss(net, image, lambda maps: soft_iou_loss(maps[0], label, reduction="none"))({**parameters})

    def after(given: torch.Tensor) -> float:
        gradients = torch.autograd.grad((given * losses()).mean(), list(parameters.values()), allow_unused=True)
        stepped = {
            name: leaf if gradient is None else leaf - lr * gradient
            for (name, leaf), gradient in zip(parameters.items(), gradients, strict=True)
        }
        return float(validation_loss({name: tensor.detach() for name, tensor in stepped.items()}))

    found = one_step_derivatives(losses(), weights, parameters, validation_loss, lr)
    for i in range(3):
        step = torch.zeros(3).double()
        step[i] = 1e-4
        assert (after(weights + step) - after(weights - step)) / 2e-4 == pytest.approx(float(found[i]), rel=1e-3)
    for name, buffer in net.named_buffers():
        assert torch.equal(buffer, before[name]), f"{name} has moved"


def test_the_head_alone_is_one_step_of_a_detector_whose_other_layers_stand_still():
    torch.manual_seed(0)
    net = build("tiny").train()
    image, held = torch.randn(4, 1, 16, 16), torch.randn(4, 1, 16, 16)
    label = (torch.rand(4, 1, 16, 16) > 0.8).float()
    logits = net(image)[0] if isinstance(net(image), list) else net(image)
    head = list(net.logit_layers[0].parameters())
    losses = soft_iou_loss(logits, label, reduction="none")
    weights = torch.ones(4)
    names = {name: each for name, each in net.named_parameters() if name.startswith("head.")}
    at = functional_loss(net, held, lambda maps: soft_iou_loss(maps[0], label))
    held_loss = at({**dict(net.named_parameters())})
    quick = head_derivatives(losses, weights, held_loss, head, 1e-6)
    slow = one_step_derivatives(losses, weights, names, at, 1e-6)
    assert torch.allclose(quick, slow, rtol=1e-3, atol=1e-12)
    losses.mean().backward()  # the graph is there for the detector's own step
