"""How the validation loss depends on the samples' weights: a published proxy, and one inner step differentiated.

The proxy is that of the published code of "Diffuse to Detect" (arXiv 2605.20766); docs/methods/bilevel.md derives the
others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..distributed import ALONE, SharedBatch
from .dynamics import standardise

#: Scale of the proxy's objective.
PROXY_SCALE = 0.25


def residual_agreement(residual: Tensor, reference: Tensor) -> Tensor:
    """Agreement of each sample's residual with the mean residual of the validation batch, (B,).

    s_i = mean over the pixels of R_i mean_j(R_j). A positive s_i says that a step on sample i lowers the validation
    loss: for a detector whose parameters are one bias per pixel, s_i is the product of both gradients.

    Parameters
    ----------
    residual : (B, 1, S, S), prediction less label of the training batch.
    reference : (1, 1, S, S), mean residual of the validation batch.
    """
    return (residual * reference).flatten(1).mean(1)


def proxy_objective(weights: Tensor, agreement: Tensor) -> Tensor:
    """The published objective of the meta-classifier, -0.25 mean(w_s s) with s standardised over the batch."""
    return -PROXY_SCALE * (weights * standardise(agreement.detach())).mean()


def one_step_derivatives(
    losses: Tensor,
    weights: Tensor,
    parameters: Mapping[str, Tensor],
    validation_loss: Callable[[dict[str, Tensor]], Tensor],
    lr: float,
    *,
    shared: SharedBatch = ALONE,
) -> Tensor:
    """Derivative of the validation loss after one inner step by each sample's weight, exact.

    With w' = w - lr G, G = grad_w mean_i(w_s,i L_i(w)), the chain rule gives

        d L_val(w') / d w_s,i = -lr <d G / d w_s,i, grad L_val(w')>

    and both factors come from reverse passes: G with its graph, the gradient at w', then the product through the graph.

    Parameters
    ----------
    losses : (B,), of the training batch, with their graph; it is kept.
    weights : (B,), values only.
    parameters : of the detector by name, the leaves of that graph.
    validation_loss : from parameters by name to the validation loss, (), such as `functional_loss` makes.
    lr : length of the inner step.
    shared : gives the gradients, of the inner step, at w' and through the product, over all processes.

    Returns
    -------
    (B,), detached. The gradient of ``(weights * this).sum()`` is that by what the weights are made of.
    """
    names, leaves = list(parameters), list(parameters.values())
    free = weights.detach().clone().requires_grad_()
    gradients = shared.gradients((free * losses).mean(), leaves, create_graph=True)
    stepped = {
        name: (leaf if gradient is None else leaf - lr * gradient).detach().requires_grad_()
        for name, leaf, gradient in zip(names, leaves, gradients, strict=True)
    }
    after = shared.gradients(validation_loss(stepped), list(stepped.values()))
    product = torch.zeros((), dtype=losses.dtype, device=losses.device)
    for inner, outer in zip(gradients, after, strict=True):
        if inner is not None and outer is not None:
            product = product + (inner * outer.detach()).sum()
    return -lr * _present(shared.gradients(product, [free]))[0]


def head_derivatives(
    losses: Tensor,
    weights: Tensor,
    validation_loss: Tensor,
    head: Sequence[Tensor],
    lr: float,
    *,
    shared: SharedBatch = ALONE,
) -> Tensor:
    """`one_step_derivatives` with the detector's last layer the only one that moves, and L_val taken at w, not w'.

        d L_val / d w_s,i ~ -lr <d G / d w_s,i, grad L_val(w)>, both with respect to the head

    Exact up to the second order in `lr` where the rest of the detector does not move. No reverse pass goes deeper than
    the head, so it costs next to nothing; and unlike agreement pixel by pixel it does not ask that targets lie at the
    same place of their crops.

    Parameters
    ----------
    losses, weights, lr, shared : as in `one_step_derivatives`.
    validation_loss : (), with its graph; it is kept, as that of `losses` is.
    head : parameters of the last layer, the first of `Detector.logit_layers`.
    """
    free = weights.detach().clone().requires_grad_()
    inner = _present(shared.gradients((free * losses).mean(), head, create_graph=True))
    outer = _present(shared.gradients(validation_loss, head, retain_graph=True))
    product = sum(((a * b.detach()).sum() for a, b in zip(inner, outer, strict=True)), torch.zeros(()).to(losses))
    return -lr * _present(shared.gradients(product, [free], retain_graph=True))[0]


def functional_loss(
    net: nn.Module,
    image: Tensor,
    loss: Callable[[list[Tensor]], Tensor],
    *,
    shared: SharedBatch = ALONE,
) -> Callable[[dict[str, Tensor]], Tensor]:
    """Make the loss of a detector on `image` a function of its parameters.

    Parameters
    ----------
    net : stays as it is; its buffers (the statistics of batch normalisation) are copied for each call.
    image : (B, 1, S, S).
    loss : from the logits, the map used in evaluation first, to a scalar.
    shared : runs the detector on `image`, over several processes where there are some.
    """

    def at(parameters: dict[str, Tensor]) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}

        def forward(pixels: Tensor) -> Any:
            return functional_call(net, {**parameters, **buffers}, (pixels,))

        maps = shared.run(forward, image)
        return loss([each if each.dtype == torch.float64 else each.float() for each in maps])

    return at


def _present(gradients: Sequence[Tensor | None]) -> list[Tensor]:
    """Gradients by parameters that the objective is known to depend on."""
    return [each for each in gradients if each is not None]
