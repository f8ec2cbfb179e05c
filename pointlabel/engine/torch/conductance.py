"""Equation (2) in torch: gradient, local entropy and conductances of batches of maps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ...errors import InputError

ENTROPY_PX = 5


def check_maps(name: str, maps: Tensor) -> None:
    """Raise `InputError` unless `maps` is a (B, 1, H, W) tensor of real numbers."""
    if maps.ndim != 4 or maps.shape[1] != 1 or not maps.is_floating_point():
        raise InputError(f"{name} must be a floating-point tensor (B, 1, H, W), got {tuple(maps.shape)} {maps.dtype}")


def safe_sqrt(square: Tensor) -> Tensor:
    """Square root whose derivative at 0 is 0, not infinite."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)


def local_entropy(medium: Tensor, *, n_bins: int = 32, domain: Tensor | None = None) -> Tensor:
    """Shannon entropy of the 5 x 5 pixels around each pixel over ln 25, in [0, 1].

    Parameters
    ----------
    medium : (B, 1, H, W) in [0, 1]; values fall into `n_bins` bins of equal width.
    domain : (B, 1, H, W) bool, pixels that count; None for all.

    Returns
    -------
    (B, 1, H, W), without a gradient: entropy is a constant of the differentiable engine. Windows are cut off at the
    border of the map and of the domain; one bin at a time, so that memory does not grow with `n_bins`.
    """
    with torch.no_grad():
        bins = (medium.detach() * n_bins).floor().clamp(0, n_bins - 1)
        counted = torch.ones_like(bins) if domain is None else domain.to(bins.dtype)

        def around(values: Tensor) -> Tensor:
            return avg_pool2d(values, ENTROPY_PX, 1, ENTROPY_PX // 2, divisor_override=1)

        number = around(counted)
        total = torch.zeros_like(number)
        for b in torch.unique(bins).tolist():
            count = around(counted * (bins == b))
            total += torch.xlogy(count, count)
        entropy = (torch.xlogy(number, number) - total) / (math.log(ENTROPY_PX**2) * number.clamp(min=1))
        return entropy.clamp(min=0) * counted


def gradient_length(medium: Tensor, *, domain: Tensor | None = None) -> Tensor:
    """Length of the gradient: central differences, one-sided at the border of the map and of the domain."""
    lengths = [_difference(medium, domain, axis) ** 2 for axis in (-2, -1)]
    return safe_sqrt(lengths[0] + lengths[1])


def _difference(medium: Tensor, domain: Tensor | None, axis: int) -> Tensor:
    """Difference of both neighbours along an axis; a neighbour that is missing is replaced by the pixel itself."""
    known = torch.ones_like(medium, dtype=torch.bool) if domain is None else domain
    before, after = _shifted(medium, axis, 1), _shifted(medium, axis, -1)
    has_before, has_after = _shifted(known, axis, 1), _shifted(known, axis, -1)
    span = torch.where(has_after, after, medium) - torch.where(has_before, before, medium)
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
    n_bins: int = 32,
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
    length = gradient_length(medium, domain=domain)
    conductivity = 0.5 * d0 * torch.exp(-beta * (alpha * length + (1 - alpha) * texture))
    if domain is not None:
        conductivity = torch.where(domain, conductivity, 0.0)
    east = conductivity + _shifted(conductivity, -1, -1)
    south = conductivity + _shifted(conductivity, -2, -1)
    known = torch.ones_like(medium, dtype=torch.bool) if domain is None else domain
    east = torch.where(known & _shifted(known, -1, -1), east, 0.0)
    south = torch.where(known & _shifted(known, -2, -1), south, 0.0)
    return east, south
