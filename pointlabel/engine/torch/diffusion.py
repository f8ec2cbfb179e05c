"""Equations (3) and (4) in torch: explicit steps and the quasi-steady solve over batches of maps."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from ...errors import InputError
from .._conductance_kernels import N_BINS
from .._diffusion_kernels import TAU_SHARE
from .conductance import check_maps, soft_conductance

#: Steps between two fields that are kept for the backward pass.
SEGMENT = 10
FLOOR = 1e-20  # heat that every pixel holds while steps are taken: processors are slow on denormal numbers


def largest_outflow(east: Tensor, south: Tensor) -> Tensor:
    """max_i L_ii of each map, (B, 1, 1, 1): the largest sum of a pixel's conductances to its neighbours."""
    outflow = (pad(east[..., :-1], (1, 0)) + east) + (pad(south[..., :-1, :], (0, 0, 1, 0)) + south)
    return outflow.amax(dim=(-2, -1), keepdim=True)


def apply_laplacian(field: Tensor, east: Tensor, south: Tensor) -> Tensor:
    """L u: what flows out of each pixel less what flows in, no flux through the border; symmetric."""
    across = east[..., :-1] * (field[..., 1:] - field[..., :-1])
    down = south[..., :-1, :] * (field[..., 1:, :] - field[..., :-1, :])
    return pad(across, (1, 0)) - pad(across, (0, 1)) + (pad(down, (0, 0, 1, 0)) - pad(down, (0, 0, 0, 1)))


def _steps(field: Tensor, east: Tensor, south: Tensor, n_steps: int) -> Tensor:
    for _ in range(n_steps):
        field = field - apply_laplacian(field, east, south)
    return field


def _steps_in_line(source: Tensor, east: Tensor, south: Tensor, n_steps: int) -> Tensor:
    """`_steps` without gradients, in place: the maps lie end to end, and a step is five passes over flat memory.

    Each map gets a spare row and column without conductance, so that neighbours lie at fixed distances in one line of
    memory and no heat crosses from one map to the next. A step reads and writes 19 numbers per pixel.
    """
    height, width = source.shape[-2:]
    stride = width + 1
    right_of, below, here = (_in_line(maps, fill) for maps, fill in ((east, 0.0), (south, 0.0), (source, FLOOR)))
    there = here.clone()
    n = here.numel() - 2 * stride
    middle = slice(stride, stride + n)
    to_left, to_right = slice(stride - 1, stride - 1 + n), slice(stride + 1, stride + 1 + n)
    above, under = slice(0, n), slice(2 * stride, 2 * stride + n)
    e, w, s, t = right_of[middle], right_of[to_left], below[middle], below[above]
    keep = 1 - ((w + e) + (t + s))
    for _ in range(n_steps):
        out = torch.mul(keep, here[middle], out=there[middle])
        out.addcmul_(w, here[to_left]).addcmul_(e, here[to_right])
        out.addcmul_(t, here[above]).addcmul_(s, here[under])
        here, there = there, here
    heat = here[middle].view(-1, 1, height + 1, stride)[..., :height, :width]
    return torch.where(heat > 2 * FLOOR, heat, 0.0)


def _in_line(maps: Tensor, fill: float) -> Tensor:
    """Maps with a spare row and column each, end to end, and room for a row before the first and after the last."""
    height, stride = maps.shape[-2] + 1, maps.shape[-1] + 1
    line = maps.new_full((len(maps) * height * stride + 2 * stride,), fill)
    line[stride:-stride] += pad(maps, (0, 1, 0, 1)).view(-1)
    return line


