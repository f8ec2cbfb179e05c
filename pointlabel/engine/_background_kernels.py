"""Running medians on a coarse grid, interpolated between."""

from __future__ import annotations

import numpy as np
from numba import njit

from ._window_kernels import rank_of


@njit(cache=True)
def median_rest_kernel(units, half, reach, stride, step, rest):
    """Write `units` (S, S) int32 less their running median about the centre into `rest` (2 half + 1)^2 float32.

    The median over offsets -reach..reach by `stride` is taken on a grid of pitch `step` and interpolated
    linearly between. All three divide evenly, so the grid is symmetric about the centre pixel.
    """
    centre = units.shape[0] // 2
    n = 2 * half // step + 1
    grid = np.empty((n, n), np.int64)
    buffer = np.empty((2 * reach // stride + 1) ** 2, np.int32)
    for i in range(n):
        for j in range(n):
            row = centre - half + i * step
            column = centre - half + j * step
            k = 0
            for y in range(row - reach, row + reach + 1, stride):
                for x in range(column - reach, column + reach + 1, stride):
                    buffer[k] = units[y, x]
                    k += 1
            grid[i, j] = rank_of(buffer, k, (k + 1) // 2)
    side = 2 * half + 1
    area = float(step * step)
    for y in range(side):
        i = min(y // step, n - 2)
        b = y - i * step
        a = step - b
        for x in range(side):
            j = min(x // step, n - 2)
            d = x - j * step
            c = step - d
            # whole numbers throughout, so the sum is exact in whatever order; one division at the end
            total = a * (c * grid[i, j] + d * grid[i, j + 1]) + b * (c * grid[i + 1, j] + d * grid[i + 1, j + 1])
            rest[y, x] = units[centre - half + y, centre - half + x] - np.rint(total / area)
