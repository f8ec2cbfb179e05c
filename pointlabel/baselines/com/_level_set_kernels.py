"""Compiled core of the level set of "Click on Mask" (IEEE SPL 2024): the evolution of one window.

Divisions follow numpy (``error_model``): the check for zeros that Python asks for would keep loops out of vector
instructions. The wide loops run over flat windows with one more pixel on each side, so that rows cost no start-up.
"""

import math

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from ...compiled import kernel

GREY = 255.0  # windows are stretched on 0 .. GREY
TINY = 1e-10  # kept out of denominators, as published

#: What the expectation difference may add to phi at most over a whole evolution for it to be left out.
NEGLIGIBLE = 1e-7


def _power_series(function, degree, stretch):
    """Coefficients of a polynomial in `stretch` t near function(t) for t in [0, 1], highest power first."""
    powers = Chebyshev.interpolate(function, degree, [0, 1]).convert(kind=Polynomial).coef
    return tuple((powers / stretch ** np.arange(degree + 1))[::-1].tolist())


#: A quarter of sin(2 pi s) / (2 pi s) - 1 over (2 s)^2, and (1 + cos(pi x)) / 2 over x^2, to 1e-8: the functions of the
#: mathematics library are called once a pixel, polynomials run in vector instructions.
WELL = _power_series(lambda square: 0.25 * (np.sinc(2 * np.sqrt(square)) - 1), 8, 4.0)
BUMP = _power_series(lambda square: 0.5 + 0.5 * np.cos(np.pi * np.sqrt(square)), 6, 1.0)


@kernel(fastmath={"contract"})
def _well(t):
    """A quarter of p'(s) / s - 1 of the double well p at (2 s)^2 = t in [0, 4]."""
    c = WELL
    return (((((((c[0] * t + c[1]) * t + c[2]) * t + c[3]) * t + c[4]) * t + c[5]) * t + c[6]) * t + c[7]) * t + c[8]


@kernel(fastmath={"contract"})
def _bump(t):
    """(1 + cos(pi x)) / 2 at x^2 = t in [0, 1]."""
    c = BUMP
    return (((((c[0] * t + c[1]) * t + c[2]) * t + c[3]) * t + c[4]) * t + c[5]) * t + c[6]


@kernel(error_model="numpy")
def _half_root(t):
    """-1 / (2 sqrt(t)), a quarter of p'(s) / s - 1 at (2 s)^2 = t > 4, to 1e-13.

    A guess in single precision, where roots and divisions are quick, and one step of Newton's.
    """
    guess = np.float64(np.float32(0.5) / np.sqrt(np.float32(t)))
    return guess * (2.0 * t * guess * guess - 1.5)


@kernel
def _mirrored(k, size):
    """Index k of an axis mirrored at its ends, whose pixels are repeated."""
    k %= 2 * size
    return k if k < size else 2 * size - 1 - k


@kernel(error_model="numpy")
def edge_kernel(units, scale, taps, edge):
    """g = 1 / (1 + |grad(G * I)|^2) of a window of whole numbers, I = 255 units / scale.

    `taps` (r + 1,) int64 are the Gaussian's whole weights from its centre outwards. Whole numbers make the sums exact,
    so that the result survives flips and transposition bit for bit.
    """
    height, width = units.shape
    reach = taps.shape[0] - 1
    weight = float(taps[0] + 2 * taps[1:].sum())
    gain = GREY / (scale * weight * weight)
    first = np.empty((height, width), np.int64)
    line = np.empty(width + 2 * reach, np.int64)
    for i in range(height):
        for j in range(width):
            line[reach + j] = units[i, j]
        for k in range(reach):
            line[k] = units[i, _mirrored(k - reach, width)]
            line[reach + width + k] = units[i, _mirrored(width + k, width)]
        row = first[i]
        for j in range(width):
            row[j] = taps[0] * line[j + reach]
        for k in range(1, reach + 1):
            before, after = line[reach - k :], line[reach + k :]
            for j in range(width):
                row[j] += taps[k] * (before[j] + after[j])
    smooth = np.empty((height, width))
    total = np.empty(width, np.int64)
    for i in range(height):
        middle = first[i]
        for j in range(width):
            total[j] = taps[0] * middle[j]
        for k in range(1, reach + 1):
            above, below = first[_mirrored(i - k, height)], first[_mirrored(i + k, height)]
            for j in range(width):
                total[j] += taps[k] * (above[j] + below[j])
        for j in range(width):
            smooth[i, j] = gain * total[j]
    for i in range(height):
        top, bottom = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(width):
            left, right = max(j - 1, 0), min(j + 1, width - 1)
            across = (smooth[i, right] - smooth[i, left]) / max(right - left, 1)
            down = (smooth[bottom, j] - smooth[top, j]) / max(bottom - top, 1)
            edge[i, j] = 1.0 / (1.0 + (across * across + down * down))


