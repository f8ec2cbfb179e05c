"""From a point to the peak of its target, the same way for every method that moves points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ._peak_kernels import OFF_TIES, UNITS, peak_kernel

__all__ = ["OFF_TIES", "SNAP_PX", "UNITS", "find_peak", "find_peaks"]

Pixel = tuple[int, int]

#: How far a point may be moved on each axis.
SNAP_PX = 2


def find_peak(image: NDArray, pixel: Sequence[int] | NDArray[np.int64]) -> Pixel:
    """Brightest pixel within 2 px of `pixel` on each axis; of equal ones the nearest, then the brightest 3 x 3.

    Where several are still equal the point stays: no choice between them would survive a flip of the image.
    """
    row, column = int(pixel[0]), int(pixel[1])
    top, left = max(row - SNAP_PX - 1, 0), max(column - SNAP_PX - 1, 0)
    block = np.ascontiguousarray(image[top : row + SNAP_PX + 2, left : column + SNAP_PX + 2], np.float64)
    dy, dx = peak_kernel(block, row - top, column - left, SNAP_PX)
    return top + dy, left + dx


def find_peaks(image: NDArray, pixels: Sequence[Pixel], *, snap: bool = True) -> tuple[list[Pixel], list[bool]]:
    """Peak of each point's pixel, and whether another point has the same peak or would have moved to its pixel.

    Points that would move to one peak stay where they are, so that each keeps a target of its own. Without `snap` all
    points stay.
    """
    found = [find_peak(image, pixel) for pixel in pixels] if snap else list(pixels)
    n_at_peak = Counter(found)
    peaks = [pixel if n_at_peak[peak] > 1 else peak for pixel, peak in zip(pixels, found, strict=True)]
    return peaks, [max(n_at_peak[peak], n_at_peak[pixel]) > 1 for pixel, peak in zip(pixels, found, strict=True)]
