"""Compiled core of the level set method `com`: the evolution of one window, and what its zero contour encloses.

Divisions follow numpy (``error_model``): the check for zeros that Python asks for would keep loops out of vector
instructions. The wide loops run over flat windows with one more pixel on each side, so that rows cost no start-up.
"""

import math

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev, Polynomial

from ..engine._superpixel_kernels import connected_kernel

GREY = 255.0  # windows are stretched on 0 .. GREY
TINY = 1e-10  # kept out of denominators, as published

#: What the expectation difference may add to phi at most over a whole evolution for it to be left out.
NEGLIGIBLE = 1e-7


def _power_series(function, degree):
    """Coefficients of a polynomial near `function` on [0, 1], highest power first."""
    return tuple(Chebyshev.interpolate(function, degree, [0, 1]).convert(kind=Polynomial).coef[::-1].tolist())


#: sin(2 pi s) / (2 pi s) - 1 over s^2, and (1 + cos(pi x)) / 2 over x^2, to 3e-10: the functions of the mathematics
#: library are called once a pixel, polynomials run in vector instructions.
WELL = _power_series(lambda square: np.sinc(2 * np.sqrt(square)) - 1, 9)
BUMP = _power_series(lambda square: 0.5 + 0.5 * np.cos(np.pi * np.sqrt(square)), 7)


@njit(cache=True)
def _well(t):
    """p'(s) / s - 1 of the double well p at s^2 = t in [0, 1]."""
    c = WELL
    high = (((c[0] * t + c[1]) * t + c[2]) * t + c[3]) * t + c[4]
    low = (((c[5] * t + c[6]) * t + c[7]) * t + c[8]) * t + c[9]
    t2 = t * t
    return high * (t2 * t2 * t) + low


@njit(cache=True)
def _bump(t):
    """(1 + cos(pi x)) / 2 at x^2 = t in [0, 1]."""
    c = BUMP
    high = ((c[0] * t + c[1]) * t + c[2]) * t + c[3]
    low = ((c[4] * t + c[5]) * t + c[6]) * t + c[7]
    t2 = t * t
    return high * (t2 * t2) + low


@njit(cache=True)
def _mirrored(k, size):
    """Index k of an axis mirrored at its ends, whose pixels are repeated."""
    k %= 2 * size
    return k if k < size else 2 * size - 1 - k


@njit(cache=True, error_model="numpy")
def edge_kernel(units, scale, taps, edge):
    """g = 1 / (1 + |grad(G * I)|^2) of a window of whole numbers, I = 255 units / scale.

    `taps` (r + 1,) int64 are the Gaussian's whole weights from its centre outwards. Whole numbers make the sums exact,
    so that the result survives flips and transposition bit for bit.
    """
    height, width = units.shape
    reach = taps.shape[0] - 1
    total = float(taps[0] + 2 * taps[1:].sum())
    gain = GREY / (scale * total * total)
    first = np.empty((height, width), np.int64)
    line = np.empty(width + 2 * reach, np.int64)
    for i in range(height):
        for j in range(width + 2 * reach):
            line[j] = units[i, _mirrored(j - reach, width)]
        for j in range(width):
            value = taps[0] * line[j + reach]
            for k in range(1, reach + 1):
                value += taps[k] * (line[j + reach - k] + line[j + reach + k])
            first[i, j] = value
    smooth = np.empty((height, width))
    row = np.empty(width, np.int64)
    for i in range(height):
        middle = first[i]
        for j in range(width):
            row[j] = taps[0] * middle[j]
        for k in range(1, reach + 1):
            above, below = first[_mirrored(i - k, height)], first[_mirrored(i + k, height)]
            for j in range(width):
                row[j] += taps[k] * (above[j] + below[j])
        for j in range(width):
            smooth[i, j] = gain * row[j]
    for i in range(height):
        top, bottom = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(width):
            left, right = max(j - 1, 0), min(j + 1, width - 1)
            across = (smooth[i, right] - smooth[i, left]) / max(right - left, 1)
            down = (smooth[bottom, j] - smooth[top, j]) / max(bottom - top, 1)
            edge[i, j] = 1.0 / (1.0 + (across * across + down * down))


@njit(cache=True)
def _copy_border(phi, height, width):
    """Give the border of a padded field the values two pixels further in, on axes of 4 pixels or more."""
    if height > 3:
        for j in range(1, width + 1):
            phi[1, j] = phi[3, j]
            phi[height, j] = phi[height - 2, j]
    if width > 3:
        for i in range(1, height + 1):
            phi[i, 1] = phi[i, 3]
            phi[i, width] = phi[i, width - 2]