def diffuse(
    source: Tensor,
    east: Tensor,
    south: Tensor,
    *,
    n_steps: int = 100,
    tau: float | None = None,
    tau_share: float = TAU_SHARE,
    bounded: bool = True,
) -> Tensor:
    """Spread heat by explicit steps, u <- (I - tau L) u: twin of `engine.diffusion.diffuse`.

    Parameters
    ----------
    source : (B, 1, H, W), the heat at the start.
    east, south : (B, 1, H, W), from `soft_conductance`.
    n_steps : number of steps.
    tau : length of a step; None takes ``tau_share / max_i L_ii`` of each map, so that d0 cancels.
    tau_share : in (0, 1].
    bounded : keep every tenth field only and compute the others again in the backward pass.

    Returns
    -------
    (B, 1, H, W); the sum of each map is that of its source.

    Raises
    ------
    InputError
        Where `tau` exceeds 1 / max_i L_ii in one of the maps.
    """
    largest = largest_outflow(east, south)
    if tau is None:
        if not 0 < tau_share <= 1:
            raise InputError(f"tau_share must lie in (0, 1], got {tau_share:g}")
        step = tau_share / torch.where(largest > 0, largest, 1.0)
    else:
        most = float(largest.detach().max()) if largest.numel() else 0.0
        if not 0 <= tau * most <= 1:
            raise InputError(f"tau must lie in [0, 1 / max L_ii = {1 / most:.6g}], got {tau:g}")
        step = torch.full_like(largest, tau)
    east, south = east * step, south * step
    if not (torch.is_grad_enabled() and any(x.requires_grad for x in (source, east, south))):
        return _steps_in_line(source, east, south, n_steps)
    if not bounded or n_steps <= SEGMENT:
        return _steps(source, east, south, n_steps)
    field = source
    for first in range(0, n_steps, SEGMENT):
        field = checkpoint(_steps, field, east, south, min(SEGMENT, n_steps - first), use_reentrant=False)
    return field


class _SteadySolve(torch.autograd.Function):
    """x = (leak + L)^-1 b. L is symmetric, so the adjoint is the same solve and no iteration has to be kept."""

    @staticmethod
    def forward(ctx: Any, right: Tensor, east: Tensor, south: Tensor, leak: float, tolerance: float) -> Tensor:
        field = _chebyshev(right, east, south, leak, tolerance)
        ctx.save_for_backward(field, east, south)
        ctx.leak, ctx.tolerance = leak, tolerance
        return field

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        field, east, south = ctx.saved_tensors
        adjoint = _SteadySolve.apply(gradients[0], east, south, ctx.leak, ctx.tolerance)
        across = (adjoint[..., 1:] - adjoint[..., :-1]) * (field[..., 1:] - field[..., :-1])
        down = (adjoint[..., 1:, :] - adjoint[..., :-1, :]) * (field[..., 1:, :] - field[..., :-1, :])
        return adjoint, -pad(across, (0, 1)), -pad(down, (0, 0, 0, 1)), None, None


def _chebyshev(right: Tensor, east: Tensor, south: Tensor, leak: float, tolerance: float) -> Tensor:
    """Chebyshev steps towards (leak + L) x = right; the eigenvalues lie in [leak, leak + 2 max L_ii]."""
    largest = largest_outflow(east, south).amax()
    top = float(largest.detach())
    if top == 0:
        return right / leak
    n_iter = math.ceil(math.acosh(1 / tolerance) / math.acosh(1 + leak / top))
    old = torch.zeros_like(right)
    here = right / (leak + top)
    twice = 2 * (leak + top) / top
    rho = 2 / twice
    for _ in range(n_iter - 1):
        new = 1 / (twice - rho)
        residual = right - leak * here - apply_laplacian(here, east, south)
        here, old = here + new * rho * (here - old) + (2 * new / top) * residual, here
        rho = new
    return here


def solve_steady(source: Tensor, east: Tensor, south: Tensor, *, leak: float, tolerance: float = 1e-4) -> Tensor:
    """Quasi-steady heat under a leak, (leak I + L) u = leak source: twin of `engine.diffusion.solve_steady`.

    Gradients come from the adjoint, one more solve, whatever the number of iterations.

    Parameters
    ----------
    source, east, south : as for `diffuse`.
    leak : share of its heat that a pixel loses per unit of time, > 0.
    tolerance : bound on the error relative to the start's, in (0, 1); gradients are as exact as that.
    """
    if not leak > 0:
        raise InputError(f"leak must be positive, got {leak:g}")
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance must lie in (0, 1), got {tolerance:g}")
    return _SteadySolve.apply(leak * source, east, south, leak, tolerance)


def fuse(heat: Tensor, prior: Tensor | float, rho: Tensor | float, *, heat_first: bool = False) -> Tensor:
    """Equation (4): rho heat + (1 - rho) prior over its largest value in each map; twin of `engine.diffusion.fuse`."""
    if heat_first:
        heat = _over_largest(heat)
    return _over_largest(rho * heat + (1 - rho) * prior)


