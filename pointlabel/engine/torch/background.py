"""Running medians as local backgrounds, many windows at once. Twin of `engine.default._background_kernels`."""

from __future__ import annotations

import torch
from torch import Tensor

from ..default.regions import SAMPLING, SIDE
from ..default.window import REACH
from .window import nth_smallest

_MIDDLE = 32768  # units less this fit 16 bits with their sign


def running_medians(units: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Running median of units (B, 121, 121) at each scale, (B, K, 65, 65) float32: the kernel's whole numbers.

    The median is taken over samples a few pixels apart, on a grid, and interpolated linearly between.
    """
    return torch.stack([_interpolated(*_grid_of(units, scale)) for scale in scales], 1)


def _grid_of(units: Tensor, scale: int) -> tuple[Tensor, int]:
    """Medians (B, n, n) int32 on the grid of a scale, and the grid's pitch."""
    reach, stride, step = SAMPLING[scale]
    side = 2 * reach // stride + 1
    lattice = units[:, REACH - reach : REACH + SIDE + reach : stride, REACH - reach : REACH + SIDE + reach : stride]
    samples = (lattice - _MIDDLE).to(torch.int16).unfold(1, side, step // stride).unfold(2, side, step // stride)
    n = samples.shape[1]
    flat = samples.reshape(-1, side * side)
    return nth_smallest(flat, (side * side + 1) // 2, n_bits=16, lowest=-_MIDDLE).view(-1, n, n), step


def _interpolated(grid: Tensor, step: int) -> Tensor:
    """The grid interpolated to every pixel and rounded, (B, 65, 65) float32; exact but for the last rounding."""
    at = torch.arange(SIDE, device=grid.device)
    first = (at // step).clamp(max=grid.shape[1] - 2)
    share = at - first * step
    lines = (step - share)[:, None] * grid[:, first] + share[:, None] * grid[:, first + 1]
    sums = (step - share) * lines[:, :, first] + share * lines[:, :, first + 1]
    return (sums.float() * (1.0 / (step * step))).round()
