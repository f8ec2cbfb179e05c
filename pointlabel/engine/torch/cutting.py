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
from .candidates import Spot
from .ranks import nth_smallest

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
    flat, places, n_inside, finite = host_parts(spots, stride)
    values = torch.from_numpy(flat).to(device).double()
    return Parts(values, torch.from_numpy(places).to(device), torch.from_numpy(n_inside).to(device), finite)


def host_parts(spots: Sequence[Spot], stride: int) -> tuple[NDArray, NDArray[np.int64], NDArray[np.int64], bool]:
    """What `Parts` holds, on the host, the values in the images' own type where torch counts with it."""
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
    table = np.array(numbers, np.int64)
    return flat, table[:, :5].copy(), table[:, 5:].copy(), finite


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
    low, high = values.flatten(1).aminmax(dim=1)
    span = (high - low)[:, None, None]
    share = (values - low[:, None, None]) / torch.where(span > 0, span, 1.0)
    units = torch.where(span > 0, (share * UNITS - OFF_TIES).round(), 0.0).int()
    inside = _inside(parts.n_inside, stride)
    if finite is not None:
        near = slice(reach - HALF * stride, reach + HALF * stride + 1, stride)
        inside &= finite[:, near, near]
    median_noise, mean_noise = _noise(units)
    return Windows(
        units=units,
        inside=inside,
        noise=torch.maximum(median_noise, 0.8 * mean_noise).clamp(min=50.0),
        floor=mean_noise,
        spread=_spread(units).clamp(min=1.0),
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


def _noise(units: Tensor) -> tuple[Tensor, Tensor]:
    """Robust and mean deviation of the pixel from the mean of its 3 x 3 block, both (B,) float64."""
    first, size = REACH, 2 * HALF + 1
    rows = units[:, first - 1 : first + size - 1] + units[:, _CORE] + units[:, first + 1 : first + size + 1]
    around = rows[:, :, first - 1 : first + size - 1] + rows[:, :, _CORE] + rows[:, :, first + 1 : first + size + 1]
    detail = (9 * units[:, _CORE, _CORE] - around).abs().flatten(1)
    rank = nth_smallest(detail, (_N_PIXELS + 1) // 2, n_bits=20)
    return 1.4826 * rank.double() / 9.0, detail.sum(1).double() / (9.0 * _N_PIXELS)


def _spread(units: Tensor) -> Tensor:
    """5th to 95th percentile of the window proper, (B,) float64."""
    values = units[:, _CORE, _CORE].flatten(1)
    low, high = (nth_smallest(values, max(ceil(share * _N_PIXELS), 1), n_bits=16) for share in (0.05, 0.95))
    return (high - low).double()
