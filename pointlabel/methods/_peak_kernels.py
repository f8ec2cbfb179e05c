"""Compiled core of the search for the peak near a point."""

from __future__ import annotations

import numpy as np

from ..compiled import kernel

#: Values of a window are compared as whole numbers 0 .. UNITS over its own range.
UNITS = 65535
OFF_TIES = 0.0137  # taken off before rounding: of few grey levels many map on halves, where round-off would decide


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
