"""Running medians on a coarse grid, interpolated between."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel

_MIDDLE = 32768  # units less this fit 16 bits with their sign, twice as many to a vector register as 32 bits
_LANES = 64  # samples are padded to a multiple of this, so that no scalar remainder of the counting loop is left
_FIRST_STEP = 64


@kernel
def _rank_near(values, rank, guess):
    """The `rank`-th smallest (from 1) of int16 `values`, less -_MIDDLE: bisection in a bracket grown from `guess`."""
    low, high = 0, 2 * _MIDDLE - 1
    middle, step = guess, _FIRST_STEP
    while low < high:
        pivot = np.int16(middle - _MIDDLE)
        count = np.int16(0)  # narrow on purpose: a wider sum would widen the comparisons too
        for i in range(values.shape[0]):
            count = np.int16(count + np.int16(values[i] <= pivot))
        if count >= rank:
            high = middle
            middle = max((low + high) >> 1, middle - step)
        else:
            low = middle + 1
            middle = min((low + high) >> 1, middle + step)
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
    samples = np.full((size + _LANES - 1) // _LANES * _LANES, np.int16(_MIDDLE - 1), np.int16)
    guess = _MIDDLE
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

    Whole numbers below 2^24 over a power of two: exact in float32.
    """
    last = 2 * half // step
    share = np.float32(1.0 / (step * step))
    line = np.empty(last + 1, np.int32)
    low = np.empty(last * step + 1, np.float32)
    begin, end = half - extent, half + extent
    for y in range(begin, end + 1):
        i = min(y // step, last - 1)
        b = y - i * step
        for j in range(left, right + 1):
            line[j] = (step - b) * grid[i, j] + b * grid[i + 1, j]
        for j in range(left, right):
            slope = line[j + 1] - line[j]
            for d in range(step):
                low[j * step + d] = np.float32(step * line[j] + d * slope)
        low[right * step] = np.float32(step * line[right])
        for x in range(begin, end + 1):
            residual[y, x] = np.float32(units[first + y, first + x]) - np.rint(low[x] * share)
