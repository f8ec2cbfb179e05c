"""Compiled core of the superpixels: SLIC (Achanta et al., 2012) on one window, cell and maxima of a point.

Means come from integer sums, positions are counted from the window's centre, and a pixel as near to two
clusters as to one belongs to both, so that flips and transposition of the window carry over bit for bit.
"""

import math

import numpy as np

from ..compiled import kernel

#: Times a power of two, its upper five of 32 bits tell which power: every pattern of five bits occurs once.
DE_BRUIJN = 0x077CB531


@kernel
def _claim(d, bit, best, owners):
    """Smallest distance and owners after one more cluster; ties own a pixel together."""
    nearer = d < best
    return (d if nearer else best), (bit if nearer else (owners | bit if d == best else owners))


@kernel
def _assign(levels, rows, columns, bit, c, best, owners):
    """Let four clusters, rows of `c`, claim the pixels that they are nearest to.

    Four at a time, so that what a pixel has reached stays in registers.
    """
    l0, y0, x0, l1, y1, x1 = c[0, 0], c[0, 1], c[0, 2], c[1, 0], c[1, 1], c[1, 2]
    l2, y2, x2, l3, y3, x3 = c[2, 0], c[2, 1], c[2, 2], c[3, 0], c[3, 1], c[3, 2]
    bit0, bit1, bit2, bit3 = bit, np.int32(bit * 2), np.int32(bit * 4), np.int32(bit * 8)
    for q in range(levels.size):
        level, y, x = levels[q], rows[q], columns[q]
        d0 = (level - l0) * (level - l0) + ((y - y0) * (y - y0) + (x - x0) * (x - x0))
        d1 = (level - l1) * (level - l1) + ((y - y1) * (y - y1) + (x - x1) * (x - x1))
        d2 = (level - l2) * (level - l2) + ((y - y2) * (y - y2) + (x - x2) * (x - x2))
        d3 = (level - l3) * (level - l3) + ((y - y3) * (y - y3) + (x - x3) * (x - x3))
        nearest, mine = _claim(d0, bit0, best[q], owners[q])
        nearest, mine = _claim(d1, bit1, nearest, mine)
        nearest, mine = _claim(d2, bit2, nearest, mine)
        nearest, mine = _claim(d3, bit3, nearest, mine)
        best[q] = nearest
        owners[q] = mine


@kernel
def slic_kernel(units, scale, n_rows, n_columns, row, column, with_point, compactness, n_iter, owners_out):
    """Cluster a window by intensity and position; return the number of iterations.

    The clusters start on `n_rows` x `n_columns` equal rectangles, with one more at the pixel (row, column)
    where `with_point`. `owners_out` (h, w) int32 gets a bit for each cluster that owns the pixel.
    Distance^2 = (I - mean)^2 + (compactness / S)^2 (squared distance in pixels), S = sqrt(h w / clusters on the grid).
    """
    height, width = units.shape
    n = height * width
    n_grid = n_rows * n_columns
    n_clusters = n_grid + (1 if with_point else 0)
    # positions are whole numbers of half pixels from the window's centre
    pull = np.float32(0.5 * compactness / math.sqrt(n / n_grid))
    gain = np.float32(1.0 / scale)
    levels = np.empty(n, np.float32)
    rows = np.empty(n, np.float32)
    columns = np.empty(n, np.float32)
    for i in range(height):
        for j in range(width):
            q = i * width + j
            levels[q] = gain * np.float32(units[i, j])
            rows[q] = pull * np.float32(2 * i - (height - 1))
            columns[q] = pull * np.float32(2 * j - (width - 1))

    n_slots = (n_clusters + 3) // 4 * 4
    centre = np.empty((n_slots, 3), np.float32)
    for k in range(n_slots):
        for m in range(3):
            centre[k, m] = 1e9  # slots without a cluster are near to nothing
    for a in range(n_rows):
        top, bottom = a * height // n_rows, ((a + 1) * height + n_rows - 1) // n_rows
        for b in range(n_columns):
            left, right = b * width // n_columns, ((b + 1) * width + n_columns - 1) // n_columns
            total = np.int64(0)
            for i in range(top, bottom):
                for j in range(left, right):
                    total += units[i, j]
            k = a * n_columns + b
            centre[k, 0] = total / (scale * ((bottom - top) * (right - left)))
            centre[k, 1] = pull * np.float32((2 * a + 1 - n_rows) * (height / n_rows))
            centre[k, 2] = pull * np.float32((2 * b + 1 - n_columns) * (width / n_columns))
    if with_point:
        q = row * width + column
        centre[n_grid, 0], centre[n_grid, 1], centre[n_grid, 2] = levels[q], rows[q], columns[q]

    best = np.empty(n, np.float32)
    owners = np.zeros(n, np.int32)
    before = np.zeros(n, np.int32)
    places = np.empty(32, np.uint8)  # of a bit, by its product with a de Bruijn sequence
    for k in range(32):
        places[(np.int64(1 << k) * DE_BRUIJN) >> 27 & 31] = k
    sums = np.empty((n_clusters, 4), np.int64)
    done = 0
    for _ in range(n_iter):
        for q in range(n):
            best[q] = np.inf
            before[q] = owners[q]
            owners[q] = 0
        for k in range(0, n_slots, 4):
            _assign(levels, rows, columns, np.int32(1 << k), centre[k : k + 4], best, owners)
        done += 1
        changed = 0
        for q in range(n):
            changed += owners[q] != before[q]
        if changed == 0 or done == n_iter:
            break
        for k in range(n_clusters):
            for m in range(4):
                sums[k, m] = 0
        for i in range(height):
            y = 2 * i - (height - 1)
            for j in range(width):
                x = 2 * j - (width - 1)
                owner = owners[i * width + j]
                if owner & (owner - 1) == 0:  # one owner only: the place of its bit
                    k = places[(np.int64(owner) * DE_BRUIJN) >> 27 & 31]
                    sums[k, 0] += 1
                    sums[k, 1] += units[i, j]
                    sums[k, 2] += y
                    sums[k, 3] += x
                else:
                    for k in range(n_clusters):
                        if owner >> k & 1:
                            sums[k, 0] += 1
                            sums[k, 1] += units[i, j]
                            sums[k, 2] += y
                            sums[k, 3] += x
        for k in range(n_clusters):
            if sums[k, 0] > 0:
                centre[k, 0] = sums[k, 1] / (scale * sums[k, 0])
                centre[k, 1] = pull * np.float32(sums[k, 2] / sums[k, 0])
                centre[k, 2] = pull * np.float32(sums[k, 3] / sums[k, 0])
    for i in range(height):
        for j in range(width):
            owners_out[i, j] = owners[i * width + j]
    return done


