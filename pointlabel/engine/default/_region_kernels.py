"""Flood from the peak through the levels, and sums over every nested region, in one pass each."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ._background_kernels import median_rest_kernel

N_SUMS = 13
AT_BORDER = 12  # column of the sums: pixels on the window's border


@kernel
def flood_kernel(rest, inside, row, column, thresholds, level_of, queue, box):
    """Lowest index a such that a pixel is 8-connected to the peak through pixels >= thresholds[a].

    `thresholds` (L,) falls; `level_of` (S, S) uint8 gets a, or L where the pixel is never reached, `box` the
    (top, bottom, left, right) of what is reached. Pixels wait in one list a level; each is entered once, when
    the flood first touches it, so the cost is linear in the largest region. `queue` (L, S * S) int32 is scratch.
    """
    n_levels = thresholds.shape[0]
    side = rest.shape[0]
    untouched = n_levels + 1
    counts = np.zeros(n_levels, np.int64)
    level_of[:] = untouched
    level_of[row, column] = 0
    queue[0, 0] = row * side + column
    counts[0] = 1
    box[0] = box[1] = row
    box[2] = box[3] = column
    for level in range(n_levels):
        k = 0
        while k < counts[level]:
            y = queue[level, k] // side
            x = queue[level, k] % side
            k += 1
            box[0] = min(box[0], y)
            box[1] = max(box[1], y)
            box[2] = min(box[2], x)
            box[3] = max(box[3], x)
            for v in range(max(y - 1, 0), min(y + 2, side)):
                for u in range(max(x - 1, 0), min(x + 2, side)):
                    if level_of[v, u] != untouched or not inside[v, u]:
                        continue
                    value = rest[v, u]
                    own = level
                    while own < n_levels and value < thresholds[own]:
                        own += 1
                    level_of[v, u] = own
                    if own < n_levels:
                        queue[own, counts[own]] = v * side + u
                        counts[own] += 1
    for y in range(side):
        for x in range(side):
            if level_of[y, x] == untouched:
                level_of[y, x] = n_levels


@kernel
def _lower_3x3(source, scratch, out):
    """Minimum over the 3 x 3 block (clipped), rows then columns: dilates every nested region by one pixel at once."""
    height, width = source.shape
    for y in range(height):
        for x in range(width):
            scratch[y, x] = source[y, x]
        for x in range(width - 1):
            scratch[y, x] = min(scratch[y, x], source[y, x + 1])
        for x in range(1, width):
            scratch[y, x] = min(scratch[y, x], source[y, x - 1])
    for y in range(height):
        above, below = scratch[max(y - 1, 0)], scratch[min(y + 1, height - 1)]
        for x in range(width):
            out[y, x] = min(min(above[x], below[x]), scratch[y, x])


@kernel
def region_sums_kernel(rest, level_of, box, n_levels, weak_step, row, column, sums):
    """Sums over each nested region, its border and its ring, `sums` (L, N_SUMS) float64.

    Columns: 0 area, 1 sum, 2 sum of squares, 3 largest value, 4 sum of row offsets, 5 of column offsets,
    6 border edges (4-neighbours), 7 sum of inward steps, 8 edges with a step below `weak_step`,
    9 ring area, 10 ring sum, 11 ring sum of squares, 12 pixels on the window's border.
    The ring lies 2 to 3 px outside. All sums are of whole numbers, hence exact in any order.
    """
    side = rest.shape[0]
    sums[:] = 0.0
    sums[:, 3] = -1e9
    top, bottom = max(box[0] - 3, 0), min(box[1] + 4, side)
    left, right = max(box[2] - 3, 0), min(box[3] + 4, side)
    shape = (bottom - top, right - left)
    scratch, one = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    two, three = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    for y in range(top, bottom):
        for x in range(left, right):
            two[y - top, x - left] = level_of[y, x]
    _lower_3x3(two, scratch, one)
    _lower_3x3(one, scratch, two)
    _lower_3x3(two, scratch, three)
    for y in range(top, bottom):
        for x in range(left, right):
            far = three[y - top, x - left]
            if far >= n_levels:
                continue
            value = np.float64(rest[y, x])  # float() would keep the 32 bits, too few for squares
            a = level_of[y, x]
            if a < n_levels:
                sums[a, 0] += 1
                sums[a, 1] += value
                sums[a, 2] += value * value
                sums[a, 3] = max(sums[a, 3], value)
                sums[a, 4] += y - row
                sums[a, 5] += x - column
                if y == 0 or x == 0 or y == side - 1 or x == side - 1:
                    sums[a, 12] += 1
            for turn in range(2):
                v = y + turn
                u = x + 1 - turn
                if v >= side or u >= side:
                    continue
                b = level_of[v, u]
                step = value - rest[v, u] if a < b else rest[v, u] - value
                for level in range(min(a, b), max(a, b)):
                    sums[level, 6] += 1
                    sums[level, 7] += step
                    if step < weak_step:
                        sums[level, 8] += 1
            for level in range(far, min(one[y - top, x - left], n_levels)):
                sums[level, 9] += 1
                sums[level, 10] += value
                sums[level, 11] += value * value
    for level in range(1, n_levels):
        for k in (0, 1, 2, 4, 5, 12):
            sums[level, k] += sums[level - 1, k]
        sums[level, 3] = max(sums[level, 3], sums[level - 1, 3])


@kernel
def shared_area_kernel(level_a, level_b, box, n_levels, out):
    """Pixels that two families of nested regions share at each level, `out` (L,) float64."""
    out[:] = 0.0
    for y in range(box[0], box[1] + 1):
        for x in range(box[2], box[3] + 1):
            deeper = max(level_a[y, x], level_b[y, x])
            if deeper < n_levels:
                out[deeper] += 1
    for level in range(1, n_levels):
        out[level] += out[level - 1]


@kernel
def grow_kernel(units, inside, sampling, levels, least, weak_step, rest, level_of, contrast, sums, shared):
    """Every scale's background, flood and sums in one call: what each call of its own costs adds up.

    `sampling` (K, 3) holds reach, stride and step of `median_rest_kernel`; no region is cut below `least`;
    `weak_step` is a share of the contrast. Writes `rest`, `level_of` (K, S, S), `contrast` (K,),
    `sums` (K, L, N_SUMS) and `shared` (K - 1 or more, L).
    """
    n_scales, side = rest.shape[0], rest.shape[1]
    half = side // 2
    n_levels = levels.shape[0]
    queue = np.empty((n_levels, side * side), np.int32)
    boxes = np.empty((n_scales, 4), np.int64)
    thresholds = np.empty(n_levels)
    for k in range(n_scales):
        median_rest_kernel(units, half, sampling[k, 0], sampling[k, 1], sampling[k, 2], rest[k])
        peak = np.float64(rest[k, half, half])
        contrast[k] = peak
        for a in range(n_levels):  # two units of slack: a tie in the image's own grey levels stays a tie
            thresholds[a] = min(max(levels[a] * peak - 2, least), peak)
        flood_kernel(rest[k], inside, half, half, thresholds, level_of[k], queue, boxes[k])
        region_sums_kernel(rest[k], level_of[k], boxes[k], n_levels, weak_step * peak, half, half, sums[k])
    for k in range(n_scales - 1):
        shared_area_kernel(level_of[k], level_of[k + 1], boxes[k], n_levels, shared[k])
