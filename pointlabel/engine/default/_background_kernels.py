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
def median_residual_kernel(units, half, reach, stride, step, residual):
    """Write `units` (S, S) int32 less their running median about the centre into `residual` (2 half + 1)^2 float32.

    The median over offsets -reach..reach by `stride` is taken on a grid of pitch `step`, a multiple of `stride`, and
    interpolated linearly between. All three divide evenly, so the grid is symmetric about the centre pixel.

    From one grid point to the next only the samples of some columns change, and the median hardly: the columns
    that leave are overwritten, and the search starts from the median before.
    """
    first = units.shape[0] // 2 - half
    n = 2 * half // step + 1
    side, jump = 2 * reach // stride + 1, step // stride
    size = side * side
    grid = np.empty((n, n), np.int32)
    lattice = np.empty((2 * (half + reach) // stride + 1, 2 * (half + reach) // stride + 1), np.int16)
    for y in range(lattice.shape[0]):
        for x in range(lattice.shape[0]):
            lattice[x, y] = np.int16(units[first - reach + y * stride, first - reach + x * stride] - _MIDDLE)
    samples = np.full((size + _LANES - 1) // _LANES * _LANES, np.int16(_MIDDLE - 1), np.int16)
    guess = _MIDDLE
    for i in range(n):
        top = i * jump
        known = 0
        for j in range(n):
            for x in range(known, j * jump + side):
                at = x % side * side
                for y in range(side):
                    samples[at + y] = lattice[x, top + y]
            known = j * jump + side
            guess = _rank_near(samples, (size + 1) // 2, guess)
            grid[i, j] = guess
        guess = grid[i, 0]
    _interpolate(units, first, step, grid, residual)


@kernel
def _interpolate(units, first, step, grid, residual):
    """Subtract the grid, interpolated. Whole numbers below 2^24 over a power of two: exact in float32."""
    n = grid.shape[0]
    share = np.float32(1.0 / (step * step))
    line = np.empty(n, np.int32)
    low = np.empty((n - 1) * step + 1, np.float32)
    for y in range(residual.shape[0]):
        i = min(y // step, n - 2)
        b = y - i * step
        for j in range(n):
            line[j] = (step - b) * grid[i, j] + b * grid[i + 1, j]
        for j in range(n - 1):
            slope = line[j + 1] - line[j]
            for d in range(step):
                low[j * step + d] = np.float32(step * line[j] + d * slope)
        low[(n - 1) * step] = np.float32(step * line[n - 1])
        for x in range(residual.shape[1]):
            residual[y, x] = np.float32(units[first + y, first + x]) - np.rint(low[x] * share)