def _over_largest(maps: Tensor) -> Tensor:
    largest = maps.amax(dim=(-2, -1), keepdim=True)
    return maps / torch.where(largest > 0, largest, 1.0)


def soft_diffusion(
    source: Tensor,
    medium: Tensor,
    *,
    prior: Tensor | None = None,
    d0: Tensor | float = 3.2,
    beta: Tensor | float = 6.0,
    alpha: Tensor | float = 0.6,
    rho: Tensor | float = 0.84,
    n_steps: int = 100,
    tau: float | None = None,
    tau_share: float = TAU_SHARE,
    leak: float | None = None,
    tolerance: float = 1e-4,
    entropy: Tensor | None = None,
    n_bins: int = N_BINS,
    heat_first: bool = False,
    bounded: bool = True,
) -> Tensor:
    """Diffuse a source through a medium and fuse the heat with a prior, eqs. (2) to (4).

    Parameters
    ----------
    source : (B, 1, H, W) in [0, 1]: a delta at a point, a detector's prediction, or any map.
    medium : (B, 1, H, W) in [0, 1], the map that gives the conductivity: an image, or a prediction.
    prior : (B, 1, H, W) in [0, 1], C_p of eq. (4); None takes the source.
    d0, beta, alpha, rho : the parameters theta, numbers or tensors that broadcast with (B, 1, 1, 1).
    n_steps, tau, tau_share : explicit steps, see `diffuse`.
    leak : solve for the quasi-steady heat under this leak instead of taking steps, see `solve_steady`.
    entropy, n_bins : see `soft_conductance`.
    heat_first : divide the heat by its largest value before the fusion.
    bounded : bound the memory of the steps, see `diffuse`.

    Returns
    -------
    (B, 1, H, W) in [0, 1]; the largest value of each map is 1 unless the map is 0.

    Gradients reach source, medium, prior and theta; the entropy is a constant.

    References
    ----------
    "Diffuse to Detect", arXiv 2605.20766.
    """
    check_maps("source", source)
    check_maps("medium", medium)
    if source.shape != medium.shape:
        raise InputError(f"medium must have the shape of source, {tuple(source.shape)}, got {tuple(medium.shape)}")
    east, south = soft_conductance(medium, d0=d0, beta=beta, alpha=alpha, entropy=entropy, n_bins=n_bins)
    if leak is None:
        heat = diffuse(source, east, south, n_steps=n_steps, tau=tau, tau_share=tau_share, bounded=bounded)
    else:
        heat = solve_steady(source, east, south, leak=leak, tolerance=tolerance)
    return fuse(heat, source if prior is None else prior, rho, heat_first=heat_first)


class SoftDiffusion(nn.Module):
    """`soft_diffusion` with learnable theta = (d0, beta, alpha, rho).

    Each parameter stays in a range around its start by tanh: ``start (1 + 0.3 tanh)`` for d0 and beta,
    ``start + 0.05 tanh`` for alpha and rho, as published.

    Parameters
    ----------
    d0, beta, alpha, rho : where theta starts.
    **options : further keyword arguments of `soft_diffusion`.
    """

    SHARE, STEP = 0.3, 0.05
    start: Tensor

    def __init__(
        self, *, d0: float = 3.2, beta: float = 6.0, alpha: float = 0.6, rho: float = 0.84, **options: Any
    ) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor([d0, beta, alpha, rho], dtype=torch.float64))
        self.raw = nn.Parameter(torch.zeros(4))
        self.options = options

    def theta(self) -> dict[str, Tensor]:
        """d0, beta, alpha and rho as they are now."""
        turn = torch.tanh(self.raw)
        start = self.start.to(turn)
        d0, beta = start[:2] * (1 + self.SHARE * turn[:2])
        alpha, rho = start[2:] + self.STEP * turn[2:]
        return {"d0": d0, "beta": beta, "alpha": alpha, "rho": rho}

    def forward(self, source: Tensor, medium: Tensor, prior: Tensor | None = None) -> Tensor:
        """Return `soft_diffusion` of the maps with the present theta."""
        options: dict[str, Any] = {**self.options, **self.theta()}
        return soft_diffusion(source, medium, prior=prior, **options)
