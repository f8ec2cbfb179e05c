"""Equation (2) in torch: gradient, local entropy and conductances of batches of maps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...errors import InputError
from .._conductance_kernels import N_BINS

ENTROPY_PX = 5


def check_maps(name: str, maps: Tensor) -> None:
    """Raise `InputError` unless `maps` is a (B, 1, H, W) tensor of real numbers."""
    if maps.ndim != 4 or maps.shape[1] != 1 or not maps.is_floating_point():
        raise InputError(f"{name} must be a floating-point tensor (B, 1, H, W), got {tuple(maps.shape)} {maps.dtype}")


def safe_sqrt(square: Tensor) -> Tensor:
    """Square root whose derivative at 0 is 0, not infinite."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)


def local_entropy(medium: Tensor, *, n_bins: int = N_BINS, domain: Tensor | None = None) -> Tensor:
    """Shannon entropy of the 5 x 5 pixels around each pixel over ln 25, in [0, 1].

    Parameters
    ----------
    medium : (B, 1, H, W) in [0, 1]; values fall into `n_bins` bins of equal width.
    domain : (B, 1, H, W) bool, pixels that count; None for all.

    Returns
    -------
    (B, 1, H, W), without a gradient: entropy is a constant of the differentiable engine. Windows are cut off at the
    border of the map and of the domain. Each of the 25 pixels around a pixel is compared with all 25 at once, so that
    time and memory do not depend on `n_bins`.
    """
    with torch.no_grad():
        bins = (medium.detach() * n_bins).floor().clamp(0, n_bins - 1)
        if domain is not None:
            bins = torch.where(domain, bins, n_bins)
        reach, (height, width) = ENTROPY_PX // 2, medium.shape[-2:]
        wide = pad(bins.to(torch.uint8 if n_bins < 256 else torch.int16), (reach,) * 4, value=n_bins)
        block = [(y, x) for y in range(ENTROPY_PX) for x in range(ENTROPY_PX)]
        around = torch.stack([wide[..., y : y + height, x : x + width] for y, x in block])
        count = torch.zeros_like(around)
        for one in around:
            count += around == one
        known = around != n_bins
        count *= known
        logs = [0.0, *(math.log(n) for n in range(1, ENTROPY_PX**2 + 1))]
        log = torch.tensor(logs, dtype=medium.dtype, device=medium.device)
        spent = torch.zeros_like(medium)
        for same in count.split(ENTROPY_PX):  # a few at a time: logarithms take more memory than counts
            spent += log[same.int()].sum(0)
        number = known.sum(0)
        entropy = (log[number] - spent / number.clamp(min=1)) / math.log(ENTROPY_PX**2)
        entropy = entropy.clamp(min=0)
        return entropy if domain is None else torch.where(domain, entropy, 0.0)


def gradient_length(medium: Tensor, domain: Tensor) -> Tensor:
    """Length of the gradient: central differences, one-sided at the border of the map and of the domain."""
    lengths = [_difference(medium, domain, axis) ** 2 for axis in (-2, -1)]
    return safe_sqrt(lengths[0] + lengths[1])


def _difference(medium: Tensor, domain: Tensor, axis: int) -> Tensor:
    """Difference of both neighbours along an axis; a neighbour that is missing is replaced by the pixel itself."""
    has_before, has_after = _shifted(domain, axis, 1), _shifted(domain, axis, -1)
    before = torch.where(has_before, _shifted(medium, axis, 1), medium)
    after = torch.where(has_after, _shifted(medium, axis, -1), medium)
    span = after - before
    return torch.where(has_before & has_after, 0.5 * span, span)


def _shifted(values: Tensor, axis: int, by: int) -> Tensor:
    """`values` moved by one pixel along an axis, zeros (False) where nothing comes in."""
    size = values.shape[axis]
    if size == 0:
        return values
    kept = values.narrow(axis, 0, size - 1) if by > 0 else values.narrow(axis, 1, size - 1)
    sides = [0, 0, 0, 0]  # left, right, top, bottom
    sides[(0 if axis == -1 else 2) + (0 if by > 0 else 1)] = 1
    return pad(kept, sides)


def soft_conductance(
    medium: Tensor,
    *,
    d0: Tensor | float = 3.2,
    beta: Tensor | float = 6.0,
    alpha: Tensor | float = 0.6,
    entropy: Tensor | None = None,
    n_bins: int = N_BINS,
    domain: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Conductances between the pixels of each map, eq. (2): twin of `engine.conductance.window_conductance`.

    D = d0 exp(-beta (alpha |grad I| + (1 - alpha) H)); the conductance between two neighbours is the mean of their D.

    Parameters
    ----------
    medium : (B, 1, H, W) in [0, 1], the map I that conducts.
    d0, beta, alpha : the parameters of eq. (2), numbers or tensors that broadcast with (B, 1, 1, 1).
    entropy : (B, 1, H, W) in [0, 1], the map H; None computes `local_entropy` of the medium. A constant either way.
    n_bins : bins of the entropy's histogram.
    domain : (B, 1, H, W) bool; no heat crosses its border. None for the whole map.

    Returns
    -------
    east, south : (B, 1, H, W). ``east[..., i, j]`` joins (i, j) with (i, j + 1), ``south`` with (i + 1, j); what would
        lead out is 0. Gradients reach the medium, d0, beta and alpha.
    """
    check_maps("medium", medium)
    texture = local_entropy(medium, n_bins=n_bins, domain=domain) if entropy is None else entropy.detach()
    if domain is None:
        domain = torch.ones_like(medium, dtype=torch.bool)
    length = gradient_length(medium, domain)
    half = torch.where(domain, 0.5 * d0 * torch.exp(-beta * (alpha * length + (1 - alpha) * texture)), 0.0)
    east, south = (
        torch.where(domain & _shifted(domain, axis, -1), half + _shifted(half, axis, -1), 0.0) for axis in (-1, -2)
    )
    return east, south