@njit(cache=True)
def _extend_rows(field, height, width, slope):
    """Fill the rows beyond a padded field: on a straight line through its last two (`slope` 1), or as its last (0)."""
    second, last_but_one = min(2, height), max(height - 1, 1)
    for j in range(1, width + 1):
        field[0, j] = field[1, j] + slope * (field[1, j] - field[second, j])
        field[height + 1, j] = field[height, j] + slope * (field[height, j] - field[last_but_one, j])


@njit(cache=True)
def _extend_columns(field, height, width, slope):
    """Fill the columns beyond a padded field, as `_extend_rows` does."""
    second, last_but_one = min(2, width), max(width - 1, 1)
    for i in range(1, height + 1):
        field[i, 0] = field[i, 1] + slope * (field[i, 1] - field[i, second])
        field[i, width + 1] = field[i, width] + slope * (field[i, width] - field[i, last_but_one])


@njit(cache=True)
def _turn(units, i, j, sign, band, inside, along, near, sums):
    """Take a pixel into the inside (sign 1) or out of it (-1); keep the sums over the inside and its neighbourhood.

    `along` counts the inside within `band` px in the pixel's row, `near` the rows within `band` px with such a count.
    """
    height, width = units.shape
    inside[i, j] = sign > 0
    sums[0] += sign
    sums[1] += sign * np.int64(units[i, j])
    level = 1 if sign > 0 else 0  # of a count that has just left 0, or come back to it
    for x in range(max(j - band, 0), min(j + band + 1, width)):
        along[i, x] += sign
        if along[i, x] == level:
            for y in range(max(i - band, 0), min(i + band + 1, height)):
                near[y, x] += sign
                if near[y, x] == level:
                    sums[2] += sign
                    sums[3] += sign * np.int64(units[y, x])


@njit(cache=True)
def _find_inside(units, phi, band, inside, along, near, sums):
    """Bring the inside, phi <= 0 of a padded field, and its sums up to date."""
    height, width = units.shape
    for i in range(height):
        values, row = phi[i + 1, 1 : width + 1], inside[i]
        changed = 0
        for j in range(width):
            changed += row[j] != (values[j] <= 0.0)
        if changed > 0:
            for j in range(width):
                now = values[j] <= 0.0
                if row[j] != now:
                    _turn(units, i, j, np.int64(1 if now else -1), band, inside, along, near, sums)


@njit(cache=True)
def _shifted(field, stride):
    """The rows of a flat padded field but the outer two, and what lies left, right, above and below of each pixel.

    With views from index 0 on the compiler sees that no index is negative, and takes several pixels at once.
    """
    n = field.shape[0] - 2 * stride
    return (
        field[stride : stride + n],
        field[stride - 1 : stride - 1 + n],
        field[stride + 1 : stride + 1 + n],
        field[:n],
        field[2 * stride :],
    )


@njit(cache=True, error_model="numpy")
def _flux(phi, stride, flux_x, flux_y):
    """(p'(s) / s - 1) grad phi with s = |grad phi|, over a flat padded field."""
    _, left, right, above, below = _shifted(phi, stride)
    out_x, out_y = flux_x[stride:], flux_y[stride:]
    for k in range(left.shape[0]):
        x = 0.5 * (right[k] - left[k])
        y = 0.5 * (below[k] - above[k])
        t = x * x + y * y
        factor = _well(min(t, 1.0)) if t <= 1.0 else -1.0 / math.sqrt(t)
        out_x[k] = factor * x
        out_y[k] = factor * y


@njit(cache=True, error_model="numpy")
def _normals(phi, stride, normal_x, normal_y):
    """grad phi / |grad phi| over a flat padded field."""
    _, left, right, above, below = _shifted(phi, stride)
    out_x, out_y = normal_x[stride:], normal_y[stride:]
    for k in range(left.shape[0]):
        x = 0.5 * (right[k] - left[k])
        y = 0.5 * (below[k] - above[k])
        share = 1.0 / (math.sqrt(x * x + y * y) + TINY)
        out_x[k] = share * x
        out_y[k] = share * y


