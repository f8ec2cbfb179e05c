"""The window of the default method: whole units, noise, the peak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def units_of(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Whole numbers 0 .. 65535 over the range of the values; halves are rounded down."""
    span = values.max() - values.min()
    if span == 0:
        return np.zeros(values.shape, np.int32)
    return np.rint((values - values.min()) / span * 65535 - 0.0137).astype(np.int32)


def noise(units: NDArray[np.int32], half: int) -> tuple[float, float]:
    """1.4826 times the median, and the mean, of how far each pixel lies from the mean of its 3 x 3 block."""
    detail = np.abs(units - ndimage.uniform_filter(units.astype(float), 3, mode="nearest"))
    centre = len(units) // 2
    inner = detail[centre - half : centre + half + 1, centre - half : centre + half + 1]
    return 1.4826 * float(np.median(inner)), float(inner.mean())


def peak(image: NDArray, row: int, column: int, reach: int) -> tuple[int, int]:
    """Largest value, then the nearest, then the largest mean of 3 x 3; the start where two are equal in all."""
    best = []
    for y in range(max(row - reach, 0), min(row + reach + 1, image.shape[0])):
        for x in range(max(column - reach, 0), min(column + reach + 1, image.shape[1])):
            around = image[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            near = -((y - row) ** 2 + (x - column) ** 2)
            best.append(((float(image[y, x]), near, float(around.mean())), (y, x)))
    best.sort(reverse=True)
    return (row, column) if len(best) > 1 and best[0][0] == best[1][0] else best[0][1]
