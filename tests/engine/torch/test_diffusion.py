"""Conductance, steps, steady solve and fusion in torch: equal to the engine's kernels, and with true gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pointlabel.engine import diffusion as kernels
from pointlabel.engine.conductance import SCALE, local_entropy, window_conductance
from pointlabel.engine.torch import SoftDiffusion, diffuse, fuse, soft_conductance, soft_diffusion, solve_steady
from pointlabel.engine.torch import local_entropy as soft_entropy
from pointlabel.engine.torch.diffusion import apply_laplacian, largest_outflow
from pointlabel.errors import InputError

SHAPES = [(33, 33), (9, 14), (1, 1), (1, 7), (2, 2), (64, 3)]


def random_units(rng, shape):
    return rng.integers(0, SCALE + 1, shape).astype(np.int32)


def as_maps(array, dtype=torch.float64):
    return torch.as_tensor(np.asarray(array, float)).to(dtype)[None, None]


@pytest.mark.parametrize("shape", SHAPES)
def test_conductances_are_the_kernels(rng, shape):
    units = random_units(rng, shape)
    east, south = window_conductance(units, beta=5.0, alpha=0.7)
    ours = soft_conductance(as_maps(units) / SCALE, beta=5.0, alpha=0.7)
    np.testing.assert_allclose(ours[0][0, 0], east, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours[1][0, 0], south, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_bins", [2, 32, 256])
def test_entropy_is_the_kernels(rng, n_bins):
    units = random_units(rng, (17, 23)) // 5
    ours = soft_entropy(as_maps(units) / SCALE, n_bins=n_bins)
    np.testing.assert_allclose(ours[0, 0], local_entropy(units, n_bins=n_bins), atol=1e-6)


def test_entropy_of_a_domain_is_that_of_a_map_cut_to_it(rng):
    medium = as_maps(rng.integers(0, 6, (21, 21)) / 32)
    domain = torch.zeros(1, 1, 21, 21, dtype=torch.bool)
    domain[..., 3:17, 5:20] = True
    ours = soft_entropy(medium, domain=domain)
    torch.testing.assert_close(ours[..., 3:17, 5:20], soft_entropy(medium[..., 3:17, 5:20]))
    assert float(ours[~domain].abs().max()) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_domain_conducts_like_a_window_cut_to_it(rng, dtype):
    units = random_units(rng, (20, 24))
    inner = (slice(3, 14), slice(5, 20))
    domain = torch.zeros(1, 1, 20, 24, dtype=torch.bool)
    domain[0, 0, inner[0], inner[1]] = True
    whole = soft_conductance(as_maps(units, dtype) / SCALE, domain=domain)
    cut = soft_conductance(as_maps(units[inner], dtype) / SCALE)
    for ours, alone in zip(whole, cut, strict=True):
        torch.testing.assert_close(ours[0, 0, inner[0], inner[1]], alone[0, 0], rtol=1e-5, atol=1e-7)
        assert float(ours[~domain].abs().sum()) == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_steps", [0, 3, 25])
def test_steps_and_steady_heat_are_the_kernels(rng, shape, n_steps):
    units = random_units(rng, shape)
    source = rng.random(shape).astype(np.float32)
    east, south = window_conductance(units)
    maps = soft_conductance(as_maps(units) / SCALE)
    ours = diffuse(as_maps(source), *maps, n_steps=n_steps)
    np.testing.assert_allclose(ours[0, 0], kernels.diffuse(source, east, south, n_steps=n_steps), atol=2e-6)
    leak = 0.05 * (n_steps + 1)
    steady = solve_steady(as_maps(source), *maps, leak=leak, tolerance=1e-6)
    expected = kernels.solve_steady(source, east, south, leak=leak, tolerance=1e-6)
    np.testing.assert_allclose(steady[0, 0], expected, atol=2e-5)
    prior = rng.random(shape).astype(np.float32)
    for first in (False, True):
        fused = fuse(ours, as_maps(prior), 0.3, heat_first=first)
        twin = kernels.fuse(kernels.diffuse(source, east, south, n_steps=n_steps), prior, 0.3, heat_first=first)
        np.testing.assert_allclose(fused[0, 0], twin, atol=1e-5)


@pytest.mark.parametrize("n_steps", [0, 25])
def test_steps_in_line_are_those_with_gradients(rng, n_steps):
    source = torch.from_numpy(rng.random((5, 1, 19, 23)))
    east, south = soft_conductance(torch.from_numpy(rng.random((5, 1, 19, 23))))
    without = diffuse(source, east, south, n_steps=n_steps)
    torch.testing.assert_close(without, diffuse(source.requires_grad_(), east, south, n_steps=n_steps))
    torch.testing.assert_close(without.sum((1, 2, 3)), source.sum((1, 2, 3)))
    assert float(diffuse(torch.zeros(1, 1, 9, 9), *soft_conductance(torch.rand(1, 1, 9, 9))).abs().max()) == 0


def test_steady_heat_solves_its_equation(rng):
    medium, source = as_maps(rng.random((12, 15))), as_maps(rng.random((12, 15)))
    east, south = soft_conductance(medium)
    heat = solve_steady(source, east, south, leak=0.2, tolerance=1e-10)
    torch.testing.assert_close(0.2 * heat + apply_laplacian(heat, east, south), 0.2 * source, atol=1e-8, rtol=0)


def small_problem(seed=3):
    torch.manual_seed(seed)
    maps = [torch.rand(2, 1, 5, 6, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    theta = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.2, 4.0, 0.6, 0.7)]
    return maps, theta


@pytest.mark.parametrize(
    "options",
    [{"n_steps": 4}, {"n_steps": 3, "tau": 0.02}, {"n_steps": 23}, {"leak": 0.3, "tolerance": 1e-12}],
    ids=["share", "tau", "checkpointed", "steady"],
)
def test_gradients_are_true(options):
    maps, theta = small_problem()

    def run(source, medium, prior, d0, beta, alpha, rho):
        return soft_diffusion(source, medium, prior=prior, d0=d0, beta=beta, alpha=alpha, rho=rho, **options)

    assert gradcheck(run, (*maps, *theta), atol=1e-6)


def test_the_adjoint_can_be_differentiated_again():
    maps, _ = small_problem()

    def run(source, medium):
        return solve_steady(source, *soft_conductance(medium), leak=0.5, tolerance=1e-13)

    assert gradgradcheck(run, (maps[0], maps[1]), atol=1e-5)


def test_bounded_memory_changes_no_gradient():
    maps, theta = small_problem()
    grads = []
    for bounded in (True, False):
        out = soft_diffusion(
            maps[0], maps[1], d0=theta[0], beta=theta[1], alpha=theta[2], rho=theta[3], n_steps=45, bounded=bounded
        )
        grads.append(torch.autograd.grad((out**2).sum(), [maps[0], maps[1], *theta[1:]]))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-13)


def test_bounded_memory_is_bounded():
    saved = []

    def keep(tensor):
        saved.append(tensor.numel())
        return tensor

    def total(bounded):
        saved.clear()
        source = torch.rand(1, 1, 32, 32, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            soft_diffusion(source, torch.rand(1, 1, 32, 32), n_steps=200, bounded=bounded)
        return sum(saved)

    assert total(True) < 0.3 * total(False)


def test_implicit_step_and_its_unrolled_solve_agree(rng):
    """The adjoint's gradient equals the one through every Chebyshev step, which autograd keeps."""
    from pointlabel.engine.torch.diffusion import _chebyshev

    source = as_maps(rng.random((7, 8))).requires_grad_()
    medium = as_maps(rng.random((7, 8))).requires_grad_()
    weight = as_maps(rng.random((7, 8)))
    found = []
    east, south = soft_conductance(medium)
    for out in (
        solve_steady(source, east, south, leak=0.2, tolerance=1e-11),
        _chebyshev(0.2 * source, east, south, 0.2, 1e-11),
    ):
        found.append(torch.autograd.grad((out * weight).sum(), (source, medium), retain_graph=True))
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-9)


