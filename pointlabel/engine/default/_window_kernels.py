"""Whole units of a window, its noise and ranks, and the peak near a point."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel

UNITS = 65535
OFF_TIES = 0.0137  # taken off before rounding: of few grey levels many map on halves, where round-off would decide


@kernel
def whole_units_kernel(values, low, high, units):
    """Map `values` on whole numbers 0 .. UNITS by their own range, from `low` to `high`.

    Gain and offset cancel; rounding to whole numbers keeps the round-off of an affine map from flipping ties,
    and makes every sum over a window exact, hence equal whatever its order.
    """
    span = high - low
    if not span > 0:
        units[:] = 0
        return
    for y in range(units.shape[0]):
        for x in range(units.shape[1]):
            units[y, x] = np.int32(np.rint((values[y, x] - low) / span * UNITS - OFF_TIES))


@kernel
def rank_of(values, rank):
    """The `rank`-th smallest (from 1) of the int32 `values` by bisection on their value.

    Counting how many lie below a pivot is one branch-free pass that the compiler turns into vector
    instructions; some 16 passes beat any selection that moves them.
    """
    low = values[0]
    high = values[0]
    for i in range(values.shape[0]):
        low = min(low, values[i])
        high = max(high, values[i])
    while low < high:
        middle = np.int32((low + high) >> 1)
        count = np.int32(0)  # narrow on purpose: a wider sum would widen the comparisons too
        for i in range(values.shape[0]):
            count = np.int32(count + np.int32(values[i] <= middle))
        if count >= rank:
            high = middle
        else:
            low = np.int32(middle + 1)
    return low


@kernel
def spread_kernel(units, first, side):
    """5th to 95th percentile of the `side` x `side` whole numbers that start at (first, first)."""
    values = np.empty(side * side, np.int32)
    for y in range(side):
        for x in range(side):
            values[y * side + x] = units[first + y, first + x]
    low = max(int(np.ceil(0.05 * values.size)), 1)
    high = max(int(np.ceil(0.95 * values.size)), 1)
    return rank_of(values, high) - rank_of(values, low)


@kernel
def noise_kernel(units, half):
    """Deviation of the pixel from the mean of its 3 x 3 block, over the middle (2 half + 1)^2.

    Returns (1.4826 median, mean) of the absolute values: the median is 0 where most of a window is flat.
    """
    first = units.shape[0] // 2 - half
    side = 2 * half + 1
    values = np.empty(side * side, np.int32)
    columns = np.empty(side + 2, np.int32)  # sums of three pixels in a column
    total = 0
    for y in range(side):
        v = first + y
        for x in range(side + 2):
            u = first + x - 1
            columns[x] = np.int32(units[v - 1, u] + units[v, u] + units[v + 1, u])
        row = values[y * side : (y + 1) * side]
        for x in range(side):
            around = np.int32(columns[x] + columns[x + 1] + columns[x + 2])
            row[x] = abs(np.int32(9 * units[v, first + x] - around))
        for x in range(side):
            total += row[x]
    return 1.4826 * rank_of(values, (values.size + 1) // 2) / 9.0, total / (9.0 * values.size)


@kernel
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
            value = np.rint((block[y, x] - low) * scale - OFF_TIES)
            near = -float((y - row) ** 2 + (x - column) ** 2)
            total = 0.0
            n = 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if np.isfinite(block[v, u]):
                        total += np.rint((block[v, u] - low) * scale - OFF_TIES)
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
