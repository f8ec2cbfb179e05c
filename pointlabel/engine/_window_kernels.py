"""Whole units of a window, its noise and ranks, and the peak near a point."""

from __future__ import annotations

import numpy as np
from numba import njit

UNITS = 65535


@njit(cache=True)
def whole_units_kernel(values, units):
    """Map `values` on whole numbers 0 .. UNITS by their own range.

    Gain and offset cancel; rounding to whole numbers keeps the round-off of an affine map from flipping ties,
    and makes every sum over a window exact, hence equal whatever its order.
    """
    low = values[0, 0]
    high = values[0, 0]
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            low = min(low, values[y, x])
            high = max(high, values[y, x])
    span = high - low
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            units[y, x] = np.int32(np.rint((values[y, x] - low) / span * UNITS)) if span > 0 else 0


@njit(cache=True)
def rank_of(values, n, rank):
    """The `rank`-th smallest (from 1) of n whole numbers by bisection on their value.

    Counting how many lie below a pivot is one branch-free pass that the compiler turns into vector
    instructions; some 16 passes over a hundred values beat any selection that moves them.
    """
    low = values[0]
    high = values[0]
    for i in range(n):
        low = min(low, values[i])
        high = max(high, values[i])
    while low < high:
        middle = (low + high) >> 1
        count = 0
        for i in range(n):
            count += values[i] <= middle
        if count >= rank:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True)
def rank_kernel(units, share):
    """Value below which `share` of the whole numbers `units` lie."""
    flat = units.copy().ravel()
    return rank_of(flat, flat.size, max(int(np.ceil(share * flat.size)), 1))


@njit(cache=True)
def noise_kernel(units, half):
    """Deviation of the pixel from the mean of its 3 x 3 block, over the middle (2 half + 1)^2.

    Returns (1.4826 median, mean) of the absolute values: the median is 0 where most of a window is flat.
    """
    centre = units.shape[0] // 2
    side = 2 * half + 1
    values = np.empty(side * side, np.int32)
    total = 0
    k = 0
    for y in range(centre - half, centre + half + 1):
        for x in range(centre - half, centre + half + 1):
            above = units[y - 1, x - 1] + units[y - 1, x] + units[y - 1, x + 1]
            beside = units[y, x - 1] + units[y, x] + units[y, x + 1]
            below = units[y + 1, x - 1] + units[y + 1, x] + units[y + 1, x + 1]
            values[k] = abs(9 * units[y, x] - (above + beside + below))
            total += values[k]
            k += 1
    return 1.4826 * rank_of(values, k, (k + 1) // 2) / 9.0, total / (9.0 * k)


@njit(cache=True)
def peak_kernel(block, row, column, reach):
    """Row and column in `block` (float64) of the peak within `reach` of (row, column).

    Ordered by value, nearness, then the sum of the 3 x 3 block; where two are equal in all, the start is kept.
    Not-finite pixels are never a peak.
    """
    height, width = block.shape
    best_y, best_x = row, column
    best_value, best_near, best_sum = -np.inf, -1e9, -np.inf
    unique = True
    low = np.inf
    high = -np.inf
    for y in range(height):
        for x in range(width):
            if np.isfinite(block[y, x]):
                low = min(low, block[y, x])
                high = max(high, block[y, x])
    if not high > low:
        return row, column
    scale = UNITS / (high - low)
    for y in range(max(row - reach, 0), min(row + reach + 1, height)):
        for x in range(max(column - reach, 0), min(column + reach + 1, width)):
            if not np.isfinite(block[y, x]):
                continue
            value = np.rint((block[y, x] - low) * scale)
            near = -float((y - row) ** 2 + (x - column) ** 2)
            total = 0.0
            n = 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if np.isfinite(block[v, u]):
                        total += np.rint((block[v, u] - low) * scale)
                        n += 1
            total /= n
            if value == best_value and near == best_near and total == best_sum:
                unique = False
            elif (value, near, total) > (best_value, best_near, best_sum):
                best_value, best_near, best_sum = value, near, total
                best_y, best_x = y, x
                unique = True
    if not unique:
        return row, column
    return best_y, best_x
