"""Whole units of a window, its noise and ranks."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ...methods._peak_kernels import OFF_TIES, UNITS


@kernel
def cut_kernel(image, row, column, reach, values):
    """Copy the square within `reach` px of a pixel to `values` float64, mirrored at the border of the image.

    Returns the smallest and the largest value; neither counts where some are not finite.
    """
    height, width = image.shape
    side, left = 2 * reach + 1, column - reach
    begin, end = max(-left, 0), min(width - left, side)  # columns in the image
    first, before = np.uint64(begin), np.uint64(begin + left)  # unsigned, so that no index is tested for being negative
    low = high = image[row, column]
    for y in range(side):
        v = _mirrored(row - reach + y, height)
        for x in range(np.uint64(end - begin)):
            value = image[v, before + x]
            values[y, first + x] = value
            low = value if value < low else low
            high = value if value > high else high
        for x in range(begin):
            values[y, x] = image[v, _mirrored(left + x, width)]
        for x in range(end, side):
            values[y, x] = image[v, _mirrored(left + x, width)]
    return float(low), float(high)


@kernel
def _mirrored(k, size):
    k %= 2 * size
    return k if k < size else 2 * size - 1 - k


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
def window_kernel(values, low, high, half, rows, columns, units, inside):
    """Write the units of a window of `values` from `low` to `high`, and which of its middle lie in the image.

    The middle are the (2 half + 1)^2 pixels, of which those in `rows` and `columns` (first, last + 1) are inside.
    Returns what `noise_kernel` and `spread_kernel` say of the middle.
    """
    whole_units_kernel(values, low, high, units)
    for y in range(inside.shape[0]):
        for x in range(inside.shape[1]):
            inside[y, x] = rows[0] <= y < rows[1] and columns[0] <= x < columns[1]
    median_noise, mean_noise = noise_kernel(units, half)
    return median_noise, mean_noise, spread_kernel(units, units.shape[0] // 2 - half, 2 * half + 1)
