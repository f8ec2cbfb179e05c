"""The window around a target: cut out, freed of gain and offset, its peak in the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._window_kernels import cut_kernel, window_kernel

HALF = 32  # the window is 65 x 65 window pixels
REACH = 28  # backgrounds look this much farther out
MARGIN = HALF + REACH
#: Types of images that `cut_kernel` is compiled for; of others the part around the peak is copied first.
_COMPILED = (np.uint8, np.uint16, np.float64)
STRIDES = (1, 2, 4)  # image pixels per window pixel: windows of 65, 129 and 257 px


@dataclass(frozen=True, slots=True)
class Window:
    """What the engine sees of the image around one target.

    Attributes
    ----------
    units : (2 MARGIN + 1)^2 int32, 0 .. 65535 over the window's own range; mirrored beyond the image.
    inside : (2 HALF + 1)^2 bool, pixels of the image that are finite.
    peak : (row, column) of the window's centre in the image.
    stride : image pixels per window pixel.
    noise : robust deviation of the window's finest detail, in units, at least 50.
    floor : mean deviation of the same.
    spread : 5th to 95th percentile of the window, in units.
    """

    units: NDArray[np.int32]
    inside: NDArray[np.bool_]
    peak: tuple[int, int]
    stride: int
    noise: float
    floor: float
    spread: float

    @property
    def core(self) -> NDArray[np.int32]:
        """The units of the window proper, (2 HALF + 1)^2."""
        return self.units[REACH : REACH + 2 * HALF + 1, REACH : REACH + 2 * HALF + 1]


def _within(centre: int, stride: int, size: int) -> tuple[int, int]:
    """First and last + 1 window pixel whose centre lies in the image, along one axis."""
    return max(HALF - centre // stride, 0), min(HALF + (size - 1 - centre) // stride, 2 * HALF) + 1


def _cut(image: NDArray, peak: tuple[int, int], reach: int) -> tuple[NDArray[np.float64], float, float]:
    """The square within `reach` px of a pixel, mirrored at the border of the image; its smallest and largest value."""
    row, column = peak
    if image.dtype not in _COMPILED or not image.flags.carray:
        top, left = max(row - reach, 0), max(column - reach, 0)
        image = np.ascontiguousarray(image[top : row + reach + 1, left : column + reach + 1], np.float64)
        row, column = row - top, column - left
    values = np.empty((2 * reach + 1, 2 * reach + 1))
    return values, *cut_kernel(image, row, column, reach, values)


def cut_window(image: NDArray, peak: tuple[int, int], stride: int = 1) -> Window:
    """Cut the window of a stride out of the image, smoothed by a binomial filter for strides of 2 and 4."""
    reach, doublings = MARGIN * stride, stride.bit_length() - 1
    reach += stride - 1
    values, low, high = _cut(image, peak, reach)
    holes = image.dtype.kind == "f" and not np.isfinite(values).all()
    finite = np.isfinite(values) if holes else None
    if finite is not None:
        values = np.where(finite, values, np.median(values[finite]) if finite.any() else 0.0)
    for _ in range(doublings):
        values = 0.25 * (values[:-2:2] + values[2::2]) + 0.5 * values[1:-1:2]
        values = 0.25 * (values[:, :-2:2] + values[:, 2::2]) + 0.5 * values[:, 1:-1:2]
    if finite is not None or doublings:
        low, high = float(values.min()), float(values.max())
    units = np.empty(values.shape, np.int32)
    inside = np.empty((2 * HALF + 1, 2 * HALF + 1), np.bool_)
    within = (_within(peak[0], stride, image.shape[0]), _within(peak[1], stride, image.shape[1]))
    median_noise, mean_noise, spread = window_kernel(
        np.ascontiguousarray(values), low, high, HALF, *within, units, inside
    )
    if finite is not None:
        near = slice(reach - HALF * stride, reach + HALF * stride + 1, stride)
        inside &= finite[near, near]
    return Window(
        units=units,
        inside=inside,
        peak=peak,
        stride=stride,
        noise=max(median_noise, 0.8 * mean_noise, 50.0),
        floor=mean_noise,
        spread=max(float(spread), 1.0),
    )
