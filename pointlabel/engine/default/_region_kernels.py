"""Flood from the peak through the levels, and sums over every nested region, in one pass each."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ._background_kernels import fill_residual_kernel

PITCH = 128  # of a flood's heights; a power of two, so that row and column of a place need no division
_TAKEN, _BEYOND = np.float32(-np.inf), np.float32(np.inf)  # heights that are entered no more, and beyond the extent
N_SUMS = 13
#: What `region_sums_kernel` sums up over a region, its border and its ring, in the order of its last axis.
(
    AREA, TOTAL, SQUARES, LARGEST, ROW_OFFSETS, COLUMN_OFFSETS, EDGES, INWARD_STEPS, WEAK_EDGES,
    RING_AREA, RING_TOTAL, RING_SQUARES, AT_BORDER,
) = range(N_SUMS)  # fmt: skip


@kernel
def flood_kernel(residual, inside, row, column, thresholds, extent, level_of, queue, heights, box):
    """Lowest index a such that a pixel is 8-connected to the peak through pixels >= thresholds[a].

    Returns whether the flood ended within `extent` pixels of the peak; else nothing that it wrote counts.
    `thresholds` (L,) falls; `level_of` (S, S) uint8 gets a, or L where the pixel is never reached, `box` the
    (top, bottom, left, right) of what is reached. Pixels wait in one list a level; each is entered once, when
    the flood first touches it, so the cost is linear in the largest region. Scratch: `queue` (L, S * S) int32, and
    `heights` (S + 2, PITCH) float32, which hold what may be entered still.
    """
    n_levels = thresholds.shape[0]
    lowest = thresholds[n_levels - 1]
    _fence(residual, inside, row, column, extent, heights)
    around = (-PITCH - 1, -PITCH, -PITCH + 1, -1, 1, PITCH - 1, PITCH, PITCH + 1)
    counts = np.zeros(n_levels, np.int64)
    level_of[:] = n_levels
    queue[0, 0] = (row + 1) * PITCH + column + 1
    heights[row + 1, column + 1] = _TAKEN
    counts[0] = 1
    top, bottom, left, right = row, row, column, column
    flat = heights.reshape(heights.size)
    for level in range(n_levels):
        k = 0
        while k < counts[level]:
            place = queue[level, k]
            k += 1
            y, x = place // PITCH - 1, place % PITCH - 1
            level_of[y, x] = level
            top, bottom, left, right = min(top, y), max(bottom, y), min(left, x), max(right, x)
            for step in around:
                value = flat[place + step]
                if value < lowest:
                    continue
                if value == _BEYOND:
                    return False
                own = level
                while value < thresholds[own]:
                    own += 1
                flat[place + step] = _TAKEN
                queue[own, counts[own]] = place + step
                counts[own] += 1
    box[0], box[1], box[2], box[3] = top, bottom, left, right
    return True


@kernel
def _fence(residual, inside, row, column, extent, heights):
    """Copy the residual within `extent` of the peak and close it off: `_BEYOND` in the image, `_TAKEN` outside."""
    side = residual.shape[0]
    top, bottom = max(row - extent, 0), min(row + extent, side - 1)
    left, right = max(column - extent, 0), min(column + extent, side - 1)
    first, one = np.uint64(left), np.uint64(1)  # unsigned, so that no index is tested for being negative
    for y in range(np.uint64(top), np.uint64(bottom + 1)):
        for x in range(np.uint64(right - left + 1)):
            value = residual[y, first + x]
            heights[y + one, first + x + one] = value if inside[y, first + x] else _TAKEN
    for y in range(top - 1, bottom + 2):
        for x in (left - 1, right + 1):
            heights[y + 1, x + 1] = _rim(inside, y, x)
    for x in range(left, right + 1):
        for y in (top - 1, bottom + 1):
            heights[y + 1, x + 1] = _rim(inside, y, x)


@kernel
def _rim(inside, y, x):
    side = inside.shape[0]
    return _BEYOND if 0 <= y < side and 0 <= x < side and inside[y, x] else _TAKEN


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
def widen_kernel(units, sampling, k, extent, grids, extents, residual):
    """Work out the residual of scale k within `extent` pixels of the peak where it is not known so far."""
    half = residual.shape[1] // 2
    extent = min(extent, half)
    if extent > extents[k]:
        reach, stride, step = sampling[k, 0], sampling[k, 1], sampling[k, 2]
        fill_residual_kernel(units, half, reach, stride, step, extent, grids[k], residual[k])
        extents[k] = extent