@kernel
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


@kernel
def _extend_rows(field, height, width, slope):
    """Fill the rows beyond a padded field: on a straight line through its last two (`slope` 1), or as its last (0)."""
    second, last_but_one = min(2, height), max(height - 1, 1)
    for j in range(1, width + 1):
        field[0, j] = field[1, j] + slope * (field[1, j] - field[second, j])
        field[height + 1, j] = field[height, j] + slope * (field[height, j] - field[last_but_one, j])


@kernel
def _extend_columns(field, height, width, slope):
    """Fill the columns beyond a padded field, as `_extend_rows` does."""
    second, last_but_one = min(2, width), max(width - 1, 1)
    for i in range(1, height + 1):
        field[i, 0] = field[i, 1] + slope * (field[i, 1] - field[i, second])
        field[i, width + 1] = field[i, width] + slope * (field[i, width] - field[i, last_but_one])


@kernel
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


@kernel
def _follow(units, phi, before, band, inside, along, near, sums):
    """Bring the inside, phi <= 0 of a padded field, and its sums up to date; `before` is phi of the last time."""
    height, width = units.shape
    for i in range(height):
        values, old = phi[i + 1, 1 : width + 1], before[i + 1, 1 : width + 1]
        changed = 0
        for j in range(width):
            changed += (values[j] <= 0.0) != (old[j] <= 0.0)
        if changed > 0:
            for j in range(width):
                now = values[j] <= 0.0
                if inside[i, j] != now:
                    _turn(units, i, j, np.int64(1 if now else -1), band, inside, along, near, sums)


@kernel
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


@kernel(error_model="numpy")
def _flux(phi, stride, flux_x, flux_y):
    """Half of (p'(s) / s - 1) grad phi with s = |grad phi|, over a flat padded field."""
    _, left, right, above, below = _shifted(phi, stride)
    out_x, out_y = flux_x[stride:], flux_y[stride:]
    for k in range(left.shape[0]):
        x = right[k] - left[k]
        y = below[k] - above[k]
        t = x * x + y * y
        factor = _well(t) if t <= 4.0 else _half_root(t)
        out_x[k] = factor * x
        out_y[k] = factor * y


@kernel(error_model="numpy")
def _normals(phi, stride, normal_x, normal_y):
    """Twice grad phi / |grad phi| over a flat padded field."""
    _, left, right, above, below = _shifted(phi, stride)
    out_x, out_y = normal_x[stride:], normal_y[stride:]
    for k in range(left.shape[0]):
        x = right[k] - left[k]
        y = below[k] - above[k]
        share = 1.0 / (0.5 * math.sqrt(x * x + y * y) + TINY)
        out_x[k] = share * x
        out_y[k] = share * y


@kernel
def _bend(normal_x, normal_y, stride, factor, bend):
    """`factor` times the curvature, the divergence of the normals, over a flat padded field."""
    _, left, right, _, _ = _shifted(normal_x, stride)
    _, _, _, above, below = _shifted(normal_y, stride)
    out = bend[stride:]
    for k in range(left.shape[0]):
        out[k] = 0.25 * factor * ((right[k] - left[k]) + (below[k] - above[k]))


