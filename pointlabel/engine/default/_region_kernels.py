"""Flood from the peak through the levels, and sums over every nested region, in one pass each."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ._background_kernels import fill_residual_kernel

#: The background is worked out within so many pixels of the peak at first; most floods end there.
_FIRST_EXTENT = 8
#: How far beyond a region its sums look: the ring lies 2 to 3 px outside, and steps lead one pixel further.
_BEYOND = 4
N_SUMS = 13
#: What `region_sums_kernel` sums up over a region, its border and its ring, in the order of its last axis.
(
    AREA, TOTAL, SQUARES, LARGEST, ROW_OFFSETS, COLUMN_OFFSETS, EDGES, INWARD_STEPS, WEAK_EDGES,
    RING_AREA, RING_TOTAL, RING_SQUARES, AT_BORDER,
) = range(N_SUMS)  # fmt: skip


@kernel
def flood_kernel(residual, inside, row, column, thresholds, extent, level_of, queue, box):
    """Lowest index a such that a pixel is 8-connected to the peak through pixels >= thresholds[a].

    Returns whether the flood ended within `extent` pixels of the peak; else nothing that it wrote counts.
    `thresholds` (L,) falls; `level_of` (S, S) uint8 gets a, or L where the pixel is never reached, `box` the
    (top, bottom, left, right) of what is reached. Pixels wait in one list a level; each is entered once, when
    the flood first touches it, so the cost is linear in the largest region. `queue` (L, S * S) int32 is scratch.
    """
    n_levels = thresholds.shape[0]
    side = residual.shape[0]
    lowest = thresholds[n_levels - 1]
    counts = np.zeros(n_levels, np.int64)
    level_of[:] = n_levels
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
                    if level_of[v, u] != n_levels or not inside[v, u]:
                        continue
                    if max(abs(v - row), abs(u - column)) > extent:
                        return False
                    value = residual[v, u]
                    if value < lowest:
                        continue
                    own = level
                    while value < thresholds[own]:
                        own += 1
                    level_of[v, u] = own
                    queue[own, counts[own]] = v * side + u
                    counts[own] += 1
    return True


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
def region_sums_kernel(residual, level_of, box, n_levels, weak_step, row, column, sums):
    """Sums over each nested region, its border and its ring, `sums` (L, N_SUMS) float64.

    Columns: area, sum, sum of squares, largest value, sum of row offsets, of column offsets, border edges
    (4-neighbours), sum of inward steps, edges with a step below `weak_step`, ring area, ring sum, ring sum of squares,
    pixels on the window's border. The ring lies 2 to 3 px outside. All sums are of whole numbers, exact in any order:
    each pixel and each edge counts at the first level it belongs to, is taken off where it belongs no more, and the
    rows are added up at last.
    """
    side = residual.shape[0]
    sums[:] = 0.0
    sums[:, LARGEST] = -1e9
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
            value = np.float64(residual[y, x])  # float() would keep the 32 bits, too few for squares
            a = level_of[y, x]
            if a < n_levels:
                sums[a, AREA] += 1
                sums[a, TOTAL] += value
                sums[a, SQUARES] += value * value
                sums[a, LARGEST] = max(sums[a, LARGEST], value)
                sums[a, ROW_OFFSETS] += y - row
                sums[a, COLUMN_OFFSETS] += x - column
                if y == 0 or x == 0 or y == side - 1 or x == side - 1:
                    sums[a, AT_BORDER] += 1
            for turn in range(2):
                v = y + turn
                u = x + 1 - turn
                if v >= side or u >= side:
                    continue
                b = level_of[v, u]
                if a == b:
                    continue
                low, high = min(a, b), max(a, b)
                step = value - residual[v, u] if a < b else residual[v, u] - value
                weak = 1.0 if step < weak_step else 0.0
                sums[low, EDGES] += 1
                sums[low, INWARD_STEPS] += step
                sums[low, WEAK_EDGES] += weak
                if high < n_levels:
                    sums[high, EDGES] -= 1
                    sums[high, INWARD_STEPS] -= step
                    sums[high, WEAK_EDGES] -= weak
            near = one[y - top, x - left]
            if far < near:
                sums[far, RING_AREA] += 1
                sums[far, RING_TOTAL] += value
                sums[far, RING_SQUARES] += value * value
                if near < n_levels:
                    sums[near, RING_AREA] -= 1
                    sums[near, RING_TOTAL] -= value
                    sums[near, RING_SQUARES] -= value * value
    for level in range(1, n_levels):
        largest = max(sums[level, LARGEST], sums[level - 1, LARGEST])
        for k in range(N_SUMS):
            sums[level, k] += sums[level - 1, k]
        sums[level, LARGEST] = largest


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
def grow_kernel(
    units, inside, sampling, levels, least, weak_step, grids, extents, residual, level_of, contrast, sums, shared
):
    """Every scale's background, flood and sums in one call: what each call of its own costs adds up.

    `sampling` (K, 3) holds reach, stride and step of `fill_residual_kernel`; no region is cut below `least`;
    `weak_step` is a share of the contrast. Writes `level_of` (K, S, S), `contrast` (K,), `sums` (K, L, N_SUMS) and
    `shared` (K - 1 or more, L); and of each scale the `residual` (K, S, S) within `extents` (K,) pixels of the peak,
    which is as far as floods and sums look, with its medians in `grids` (K, n, n). Before, `extents` are 0 and `grids`
    -1.
    """
    n_scales, side = residual.shape[0], residual.shape[1]
    half = side // 2
    n_levels = levels.shape[0]
    queue = np.empty((n_levels, side * side), np.int32)
    boxes = np.empty((n_scales, 4), np.int64)
    thresholds = np.empty(n_levels)
    for k in range(n_scales):
        widen_kernel(units, sampling, k, _FIRST_EXTENT, grids, extents, residual)
        peak = np.float64(residual[k, half, half])
        contrast[k] = peak
        for a in range(n_levels):  # two units of slack: a tie in the image's own grey levels stays a tie
            thresholds[a] = min(max(levels[a] * peak - 2, least), peak)
        box = boxes[k]
        while not flood_kernel(residual[k], inside, half, half, thresholds, extents[k], level_of[k], queue, box):
            widen_kernel(units, sampling, k, 2 * extents[k], grids, extents, residual)
        reached = max(max(half - box[0], box[1] - half), max(half - box[2], box[3] - half))
        widen_kernel(units, sampling, k, reached + _BEYOND, grids, extents, residual)
        region_sums_kernel(residual[k], level_of[k], box, n_levels, weak_step * peak, half, half, sums[k])
    for k in range(n_scales - 1):
        shared_area_kernel(level_of[k], level_of[k + 1], boxes[k], n_levels, shared[k])


@kernel
def widen_kernel(units, sampling, k, extent, grids, extents, residual):
    """Work out the residual of scale k within `extent` pixels of the peak where it is not known so far."""
    half = residual.shape[1] // 2
    extent = min(extent, half)
    if extent > extents[k]:
        reach, stride, step = sampling[k, 0], sampling[k, 1], sampling[k, 2]
        fill_residual_kernel(units, half, reach, stride, step, extent, grids[k], residual[k])
        extents[k] = extent