@kernel
def connected_kernel(member, row, column, out):
    """Write the 8-connected part of `member` that holds (row, column) into `out`; return its size."""
    height, width = member.shape
    for i in range(height):
        for j in range(width):
            out[i, j] = False
    if not member[row, column]:
        return 0
    stack = np.empty(height * width, np.int32)
    stack[0] = row * width + column
    out[row, column] = True
    n, size = 1, 1
    while n > 0:
        n -= 1
        i, j = stack[n] // width, stack[n] % width
        for y in range(max(i - 1, 0), min(i + 2, height)):
            for x in range(max(j - 1, 0), min(j + 2, width)):
                if member[y, x] and not out[y, x]:
                    out[y, x] = True
                    stack[n] = y * width + x
                    n += 1
                    size += 1
    return size


@kernel
def source_kernel(units, cell, row, column, n_sources, n_std, half, out):
    """Put one unit of heat on the point and on up to `n_sources` local maxima of its cell.

    A maximum is no less than any pixel of the (2 half + 1)^2 around it and lies above the cell's mean plus
    `n_std` deviations. The brightest ones are taken; those that tie for the last place are all taken.
    Returns the number of maxima.
    """
    height, width = units.shape
    n, total, squares = 0, 0.0, 0.0
    sum_units, sum_squares = np.int64(0), np.int64(0)
    for i in range(height):
        for j in range(width):
            out[i, j] = 0.0
            if cell[i, j]:
                value = np.int64(units[i, j])
                n += 1
                sum_units += value
                sum_squares += value * value
    out[row, column] = 1.0
    if n == 0 or n_sources == 0:
        return 0
    total, squares = sum_units / n, sum_squares / n
    least = total + n_std * math.sqrt(max(squares - total * total, 0.0))
    maxima = np.zeros(n, np.int32)
    places = np.zeros(n, np.int32)
    found = 0
    for i in range(height):
        for j in range(width):
            value = units[i, j]
            if not cell[i, j] or value <= least:
                continue
            highest = True
            for y in range(max(i - half, 0), min(i + half + 1, height)):
                for x in range(max(j - half, 0), min(j + half + 1, width)):
                    if units[y, x] > value:
                        highest = False
            if highest:
                maxima[found], places[found] = value, i * width + j
                found += 1
    taken = 0
    for k in range(found):
        brighter = 0
        for other in range(found):
            brighter += maxima[other] > maxima[k]
        if brighter < n_sources:
            out[places[k] // width, places[k] % width] = 1.0
            taken += 1
    return taken
