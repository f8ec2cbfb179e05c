"""Compiled core of the dense CRF (Krähenbühl and Koltun, 2011): sums over all pairs of pixels, and mean field."""

import math

import numpy as np

from ...compiled import kernel
from ._mode_kernels import list_levels_kernel, mode_sum_kernel

#: Rows that are added up in one go: what is reached so far is then read and written a quarter as often.
ROWS = 4


@kernel
def sort_kernel(grey, levels, rows, columns):
    """List the pixels of `grey` (h, w) int64 in 0 .. 255 by their grey level, in raster order within a level."""
    height, width = grey.shape
    starts = np.zeros(257, np.int64)
    for i in range(height):
        for j in range(width):
            starts[grey[i, j] + 1] += 1
    for level in range(256):
        starts[level + 1] += starts[level]
    for i in range(height):
        for j in range(width):
            place = starts[grey[i, j]]
            starts[grey[i, j]] += 1
            levels[place], rows[place], columns[place] = grey[i, j], i, j


@kernel
def dot_kernel(a, b):
    """Sum of the products of two vectors of equal length, four sums side by side."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    n = len(a) // 4 * 4
    for k in range(0, n, 4):
        s0 += a[k] * b[k]
        s1 += a[k + 1] * b[k + 1]
        s2 += a[k + 2] * b[k + 2]
        s3 += a[k + 3] * b[k + 3]
    for k in range(n, len(a)):
        s0 += a[k] * b[k]
    return (s0 + s1) + (s2 + s3)


@kernel
def pair_sum_kernel(grey, order, near_rows, near_columns, by_step, values, out):
    """out_i = sum over all j, i itself too, of k_ij values_j.

    k_ij = by_distance[|dy|] by_distance[|dx|] by_step[|dI|]. For pixel (i, j) of level l the sum is
    sum_x near[j - x] (sum_y near[i - y] by_step[I_yx - l] v_yx), whose inner sums are the same for all pixels
    of one row and one level: about half as many as pixels in real windows.

    `grey` (h, w) int64 in 0 .. 255; `order` (3, h w) from `sort_kernel`: levels, rows, columns. `near_rows` (2 h - 1,)
    and `near_columns` (2 w - 1,) are the Gaussian of the distance mirrored about their middle, `by_step` (511,) that
    of the step in grey levels.
    """
    height, width = grey.shape
    levels, rows, columns = order[0], order[1], order[2]
    padded = (height + ROWS - 1) // ROWS * ROWS
    weighted = np.zeros((padded, width))
    weights = np.zeros(padded)
    sums = np.empty(width)
    level = row = -1
    for k in range(levels.size):
        if levels[k] != level:
            level, row = int(levels[k]), -1
            steps = by_step[255 - level : 511 - level]
            for y in range(height):
                for x in range(width):
                    weighted[y, x] = steps[grey[y, x]] * values[y, x]
        if rows[k] != row:
            row = int(rows[k])
            for y in range(height):
                weights[y] = near_rows[height - 1 + y - row]
            for x in range(width):
                sums[x] = 0.0
            for y in range(0, padded, ROWS):
                w0, w1, w2, w3 = weights[y], weights[y + 1], weights[y + 2], weights[y + 3]
                r0, r1, r2, r3 = weighted[y], weighted[y + 1], weighted[y + 2], weighted[y + 3]
                for x in range(width):
                    sums[x] += (w0 * r0[x] + w1 * r1[x]) + (w2 * r2[x] + w3 * r3[x])
        first = width - 1 - columns[k]
        out[row, columns[k]] = dot_kernel(near_columns[first : first + width], sums)


@kernel
def blur_kernel(near_rows, near_columns, values, out):
    """out_i = sum over all j of by_distance[|dy|] by_distance[|dx|] values_j, by two passes of one axis each.

    Beyond the window there is nothing. `near_rows`, `near_columns` as in `pair_sum_kernel`.
    """
    height, width = values.shape
    sums = np.empty(width)
    for i in range(height):
        sums[:] = 0.0
        for y in range(height):
            weight, theirs = near_rows[height - 1 + y - i], values[y]
            for x in range(width):
                sums[x] += weight * theirs[x]
        mine = out[i]
        mine[:] = 0.0
        for x in range(width):
            value, weights = sums[x], near_columns[width - 1 - x : 2 * width - 1 - x]
            for j in range(width):
                mine[j] += value * weights[j]


@kernel
def mirrored(by_distance, size):
    """Table of the distances -(size - 1) .. size - 1 from the table of 0 .. size - 1."""
    out = np.empty(2 * size - 1)
    for k in range(size):
        out[size - 1 - k] = out[size - 1 + k] = by_distance[k]
    return out


@kernel
def bilateral_sum_kernel(grey, pairs, modes, values, out):
    """Sum over all pixels by the modes where there are any, else by the pixels themselves."""
    if modes[2].shape[1] > 0:
        mode_sum_kernel(*modes, values, out)
    else:
        pair_sum_kernel(grey, *pairs, values, out)


@kernel
def mean_field_kernel(
    probability, grey, by_distance, modes, by_step, compatibility, by_near, smooth_compatibility, n_iter
):
    """Mean-field inference for two labels, in place: `probability` (h, w) of the second one, in (0, 1).

    What comes in is its probability without any pairs. The pairs weigh `compatibility` times the Gaussian of the
    distance (table `by_distance`, and its `modes`, (h, R) and (w, R), where they are few) and the grey step (`by_step`,
    (256,)), and `smooth_compatibility` times the Gaussian of the distance alone (`by_near`). Each of the two is
    normalised symmetrically, n_i k_ij n_j with n_i = 1 / sqrt(sum_j k_ij), and labels that agree are favoured (Potts).
    """
    height, width = grey.shape
    if n_iter == 0:
        return
    unary = np.log(probability / (1.0 - probability))
    near_rows, near_columns = mirrored(by_near, height), mirrored(by_near, width)
    column_sums = np.empty(width)
    for j in range(width):
        column_sums[j] = near_columns[width - 1 - j : 2 * width - 1 - j].sum()
    norm, smooth_norm = np.empty((height, width)), np.empty((height, width))
    values, message = np.ones((height, width)), np.zeros((height, width))
    smooth_message = np.zeros((height, width))
    n_modes = modes[0].shape[1]
    order = np.empty((3, 0 if n_modes else height * width), np.int64)
    levels, index = np.empty(256, np.int64), np.empty((height, width), np.int64)
    n_levels = list_levels_kernel(grey, levels, index) if n_modes else 0
    moments, spread = np.empty((n_levels, n_modes)), np.empty((n_levels, n_modes))
    by_modes = (levels[:n_levels], index, modes[0], modes[1], by_step, moments, spread)
    by_pairs = (order, mirrored(by_distance, height), mirrored(by_distance, width), mirrored(by_step, 256))
    if compatibility > 0:
        if n_modes == 0:
            sort_kernel(grey, order[0], order[1], order[2])
        bilateral_sum_kernel(grey, by_pairs, by_modes, values, norm)
    for i in range(height):
        row_sum = near_rows[height - 1 - i : 2 * height - 1 - i].sum()
        for j in range(width):
            norm[i, j] = 1.0 / math.sqrt(norm[i, j]) if compatibility > 0 else 0.0
            smooth_norm[i, j] = 1.0 / math.sqrt(row_sum * column_sums[j]) if smooth_compatibility > 0 else 0.0
    for _ in range(n_iter):
        if compatibility > 0:
            for i in range(height):
                for j in range(width):
                    values[i, j] = norm[i, j] * (2.0 * probability[i, j] - 1.0)
            bilateral_sum_kernel(grey, by_pairs, by_modes, values, message)
        if smooth_compatibility > 0:
            for i in range(height):
                for j in range(width):
                    values[i, j] = smooth_norm[i, j] * (2.0 * probability[i, j] - 1.0)
            blur_kernel(near_rows, near_columns, values, smooth_message)
        moved = False
        for i in range(height):
            for j in range(width):
                before = probability[i, j]
                score = unary[i, j] + compatibility * norm[i, j] * message[i, j]
                score += smooth_compatibility * smooth_norm[i, j] * smooth_message[i, j]
                probability[i, j] = 1.0 / (1.0 + math.exp(-min(max(score, -700.0), 700.0)))
                moved |= probability[i, j] != before
        if not moved:  # what follows would give the same, bit for bit
            break
