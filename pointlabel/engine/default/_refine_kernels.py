"""Inputs of the refinement at every pixel near the vote, and the perceptron that reads them."""

from __future__ import annotations

import math

import numpy as np

from ...compiled import kernel
from .._superpixel_kernels import connected_kernel
from ._region_kernels import widen_kernel
from ._vote_kernels import STEPS

N_INPUTS = 24
NEAR_VOTE = 0.02  # votes that the perceptron looks around
VOTE_GAIN = np.float32(6.0)  # of the vote in the perceptron's logit


@kernel
def box_kernel(field, least):
    """First and last + 1 row and column of the pixels with field >= least; all 0 where there are none."""
    top, bottom, left, right = field.shape[0], 0, field.shape[1], 0
    for y in range(field.shape[0]):
        n = np.int32(0)  # narrow, so that the compiler counts with vector instructions: most rows have none
        for x in range(field.shape[1]):
            n = np.int32(n + np.int32(field[y, x] >= least))
        if n == 0:
            continue
        top, bottom = min(top, y), y + 1
        for x in range(field.shape[1]):
            if field[y, x] >= least:
                left, right = min(left, x), max(right, x + 1)
    return (top, bottom, left, right) if bottom > 0 else (0, 0, 0, 0)


@kernel
def label_box_kernel(soft, mask, least):
    """`box_kernel` of the pixels with soft >= least or in the mask."""
    held = np.empty(soft.shape, np.float32)
    for y in range(soft.shape[0]):
        for x in range(soft.shape[1]):
            held[y, x] = least if mask[y, x] else soft[y, x]
    return box_kernel(held, least)


@kernel
def near_vote_kernel(field, inside, rows, columns, ring):
    """List the pixels within 2 px of a vote >= NEAR_VOTE; mark as `ring` those within 3 px and below it.

    Returns how many pixels were listed.
    """
    side = field.shape[0]
    top, bottom, left, right = box_kernel(field, np.float32(NEAR_VOTE))
    ring[:] = False
    first_row, first_column = max(top - 3, 0), max(left - 3, 0)
    reach = np.zeros((min(bottom + 3, side) - first_row, min(right + 3, side) - first_column), np.uint8)
    for y in range(top, bottom):
        for x in range(left, right):
            if field[y, x] < NEAR_VOTE:
                continue
            for v in range(max(y - 3, 0), min(y + 4, side)):
                for u in range(max(x - 3, 0), min(x + 4, side)):
                    near = abs(v - y) <= 2 and abs(u - x) <= 2  # 1 within 3 px, 2 within 2 px
                    at = (v - first_row, u - first_column)
                    reach[at] = max(reach[at], np.uint8(2 if near else 1))
    n = 0
    for i in range(reach.shape[0]):
        for j in range(reach.shape[1]):
            y, x = first_row + i, first_column + j
            ring[y, x] = reach[i, j] > 0 and field[y, x] < NEAR_VOTE and inside[y, x]
            if reach[i, j] == 2 and inside[y, x]:
                rows[n] = y
                columns[n] = x
                n += 1
    return n