@njit(cache=True)
def _divergence(field_x, field_y, stride, factor, divergence):
    """`factor` times the divergence of a vector field, over a flat padded field."""
    _, left, right, _, _ = _shifted(field_x, stride)
    _, _, _, above, below = _shifted(field_y, stride)
    out = divergence[stride:]
    for k in range(left.shape[0]):
        out[k] = factor * (0.5 * (right[k] - left[k]) + 0.5 * (below[k] - above[k]))


@njit(cache=True, error_model="numpy")
def _step(phi, flux_x, flux_y, edge, bend, stride, time_step, regularity, force, width_px, after):
    """One step of the evolution over a flat padded field: `after` = phi + time_step (...)."""
    middle, left, right, above, below = _shifted(phi, stride)
    _, flux_left, flux_right, _, _ = _shifted(flux_x, stride)
    _, _, _, flux_above, flux_below = _shifted(flux_y, stride)
    edges, bends, out = edge[stride:], bend[stride:], after[stride:]
    peak = 1.0 / width_px
    narrow = peak * peak
    for k in range(middle.shape[0]):
        value = middle[k]
        around = (left[k] + right[k]) + (above[k] + below[k])
        spread = 0.5 * (flux_right[k] - flux_left[k]) + 0.5 * (flux_below[k] - flux_above[k])
        smoother = spread + (around - 4.0 * value)
        t = value * value * narrow
        dirac = peak * _bump(min(t, 1.0)) if t <= 1.0 else 0.0
        out[k] = value + time_step * (regularity * smoother + dirac * (force * edges[k] + bends[k]))


@njit(cache=True, error_model="numpy")
def evolve_kernel(
    units, scale, taps, start, n_outer, n_inner, time_step, regularity, shrink, grow, difference, width_px, band, phi
):
    """Evolve phi (h, w) float64 over a window from -1 where I > `start`, else 1; I = 255 units / scale.

    Each step adds time_step (regularity R + a d g + difference d k / ((i - e)^2 + 1e-10)): R the double well's
    regulariser, d the Dirac of `width_px`, g the edge indicator (`edge_kernel`), k the curvature, i and e the means
    inside and in the pixels outside that lie within `band` px of the inside on each axis, 0 where there are none.
    a = `shrink` where i is above its largest value of this outer iteration, else -`grow`.
    Returns the number of steps in which the last term was large enough to be counted.
    """
    height, width = units.shape
    stride = width + 2
    shape = (height + 2, stride)
    inner = np.empty((height, width))
    edge_kernel(units, scale, taps, inner)
    edge = np.zeros(shape)
    edge[1:-1, 1:-1] = inner
    now, after, bend = np.ones(shape), np.ones(shape), np.zeros(shape)
    flux_x, flux_y, normal_x, normal_y = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    inside = np.zeros((height, width), np.bool_)
    along, near = np.zeros((height, width), np.int32), np.zeros((height, width), np.int32)
    sums = np.zeros(4, np.int64)  # pixels and units inside, then inside or near
    for i in range(height):
        for j in range(width):
            now[i + 1, j + 1] = -1.0 if GREY * units[i, j] > start * scale else 1.0
    gain = GREY / scale
    n_counted = 0
    for _ in range(n_outer):
        highest = 0.0
        for _ in range(n_inner):
            _copy_border(now, height, width)
            _find_inside(units, now, band, inside, along, near, sums)
            mean_in = gain * sums[1] / sums[0] if sums[0] > 0 else 0.0
            n_out = sums[2] - sums[0]
            mean_out = gain * (sums[3] - sums[1]) / n_out if n_out > 0 else 0.0
            force = -grow
            if mean_in > highest:
                highest = mean_in
                force = shrink
            pull = difference / ((mean_in - mean_out) * (mean_in - mean_out) + TINY)
            _extend_rows(now, height, width, 1.0)
            _extend_columns(now, height, width, 1.0)
            _flux(now.ravel(), stride, flux_x.ravel(), flux_y.ravel())
            _extend_columns(flux_x, height, width, 1.0)
            _extend_rows(flux_y, height, width, 1.0)
            # differences of normals, hence the curvature, are 2 at most
            if pull * 2.0 * time_step / width_px * n_outer * n_inner > NEGLIGIBLE:
                n_counted += 1
                _normals(now.ravel(), stride, normal_x.ravel(), normal_y.ravel())
                _extend_columns(normal_x, height, width, 1.0)
                _extend_rows(normal_y, height, width, 1.0)
                _divergence(normal_x.ravel(), normal_y.ravel(), stride, pull, bend.ravel())
            else:
                bend[:] = 0.0
            _extend_rows(now, height, width, 0.0)
            _extend_columns(now, height, width, 0.0)
            _step(
                now.ravel(), flux_x.ravel(), flux_y.ravel(), edge.ravel(), bend.ravel(),
                stride, time_step, regularity, force, width_px, after.ravel(),
            )  # fmt: skip
            now, after = after, now
    phi[:] = now[1:-1, 1:-1]
    return n_counted


