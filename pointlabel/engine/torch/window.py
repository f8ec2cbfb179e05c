"""Windows cut out of images and freed of gain and offset, many at once. Twin of `engine.default.window.cut_window`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...methods.peaks import OFF_TIES, UNITS
from ..default.window import HALF, MARGIN, REACH

Spot = tuple[NDArray, tuple[int, int]]  # an image, targets bright, and the peak of a target in it

_CORE = slice(REACH, REACH + 2 * HALF + 1)
_N_PIXELS = (2 * HALF + 1) ** 2
#: Types that torch counts with, for those of numpy that it only stores.
_WIDER: dict[str, type] = {"uint16": np.int32, "uint32": np.int64, "uint64": np.float64}


@dataclass(frozen=True, slots=True)
class Windows:
    """What `default.window.Window` holds, for B windows: units (B, 121, 121), inside (B, 65, 65), the others (B,)."""

    units: Tensor
    inside: Tensor
    noise: Tensor
    floor: Tensor
    spread: Tensor


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of images that windows see, end to end.

    Attributes
    ----------
    values : pixels of all parts, float64.
    places : (B, 5) int64: where a part starts in `values`, its height and width, row and column of the peak in it.
    n_inside : (B, 4) int64: rows of the image above and below the peak, then columns to its left and right.
    finite : whether all pixels are.
    """

    values: Tensor
    places: Tensor
    n_inside: Tensor
    finite: bool


def gather_parts(spots: Sequence[Spot], stride: int, device: torch.device) -> Parts:
    """Bring the part of each image that its window sees to the device, in one copy."""
    reach = MARGIN * stride + stride - 1
    parts: list[NDArray] = []
    numbers: list[tuple[int, ...]] = []
    start = 0
    for image, (row, column) in spots:
        height, width = image.shape
        top, left = max(row - reach, 0), max(column - reach, 0)
        part = image[top : row + reach + 1, left : column + reach + 1]
        parts.append(part.ravel())
        around = (row, height - 1 - row, column, width - 1 - column)
        numbers.append((start, *part.shape, row - top, column - left, *around))
        start += part.size
    flat = np.concatenate(parts)
    finite = flat.dtype.kind != "f" or bool(np.isfinite(flat).all())
    flat = flat.astype(_WIDER.get(flat.dtype.name, flat.dtype), copy=False)
    table = torch.from_numpy(np.array(numbers, np.int64)).to(device)
    return Parts(torch.from_numpy(flat).to(device).double(), table[:, :5], table[:, 5:], finite)


def cut_windows(parts: Parts, stride: int) -> Windows:
    """Cut the windows of a stride, smoothed by a binomial filter for strides of 2 and 4."""
    reach = MARGIN * stride + stride - 1
    step = torch.arange(-reach, reach + 1, device=parts.values.device)
    start, height, width, row, column = parts.places[:, :, None].unbind(1)
    rows, columns = _mirrored(row + step, height), _mirrored(column + step, width)
    at = (start + rows * width)[:, :, None] + columns[:, None]
    values = parts.values[at]
    finite = None
    if not parts.finite:
        finite = values.isfinite()
        values = torch.where(finite, values, _median_of(values, finite)[:, None, None])
    for _ in range(stride.bit_length() - 1):
        values = 0.25 * (values[:, :-2:2] + values[:, 2::2]) + 0.5 * values[:, 1:-1:2]
        values = 0.25 * (values[:, :, :-2:2] + values[:, :, 2::2]) + 0.5 * values[:, :, 1:-1:2]
    least, largest = (each[:, None, None] for each in values.flatten(1).aminmax(dim=1))
    span = largest - least
    share = (values - least) / torch.where(span > 0, span, 1.0)
    units = torch.where(span > 0, (share * UNITS - OFF_TIES).round(), 0.0).int()
    inside = _inside(parts.n_inside, stride)
    if finite is not None:
        near = slice(reach - HALF * stride, reach + HALF * stride + 1, stride)
        inside &= finite[:, near, near]
    median_noise, mean_noise = _noise(units)
    core = units[:, _CORE, _CORE].flatten(1)
    low, high = (nth_smallest(core, ceil(share * _N_PIXELS), n_bits=16).double() for share in (0.05, 0.95))
    return Windows(
        units=units,
        inside=inside,
        noise=torch.maximum(median_noise, 0.8 * mean_noise).clamp(min=50.0),
        floor=mean_noise,
        spread=(high - low).clamp(min=1.0),
    )


def _mirrored(index: Tensor, size: Tensor) -> Tensor:
    """Indices mirrored at the border of what has `size` pixels."""
    index = index.remainder(2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)


def _median_of(values: Tensor, finite: Tensor) -> Tensor:
    """Median of the finite pixels of each window, 0 where there are none."""
    ordered = torch.where(finite, values, torch.inf).flatten(1).sort(1).values
    n = finite.flatten(1).sum(1, keepdim=True)
    middle = [ordered.gather(1, ((n - k) // 2).clamp(min=0)) for k in (1, 0)]
    return torch.where(n > 0, (middle[0] + middle[1]) / 2, 0.0)[:, 0]


def _inside(n_inside: Tensor, stride: int) -> Tensor:
    """Window pixels whose centres lie in the image, (B, 65, 65) bool."""
    step = torch.arange(-HALF, HALF + 1, device=n_inside.device) * stride
    lines = [(step >= -n_inside[:, k, None]) & (step <= n_inside[:, k + 1, None]) for k in (0, 2)]
    return lines[0][:, :, None] & lines[1][:, None]


def nth_smallest(values: Tensor, rank: int, *, n_bits: int, lowest: int = 0) -> Tensor:
    """The `rank`-th smallest (from 1) of each row of (N, M) whole numbers, less `lowest`; (N,) int32.

    Parameters
    ----------
    values : whole numbers of any type, all in lowest .. lowest + 2^n_bits - 1.
    rank : in 1 .. M.

    Built bit by bit from the highest: a bit is set where fewer than `rank` numbers lie below it, so that all rows take
    the same `n_bits` passes, without a sort or a branch.
    """
    found = torch.zeros(len(values), dtype=torch.int32, device=values.device)
    for bit in reversed(range(n_bits)):
        pivot = (found + ((1 << bit) - 1 + lowest)).to(values.dtype)
        count = (values <= pivot[:, None]).sum(1, dtype=torch.int32)
        found.add_(count < rank, alpha=1 << bit)
    return found


def _noise(units: Tensor) -> tuple[Tensor, Tensor]:
    """Robust and mean deviation of the pixel from the mean of its 3 x 3 block, both (B,) float64."""
    first, size = REACH, 2 * HALF + 1
    rows = units[:, first - 1 : first + size - 1] + units[:, _CORE] + units[:, first + 1 : first + size + 1]
    around = rows[:, :, first - 1 : first + size - 1] + rows[:, :, _CORE] + rows[:, :, first + 1 : first + size + 1]
    detail = (9 * units[:, _CORE, _CORE] - around).abs().flatten(1)
    rank = nth_smallest(detail, (_N_PIXELS + 1) // 2, n_bits=20)
    return 1.4826 * rank.double() / 9.0, detail.sum(1).double() / (9.0 * _N_PIXELS)