def test_heat_is_conserved_and_maps_stay_apart(rng):
    source, medium = torch.rand(3, 1, 40, 52, dtype=torch.float64), torch.rand(3, 1, 40, 52, dtype=torch.float64)
    heat = diffuse(source, *soft_conductance(medium), n_steps=50)
    torch.testing.assert_close(heat.sum((-2, -1)), source.sum((-2, -1)))
    alone = soft_diffusion(source[1:2], medium[1:2], n_steps=20)
    torch.testing.assert_close(soft_diffusion(source, medium, n_steps=20)[1:2], alone)


def test_flat_and_empty_maps_have_finite_gradients():
    source = torch.zeros(1, 1, 8, 8, requires_grad=True)
    medium = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    soft_diffusion(source, medium, n_steps=5).sum().backward()
    assert source.grad is not None
    assert torch.isfinite(source.grad).all()
    assert medium.grad is not None
    assert torch.isfinite(medium.grad).all()


def test_a_large_map_runs():
    out = soft_diffusion(torch.rand(1, 1, 512, 512), torch.rand(1, 1, 512, 512), n_steps=3, tau=0.05)
    assert out.shape == (1, 1, 512, 512)
    assert float(out.max()) == 1


def test_a_step_that_is_too_long_is_refused():
    east, south = soft_conductance(torch.full((1, 1, 5, 5), 0.5))
    longest = 1 / float(largest_outflow(east, south))
    diffuse(torch.rand(1, 1, 5, 5), east, south, tau=longest * 0.999)
    with pytest.raises(InputError, match=r"tau must lie in \[0, 1 / max L_ii = 0\.\d+\], got 2"):
        diffuse(torch.rand(1, 1, 5, 5), east, south, tau=2.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: soft_diffusion(x[0], x), r"source must be a floating-point tensor \(B, 1, H, W\)"),
        (lambda x: soft_diffusion(x, x[..., :3]), "medium must have the shape of source"),
        (lambda x: soft_diffusion(x, x, leak=-1), "leak must be positive, got -1"),
        (lambda x: soft_diffusion(x, x, leak=1, tolerance=2), r"tolerance must lie in \(0, 1\), got 2"),
        (lambda x: soft_diffusion(x, x, tau_share=2), r"tau_share must lie in \(0, 1\], got 2"),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call(torch.rand(1, 1, 6, 6))


def test_module_is_the_function_and_keeps_theta_in_range():
    module = SoftDiffusion(d0=2.0, beta=5.0, alpha=0.5, rho=0.8, n_steps=3)
    source, medium = torch.rand(2, 1, 9, 9), torch.rand(2, 1, 9, 9)
    expected = soft_diffusion(source, medium, d0=2.0, beta=5.0, alpha=0.5, rho=0.8, n_steps=3)
    torch.testing.assert_close(module(source, medium), expected)
    module(source, medium).sum().backward()
    assert module.raw.grad is not None
    assert float(module.raw.grad[1:].abs().min()) > 0
    with torch.no_grad():
        module.raw.fill_(100.0)
    reached = {name: float(value.detach()) for name, value in module.theta().items()}
    assert reached == pytest.approx({"d0": 2.6, "beta": 6.5, "alpha": 0.55, "rho": 0.85})
