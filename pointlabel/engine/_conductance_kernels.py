"""Compiled core of eq. (2) of "Diffuse to Detect" (arXiv 2605.20766): rescaled window, local entropy, conductances.

Every sum over pixels runs over integers or in symmetric pairs, so that a flipped or transposed window
gives the flipped or transposed result bit for bit.
"""

import math

import numpy as np

from ..compiled import kernel

#: Intensities are whole multiples of 1 / SCALE in [0, 1]: round-off of a gain and an offset cannot flip a tie.
SCALE = 1 << 20
#: Bins of the entropy's histogram over the range of a window.
N_BINS = 32

#: c ln c for counts c, in whole multiples of 2^-24, exact under any order of summation.
COUNT_LOGS = np.array([0, 0] + [round(c * math.log(c) * (1 << 24)) for c in range(2, 26)], dtype=np.int64)


@kernel
def rescale_kernel(window, units, finite):
    """Map the finite pixels of a window on 0 .. SCALE, the others on 0; return how many are not finite.

    A flat window becomes 0.
    """
    height, width = window.shape
    low, high = np.inf, -np.inf
    n_bad = 0
    for i in range(height):
        for j in range(width):
            value = window[i, j]
            good = math.isfinite(value)
            finite[i, j] = good
            if good:
                low = min(low, value)
                high = max(high, value)
            else:
                n_bad += 1
    # halves, so that values near +-1e308 do not overflow
    span = 0.5 * high - 0.5 * low
    for i in range(height):
        for j in range(width):
            if finite[i, j] and span > 0.0:
                units[i, j] = int(math.floor((0.5 * window[i, j] - 0.5 * low) / span * SCALE + 0.5))
            else:
                units[i, j] = 0
    return n_bad


@kernel
def _enter(bins, top, bottom, column, counts, step):
    """Add a column of bins to a histogram; return what that adds to the sum of c ln c."""
    gain = np.int64(0)
    for r in range(top, bottom):
        b = bins[r, column]
        gain += step[counts[b]]
        counts[b] += 1
    return gain


@kernel
def _leave(bins, top, bottom, column, counts, step):
    """Take a column of bins out of a histogram; return what that takes off the sum of c ln c."""
    loss = np.int64(0)
    for r in range(top, bottom):
        b = bins[r, column]
        counts[b] -= 1
        loss += step[counts[b]]
    return loss


@kernel
def entropy_kernel(units, n_bins, count_logs, out):
    """Shannon entropy of the 5 x 5 pixels around each pixel, divided by ln 25: 0 to 1.

    `units` 0 .. SCALE fall into `n_bins` equal bins; at the border the window holds what there is.
    A histogram slides along each row, 10 updates a pixel, on two rows at once: each update waits for the one before,
    so that two that do not depend on each other take hardly longer than one.
    """
    height, width = units.shape
    bins = np.empty((height, width), np.uint8)  # unsigned, here and below: indices that need no test for negative ones
    for i in range(height):
        for j in range(width):
            bins[i, j] = min(units[i, j] * n_bins // SCALE, n_bins - 1)
    first, second = np.empty(n_bins, np.uint32), np.empty(n_bins, np.uint32)
    scale = 1.0 / (math.log(25.0) * (1 << 24))
    step = np.empty(25, np.int64)
    for c in range(25):
        step[c] = count_logs[c + 1] - count_logs[c]
    half = (height + 1) // 2
    for i in range(half):
        k = min(i + half, height - 1)  # of an odd number of rows the last one is done twice
        top, bottom, top2, bottom2 = max(i - 2, 0), min(i + 3, height), max(k - 2, 0), min(k + 3, height)
        for b in range(n_bins):
            first[b] = 0
            second[b] = 0
        total, total2 = np.int64(0), np.int64(0)
        for j in range(min(2, width)):
            total += _enter(bins, top, bottom, j, first, step)
            total2 += _enter(bins, top2, bottom2, j, second, step)
        for j in range(width):
            if j >= 3:
                total -= _leave(bins, top, bottom, j - 3, first, step)
                total2 -= _leave(bins, top2, bottom2, j - 3, second, step)
            if j + 2 < width:
                total += _enter(bins, top, bottom, j + 2, first, step)
                total2 += _enter(bins, top2, bottom2, j + 2, second, step)
            columns = min(j + 3, width) - max(j - 2, 0)
            n, n2 = columns * (bottom - top), columns * (bottom2 - top2)
            out[i, j] = (count_logs[n] - total) * scale / n
            out[k, j] = (count_logs[n2] - total2) * scale / n2


@kernel
def gradient_kernel(units, out):
    """Length of the gradient of `units` / SCALE per pixel: central differences, one-sided at the border."""
    height, width = units.shape
    scale = np.float32(1.0 / SCALE)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        by_row = scale if below - above < 2 else np.float32(0.5) * scale
        for j in range(width):
            left, right = max(j - 1, 0), min(j + 1, width - 1)
            by_column = scale if right - left < 2 else np.float32(0.5) * scale
            down = np.float32(units[below, j] - units[above, j]) * by_row
            across = np.float32(units[i, right] - units[i, left]) * by_column
            out[i, j] = math.sqrt(down * down + across * across)


@kernel
def conductance_kernel(gradient, entropy, d0, beta, alpha, east, south):
    """Conductances between neighbours: the mean of D = d0 exp(-beta (alpha |grad I| + (1 - alpha) H)) on both sides.

    `east` [i, j] joins (i, j) and (i, j + 1), `south` joins (i, j) and (i + 1, j); what would lead out is 0.
    """
    height, width = gradient.shape
    medium = np.empty((height, width), np.float32)
    of_gradient, of_entropy = np.float32(-beta * alpha), np.float32(-beta * (1.0 - alpha))
    half = np.float32(0.5 * d0)
    for i in range(height):
        for j in range(width):
            medium[i, j] = half * math.exp(of_gradient * gradient[i, j] + of_entropy * entropy[i, j])
    for i in range(height):
        for j in range(width - 1):
            east[i, j] = medium[i, j] + medium[i, j + 1]
        east[i, width - 1] = 0.0
    for i in range(height - 1):
        for j in range(width):
            south[i, j] = medium[i, j] + medium[i + 1, j]
    for j in range(width):
        south[height - 1, j] = 0.0