@kernel
def relative_kernel(field, core, ring, extent, out):
    """Brightness between the ring's mean (0) and the vote-weighted mean (1), `out` (S, S) float32 in [-1, 2].

    Only pixels within `extent` of the centre get theirs.
    """
    votes, lit, n, dark = 0.0, 0.0, 0.0, 0.0
    side = field.shape[0]
    for y in range(side):
        for x in range(side):
            if field[y, x] > 0:
                whole = np.rint(field[y, x] * STEPS)
                votes += whole
                lit += whole * core[y, x]
            if ring[y, x]:
                n += 1
                dark += core[y, x]
    low = dark / max(n, 1.0)
    span = max(lit / max(votes, 1.0) - low, 1.0)
    begin, end = max(side // 2 - extent, 0), min(side // 2 + extent + 1, side)
    for y in range(begin, end):
        for x in range(begin, end):
            value = (core[y, x] - low) / span
            value = value if value > -1.0 else -1.0
            value = value if value < 2.0 else 2.0
            out[y, x] = np.rint(value * STEPS) / STEPS


@kernel
def input_kernel(field, relative, level_of, residual, contrast, levels, log_area, rows, columns, n, out):
    """Inputs of the perceptron at the first n listed pixels, `out` (n, N_INPUTS) float32.

    0-5 vote and 6-11 relative brightness averaged over the orbits of the 5 x 5 offsets (offsets that flips and
    transposition carry into each other), 12-14 highest level reached at the three narrower backgrounds,
    15-16 height over two backgrounds, 17-20 largest less own and own less smallest in 3 x 3 and 5 x 5,
    21 gradient's length, 22 its part away from the peak, 23 distance over the square root of the expected area.
    """
    side = field.shape[0]
    half = side // 2
    orbit = np.array([[0, 1, 3], [1, 2, 4], [3, 4, 5]])
    size = np.array([1.0, 4.0, 4.0, 4.0, 8.0, 4.0])
    radius = math.exp(log_area / 2)
    vote_sum = np.empty(6)
    bright_sum = np.empty(6)
    for i in range(n):
        y, x = rows[i], columns[i]
        own = relative[y, x]
        vote_sum[:] = 0.0
        bright_sum[:] = 0.0
        high_3 = low_3 = high_5 = low_5 = own
        for dy in range(-2, 3):
            v = min(max(y + dy, 0), side - 1)
            for dx in range(-2, 3):
                u = min(max(x + dx, 0), side - 1)
                o = orbit[abs(dy), abs(dx)]
                value = relative[v, u]
                bright_sum[o] += value
                if v == y + dy and u == x + dx:
                    vote_sum[o] += field[v, u]
                high_5, low_5 = max(high_5, value), min(low_5, value)
                if abs(dy) <= 1 and abs(dx) <= 1:
                    high_3, low_3 = max(high_3, value), min(low_3, value)
        for o in range(6):
            out[i, o] = vote_sum[o] / size[o]
            out[i, 6 + o] = bright_sum[o] / size[o]
        for k in range(3):
            j = min(k, level_of.shape[0] - 1)
            level = level_of[j, y, x]
            out[i, 12 + k] = levels[level] if level < levels.shape[0] else 0.0
        for k in range(2):
            j = min(2 * k, level_of.shape[0] - 1)
            out[i, 15 + k] = min(max(residual[j, y, x] / max(contrast[j], 1.0), -1.0), 2.0)
        out[i, 17] = high_3 - own
        out[i, 18] = own - low_3
        out[i, 19] = high_5 - own
        out[i, 20] = own - low_5
        down = (relative[min(y + 1, side - 1), x] - relative[max(y - 1, 0), x]) / 2
        across = (relative[y, min(x + 1, side - 1)] - relative[y, max(x - 1, 0)]) / 2
        distance = math.sqrt(float((y - half) ** 2 + (x - half) ** 2))
        out[i, 21] = math.sqrt(down * down + across * across)
        out[i, 22] = (down * (y - half) + across * (x - half)) / max(distance, 1.0)
        out[i, 23] = distance / radius


@kernel
def near_input_kernel(
    field, core, inside, level_of, units, sampling, grids, extents, residual, contrast, levels, log_area, rows,
    columns, inputs, votes,
):  # fmt: skip
    """List the pixels near the vote and write their inputs and votes in one call; returns how many there are.

    Heights over the two backgrounds that are inputs are worked out as far as the pixels lie.
    """
    ring = np.empty(field.shape, np.bool_)
    relative = np.empty(field.shape, np.float32)
    n = near_vote_kernel(field, inside, rows, columns, ring)
    half, extent = field.shape[0] // 2, np.int64(0)
    for i in range(n):
        extent = max(extent, max(abs(rows[i] - half), abs(columns[i] - half)))
    for k in range(2):
        widen_kernel(units, sampling, min(2 * k, level_of.shape[0] - 1), extent, grids, extents, residual)
    relative_kernel(field, core, ring, extent + 2, relative)
    input_kernel(field, relative, level_of, residual, contrast, levels, log_area, rows, columns, n, inputs)
    for i in range(n):
        votes[i] = field[rows[i], columns[i]]
    return n


@kernel
def perceptron_kernel(inputs, votes, extra, centre, deviation, w1, b1, w2, b2, w3, b3, rows, columns, soft):
    """sigmoid(net(inputs, extra) + VOTE_GAIN (vote - 0.5)) at every pixel, `soft` (S, S) float32; 0 elsewhere.

    Inputs are standardised and cut at 5 deviations; two hidden layers with x sigmoid(x). `extra` holds the
    numbers that all pixels of the target share, so their part of the first layer is computed once.
    """
    n, n_inputs = inputs.shape
    first, second = b1.shape[0], b2.shape[0]
    shared = np.empty(first, np.float32)
    for h in range(first):  # not shared[:] = b1: compiling the message of its error takes seconds
        shared[h] = b1[h]
    for j in range(extra.shape[0]):
        z = (extra[j] - centre[n_inputs + j]) / deviation[n_inputs + j]
        z = min(max(z, np.float32(-5.0)), np.float32(5.0))
        for h in range(first):
            shared[h] += z * w1[n_inputs + j, h]
    # The innermost loops run over the rows: they are many, the inputs and the hidden units a few.
    a, b, z = np.empty((first, n), np.float32), np.empty((second, n), np.float32), np.empty(n, np.float32)
    for h in range(first):
        for i in range(n):
            a[h, i] = shared[h]
    for j in range(n_inputs):
        for i in range(n):
            value = (inputs[i, j] - centre[j]) / deviation[j]
            value = value if value > np.float32(-5.0) else np.float32(-5.0)
            z[i] = value if value < np.float32(5.0) else np.float32(5.0)
        for h in range(first):
            weight = w1[j, h]
            for i in range(n):
                a[h, i] += z[i] * weight
    for g in range(second):
        for i in range(n):
            b[g, i] = b2[g]
    for h in range(first):
        for i in range(n):
            z[i] = a[h, i] / (np.float32(1.0) + math.exp(-a[h, i]))
        for g in range(second):
            weight = w2[h, g]
            for i in range(n):
                b[g, i] += z[i] * weight
    for i in range(n):
        z[i] = b3[0] + VOTE_GAIN * (votes[i] - np.float32(0.5))
    for g in range(second):
        weight = w3[g, 0]
        for i in range(n):
            z[i] += b[g, i] / (np.float32(1.0) + math.exp(-b[g, i])) * weight
    soft[:] = 0.0
    for i in range(n):
        soft[rows[i], columns[i]] = np.float32(1.0) / (np.float32(1.0) + math.exp(-z[i]))


@kernel
def component_kernel(field, threshold, row, column, mask):
    """8-connected component of (row, column) at field >= threshold; the pixel itself always belongs.

    Returns whether it touches the border of the field.
    """
    member = field >= threshold
    member[row, column] = True
    connected_kernel(member, row, column, mask)
    return mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