@njit(cache=True)
def _find_outer(phi, open_sides, outer):
    """Mark the pixels that no closed contour surrounds; return how many there are.

    They are joined to the border of the window through pixels of their own side of the contour: 8-connected where
    phi <= 0, else 4-connected. The image's own border closes a contour: pixels with phi <= 0 count as joined at the
    `open_sides` (top, bottom, left, right) only.
    """
    height, width = phi.shape
    stack = np.empty(height * width, np.int32)
    n = 0
    for i in range(height):
        for j in range(width):
            at_border = i == 0 or i == height - 1 or j == 0 or j == width - 1
            at_open = (
                (i == 0 and open_sides[0])
                or (i == height - 1 and open_sides[1])
                or (j == 0 and open_sides[2])
                or (j == width - 1 and open_sides[3])
            )
            outer[i, j] = at_open or (at_border and phi[i, j] > 0.0)
            if outer[i, j]:
                stack[n] = i * width + j
                n += 1
    count = n
    while n > 0:
        n -= 1
        i, j = stack[n] // width, stack[n] % width
        below = phi[i, j] <= 0.0
        for y in range(max(i - 1, 0), min(i + 2, height)):
            for x in range(max(j - 1, 0), min(j + 2, width)):
                if outer[y, x] or (phi[y, x] <= 0.0) != below or not (below or y == i or x == j):
                    continue
                outer[y, x] = True
                stack[n] = y * width + x
                n += 1
                count += 1
    return count


@njit(cache=True)
def _holds_contour(phi, region, i, j):
    """Whether the contour runs nearer to a pixel of the region than to its neighbour outside."""
    height, width = phi.shape
    own = abs(phi[i, j])
    return (
        (i > 0 and not region[i - 1, j] and own < abs(phi[i - 1, j]))
        or (i < height - 1 and not region[i + 1, j] and own < abs(phi[i + 1, j]))
        or (j > 0 and not region[i, j - 1] and own < abs(phi[i, j - 1]))
        or (j < width - 1 and not region[i, j + 1] and own < abs(phi[i, j + 1]))
    )


@njit(cache=True)
def enclose_kernel(phi, row, column, open_sides, width_px, soft):
    """Soft label of what the outermost closed zero contour around a pixel holds; return its pixels, 0 for no contour.

    `soft` (h, w) float32 is at least 1 / 2 inside the contour, and below on the pixels that the contour runs through,
    outside, and everywhere where no closed contour surrounds the pixel. It grows by 1 over 2 `width_px` of distance
    and is 0 beyond the neighbours of what is enclosed. Should the contour run through all that it encloses, the
    inside is all of it.
    """
    height, width = phi.shape
    outer = np.empty((height, width), np.bool_)
    region = np.empty((height, width), np.bool_)
    for i in range(height):
        for j in range(width):
            soft[i, j] = 0.0
    _find_outer(phi, open_sides, outer)
    if connected_kernel(~outer, row, column, region) == 0:
        return 0
    half, below_half = np.float32(0.5), np.float32(0.49999997)
    n_inside = 0
    for i in range(height):
        for j in range(width):
            if not region[i, j]:
                continue
            value = np.float32(min(0.5 + (abs(phi[i, j]) - 0.5) / (2.0 * width_px), 1.0))
            if _holds_contour(phi, region, i, j):
                soft[i, j] = min(value, below_half)
            else:
                soft[i, j] = max(value, half)
                n_inside += 1
            for y in range(max(i - 1, 0), min(i + 2, height)):
                for x in range(max(j - 1, 0), min(j + 2, width)):
                    if not region[y, x]:
                        soft[y, x] = max(0.5 - (abs(phi[y, x]) + 0.5) / (2.0 * width_px), 0.0)
    if n_inside == 0:
        for i in range(height):
            for j in range(width):
                if region[i, j]:
                    soft[i, j] = half
                    n_inside += 1
    return n_inside
