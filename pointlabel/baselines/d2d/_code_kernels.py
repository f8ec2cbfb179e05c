"""Compiled core of the random particles in the published code of "Diffuse to Detect"."""

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