@kernel
def _step(phi, flux_x, flux_y, push, bend, stride, share, narrow, after):
    """One step over a flat padded field: `after` = phi + share R + b (push + bend), b = _bump(narrow phi^2)."""
    middle, left, right, above, below = _shifted(phi, stride)
    _, flux_left, flux_right, _, _ = _shifted(flux_x, stride)
    _, _, _, flux_above, flux_below = _shifted(flux_y, stride)
    pushes, bends, out = push[stride:], bend[stride:], after[stride:]
    keep = 1.0 - 4.0 * share
    for k in range(middle.shape[0]):
        value = middle[k]
        around = (left[k] + right[k]) + (above[k] + below[k])
        spread = (flux_right[k] - flux_left[k]) + (flux_below[k] - flux_above[k])
        t = value * value * narrow
        acting = _bump(t) if t <= 1.0 else 0.0
        out[k] = (keep * value + share * (spread + around)) + acting * (pushes[k] + bends[k])


@kernel(error_model="numpy")
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
    edge = np.empty((height, width))
    edge_kernel(units, scale, taps, edge)
    now, after, bend = np.ones(shape), np.ones(shape), np.zeros(shape)
    flux_x, flux_y, normal_x, normal_y = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    inside = np.zeros((height, width), np.bool_)
    along, near = np.zeros((height, width), np.int32), np.zeros((height, width), np.int32)
    sums = np.zeros(4, np.int64)  # pixels and units inside, then inside or near
    gain = GREY / scale
    peak = time_step / width_px  # largest value of the Dirac, times the step
    shrinking, growing = np.zeros(shape), np.zeros(shape)
    for i in range(height):
        for j in range(width):
            now[i + 1, j + 1] = -1.0 if GREY * units[i, j] > start * scale else 1.0
            shrinking[i + 1, j + 1] = peak * shrink * edge[i, j]
            growing[i + 1, j + 1] = -peak * grow * edge[i, j]
    n_counted = 0
    bent = False
    for _ in range(n_outer):
        highest = 0.0
        for _ in range(n_inner):
            _copy_border(now, height, width)
            _follow(units, now, after, band, inside, along, near, sums)
            mean_in = gain * sums[1] / sums[0] if sums[0] > 0 else 0.0
            n_out = sums[2] - sums[0]
            mean_out = gain * (sums[3] - sums[1]) / n_out if n_out > 0 else 0.0
            push = growing
            if mean_in > highest:
                highest = mean_in
                push = shrinking
            pull = difference / ((mean_in - mean_out) * (mean_in - mean_out) + TINY)
            _extend_rows(now, height, width, 1.0)
            _extend_columns(now, height, width, 1.0)
            _flux(now.ravel(), stride, flux_x.ravel(), flux_y.ravel())
            _extend_columns(flux_x, height, width, 1.0)
            _extend_rows(flux_y, height, width, 1.0)
            # two differences of normals, of 2 at most each, are the curvature
            if 4.0 * peak * pull * n_outer * n_inner > NEGLIGIBLE:
                n_counted += 1
                _normals(now.ravel(), stride, normal_x.ravel(), normal_y.ravel())
                _extend_columns(normal_x, height, width, 1.0)
                _extend_rows(normal_y, height, width, 1.0)
                _bend(normal_x.ravel(), normal_y.ravel(), stride, pull * peak, bend.ravel())
                bent = True
            elif bent:
                bend[:] = 0.0
                bent = False
            _extend_rows(now, height, width, 0.0)
            _extend_columns(now, height, width, 0.0)
            _step(
                now.ravel(), flux_x.ravel(), flux_y.ravel(), push.ravel(), bend.ravel(),
                stride, time_step * regularity, 1.0 / (width_px * width_px), after.ravel(),
            )  # fmt: skip
            now, after = after, now
    phi[:] = now[1:-1, 1:-1]
    return n_counted
