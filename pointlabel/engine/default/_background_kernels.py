"""Running medians on a coarse grid, interpolated between."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel

_MIDDLE = 32768  # units less this fit 16 bits with their sign, twice as many to a vector register as 32 bits
_LANES = 64  # samples are padded to a multiple of this, so that no scalar remainder of the counting loop is left
_FIRST_STEP = 64
_LOWEST, _HIGHEST = np.int16(-_MIDDLE), np.int16(_MIDDLE - 1)


@kernel
def _rank_near(values, rank, guess):
    """The `rank`-th smallest (from 1) of int16 `values`, less -_MIDDLE: bisection in a bracket grown from `guess`.

    Each pass counts how many lie up to the pivot, and finds the values next to it on both sides: the bracket ends on
    values that are there, which takes two or three passes where halving it down to one unit takes ten.
    """
    low, high = 0, 2 * _MIDDLE - 1
    middle, step = guess, _FIRST_STEP
    while low < high:
        pivot = np.int16(middle - _MIDDLE)
        count = np.int16(0)  # narrow on purpose: a wider sum would widen the comparisons too
        below, above = _LOWEST, _HIGHEST
        for i in range(values.shape[0]):
            count = np.int16(count + np.int16(values[i] <= pivot))
            below = max(below, values[i] if values[i] <= pivot else _LOWEST)
            above = min(above, _HIGHEST if values[i] <= pivot else values[i])
        if count >= rank:
            high = int(below) + _MIDDLE
            low = high if count == rank else low
            middle = max((low + high) >> 1, high - step)
        else:
            low = int(above) + _MIDDLE
            high = low if count == rank - 1 else high
            middle = min((low + high) >> 1, low + step)
        step = min(4 * step, _MIDDLE)
    return low


@kernel
def fill_residual_kernel(units, half, reach, stride, step, extent, grid, residual):
    """Write `units` (S, S) int32 less their running median about the centre into a part of `residual`.

    `residual` (2 half + 1)^2 float32 gets the square of the pixels within `extent` of the centre. The median over
    offsets -reach..reach by `stride` is taken on a grid of pitch `step`, a multiple of `stride`, and interpolated
    linearly between. All three divide evenly, so the grid is symmetric about the centre pixel. `grid` int32 holds the
    medians that are known, and -1; those that the square needs are added.

    From one grid point to the next only the samples of some columns change, and the median hardly: the columns
    that leave are overwritten, and the search starts from the median before.
    """
    first = units.shape[0] // 2 - half
    last = 2 * half // step
    side, jump = 2 * reach // stride + 1, step // stride
    size = side * side
    low = min((half - extent) // step, last - 1)
    high = min((half + extent) // step, last - 1) + 1
    start, n_lattice = low * jump, (high - low) * jump + side
    lattice = np.empty((n_lattice, n_lattice), np.int16)
    corner = first - reach + start * stride
    for y in range(n_lattice):
        for x in range(n_lattice):
            lattice[x, y] = np.int16(units[corner + y * stride, corner + x * stride] - _MIDDLE)
    samples = np.full((size + _LANES - 1) // _LANES * _LANES, _HIGHEST, np.int16)
    guess = np.int64(_MIDDLE)
    for i in range(low, high + 1):
        top = i * jump - start
        known = 0
        for j in range(low, high + 1):
            if grid[i, j] < 0:
                left = j * jump - start
                for x in range(max(known, left), left + side):
                    at = x % side * side
                    for y in range(side):
                        samples[at + y] = lattice[x, top + y]
                known = left + side
                guess = _rank_near(samples, (size + 1) // 2, guess)
                grid[i, j] = guess
            guess = grid[i, j]
        guess = grid[i, low]
    _interpolate(units, first, half, extent, step, low, high, grid, residual)


@kernel
def median_residual_kernel(units, half, reach, stride, step, residual):
    """Write `units` less their running median into all of `residual`, as `fill_residual_kernel`."""
    n = 2 * half // step + 1
    grid = np.full((n, n), -1, np.int32)
    fill_residual_kernel(units, half, reach, stride, step, half, grid, residual)


@kernel
def _interpolate(units, first, half, extent, step, left, right, grid, residual):
    """Subtract the grid, interpolated between its columns `left` to `right`.

    Along the rows of the grid first: they are few, and the loop over a row of pixels is left with one sum that the
    compiler turns into vector instructions. Whole numbers below 2^24 over a power of two: exact in float32.
    """
    one, pitch = np.uint64(1), np.uint64(step)  # unsigned, so that no index is tested for being negative
    last = np.uint64(2 * half // step)
    start, begin, side = np.uint64(left), np.uint64(half - extent), np.uint64(2 * extent + 1)
    lines = np.empty((right - left + 1, side), np.float32)
    before, after, way = np.empty(side, np.uint64), np.empty(side, np.uint64), np.empty(side, np.float32)
    for x in range(side):
        before[x] = (begin + x) // pitch
        after[x] = min(before[x] + one, last)
        way[x] = (begin + x) % pitch
    for line in range(np.uint64(len(lines))):
        for x in range(side):
            value = np.float32(grid[start + line, before[x]])
            lines[line, x] = np.float32(step) * value + way[x] * (np.float32(grid[start + line, after[x]]) - value)
    share = np.float32(1.0 / (step * step))
    offset = np.uint64(first) + begin
    for y in range(side):
        above = min((begin + y) // pitch, last - one)
        down = np.float32(begin + y - above * pitch)
        up = np.float32(step) - down
        at = above - start
        for x in range(side):
            background = np.rint((up * lines[at, x] + down * lines[at + one, x]) * share)
            residual[begin + y, begin + x] = np.float32(units[offset + y, offset + x]) - background
