"""Compiled sums over all pairs of pixels through the modes of the Gaussian of their distance (`modes`)."""

import numpy as np

from ...compiled import kernel

#: Modes below this share of the largest are left out, and so are steps of the grey level that weigh less.
LEAST = 1e-9


@kernel
def list_levels_kernel(grey, levels, index):
    """List the grey levels that occur in `grey` (h, w) int64, ascending, and each pixel's place in the list.

    Returns how many there are.
    """
    height, width = grey.shape
    place = np.full(256, -1, np.int64)
    for i in range(height):
        for j in range(width):
            place[grey[i, j]] = 0
    count = 0
    for level in range(256):
        if place[level] == 0:
            place[level], levels[count] = count, level
            count += 1
    for i in range(height):
        for j in range(width):
            index[i, j] = place[grey[i, j]]
    return count


@kernel(fastmath={"contract", "reassoc"})
def mode_sum_kernel(levels, index, rows, columns, by_step, moments, spread, values, out):
    """out_i = sum over all j, i itself too, of k_ij values_j, as `_crf_kernels.pair_sum_kernel` gives it.

    The values' moments are collected for each grey level and mode, spread over the levels by their Gaussian, and read
    back at each pixel.

    `levels` (L,) and `index` (h, w) from `list_levels_kernel`; `rows` (h, R) and `columns` (w, R) from `modes_of`;
    `by_step` (256,) the Gaussian of the step; `moments` and `spread` (L, R) are room.
    """
    height, width = index.shape
    n_levels, n_modes = moments.shape
    reach = 0
    while reach < 255 and by_step[reach + 1] >= LEAST:
        reach += 1
    moments[:] = 0.0
    for i in range(height):
        across = rows[i]
        for j in range(width):
            value, along, mine = values[i, j], columns[j], moments[index[i, j]]
            for r in range(n_modes):
                mine[r] += value * across[r] * along[r]
    low = high = 0
    for level in range(n_levels):
        mine = spread[level]
        mine[:] = 0.0
        while levels[level] - levels[low] > reach:
            low += 1
        while high < n_levels and levels[high] - levels[level] <= reach:
            high += 1
        other = low
        while other + 4 <= high:  # four at a time: what is reached so far is then read and written a quarter as often
            w0 = by_step[abs(levels[other] - levels[level])]
            w1 = by_step[abs(levels[other + 1] - levels[level])]
            w2 = by_step[abs(levels[other + 2] - levels[level])]
            w3 = by_step[abs(levels[other + 3] - levels[level])]
            m0, m1, m2, m3 = moments[other], moments[other + 1], moments[other + 2], moments[other + 3]
            for r in range(n_modes):
                mine[r] += (w0 * m0[r] + w1 * m1[r]) + (w2 * m2[r] + w3 * m3[r])
            other += 4
        while other < high:
            weight, theirs = by_step[abs(levels[other] - levels[level])], moments[other]
            for r in range(n_modes):
                mine[r] += weight * theirs[r]
            other += 1
    for i in range(height):
        across = rows[i]
        for j in range(width):
            along, mine = columns[j], spread[index[i, j]]
            total = 0.0
            for r in range(n_modes):
                total += mine[r] * across[r] * along[r]
            out[i, j] = total
