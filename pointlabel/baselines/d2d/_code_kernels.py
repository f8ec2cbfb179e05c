"""Compiled core of the random particles of the published code, and of what is said of a mask in grey levels."""

import math

import numpy as np

from ...compiled import kernel


@kernel
def walk_kernel(grey, coefficient, row, column, noise, dt, heat):
    """Walk particles from (row, column) and count where they end, added to `heat` (h, w).

    One step: x += grad I dt + sqrt(2 D dt) N(0, 1), gradient and D read at the pixel that the particle is in.
    `noise` (steps, particles, 2) holds the normal numbers. Particles that leave the window read, and are
    counted in, its nearest pixel.
    """
    height, width = grey.shape
    drift = np.empty((height, width, 2), np.float64)
    spread = np.empty((height, width), np.float64)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(width):
            left, right = max(j - 1, 0), min(j + 1, width - 1)
            drift[i, j, 0] = dt * (grey[below, j] - grey[above, j]) / max(below - above, 1)
            drift[i, j, 1] = dt * (grey[i, right] - grey[i, left]) / max(right - left, 1)
            spread[i, j] = math.sqrt(2.0 * coefficient[i, j] * dt)
    n_steps, n_particles = noise.shape[0], noise.shape[1]
    for k in range(n_particles):
        y, x = float(row), float(column)
        for step in range(n_steps):
            i = min(max(int(y), 0), height - 1)
            j = min(max(int(x), 0), width - 1)
            y += drift[i, j, 0] + spread[i, j] * noise[step, k, 0]
            x += drift[i, j, 1] + spread[i, j] * noise[step, k, 1]
        heat[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)] += 1.0


@kernel
def measure_kernel(grey, soft, mask, finite):
    """Numbers of a mask that is not empty in a window of grey levels, all arrays (h, w).

    Returns whether there is a rest; the mask's contrast (its mean less that of the rest) and the standard deviation of
    the rest, both 0 without one; the sum of the soft label inside and outside; the mask's first row, the row after its
    last, the same of columns.
    Pixels that are not finite belong to no rest.
    """
    height, width = grey.shape
    n_inside, n_around, inside, around, squares = 0, 0, 0, 0, 0
    soft_inside, soft_outside = 0.0, 0.0
    top, bottom, left, right = height, 0, width, 0
    for i in range(height):
        for j in range(width):
            level = int(grey[i, j])
            if mask[i, j]:
                n_inside += 1
                inside += level
                soft_inside += soft[i, j]
                top, bottom = min(top, i), i + 1
                left, right = min(left, j), max(right, j + 1)
                continue
            soft_outside += soft[i, j]
            if finite[i, j]:
                n_around += 1
                around += level
                squares += level * level
    contrast, deviation = 0.0, 0.0
    if n_around:
        mean = around / n_around
        contrast = inside / n_inside - mean
        deviation = math.sqrt(max(squares / n_around - mean * mean, 0.0))
    return n_around > 0, contrast, deviation, soft_inside, soft_outside, (top, bottom, left, right)
