"""The published code's pipeline `d2d-code`: its walk particle by particle, and the whole composed of library calls."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.filters.rank import entropy
from skimage.segmentation import slic

from tests.twins.crf import refine_crf

#: Particles, steps and step of spot targets; the margin of their window and its reach in the middle of its range.
N_PARTICLES, N_STEPS, DT, MARGIN, REACH = 260, 40, 0.2, 4, 10


def walk(
    grey: NDArray[np.float64], coefficient: NDArray[np.float64], start: tuple[int, int], noise: NDArray, dt: float
) -> NDArray[np.float64]:
    """Histogram of where particles end, one particle and one step at a time."""
    height, width = grey.shape
    down, across = np.gradient(grey, axis=0), np.gradient(grey, axis=1)
    heat = np.zeros(grey.shape)
    for k in range(noise.shape[1]):
        y, x = float(start[0]), float(start[1])
        for first, second in noise[:, k]:
            i, j = min(max(math.trunc(y), 0), height - 1), min(max(math.trunc(x), 0), width - 1)
            spread = math.sqrt(2 * coefficient[i, j] * dt)
            y, x = y + down[i, j] * dt + spread * first, x + across[i, j] * dt + spread * second
        heat[min(max(math.trunc(y), 0), height - 1), min(max(math.trunc(x), 0), width - 1)] += 1
    return heat


def label_particles(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """`d2d-code` without CLAHE, all particles of a window at once: particles, Otsu, dense CRF; (H, W) bool."""
    rng = np.random.default_rng(0)
    whole = np.zeros(image.shape, np.float32)
    pixels = np.ceil(points - 0.5).astype(int)
    for row, column in pixels:
        top, left = max(row - REACH - MARGIN, 0), max(column - REACH - MARGIN, 0)
        view = (slice(top, row + REACH + MARGIN), slice(left, column + REACH + MARGIN))
        whole[view] = np.maximum(whole[view], _soft_label(image[view], (row - top, column - left), rng))
    binary = (whole * 255).astype(np.uint8)
    binary = binary > threshold_otsu(binary)
    out = np.zeros(image.shape, bool)
    for row, column in pixels:
        view = (slice(max(row - REACH, 0), row + REACH), slice(max(column - REACH, 0), column + REACH))
        out[view] |= refine_crf(binary[view].astype(float), image[view]) > 0.5
    return out


def _soft_label(grey: NDArray, here: tuple[int, int], rng: np.random.Generator) -> NDArray:
    levels = grey / 255
    down, across = np.gradient(levels, axis=0), np.gradient(levels, axis=1)
    texture = 0.6 * np.hypot(down, across) + 0.4 * entropy(grey, np.ones((5, 5), np.uint8)) / 8
    spread = np.sqrt(2 * DT * 3.2 * np.exp(-6 * texture))
    clusters = slic(levels, n_segments=16, compactness=0.32, channel_axis=None)
    cell = clusters == clusters[here]
    maxima = (grey == ndimage.maximum_filter(grey, 7)) & (levels > levels.mean() + 1.5 * levels.std()) & cell
    place = np.repeat(np.array([here, *np.argwhere(maxima)[:5]], float), N_PARTICLES, axis=0)
    limit = np.array(grey.shape) - 1
    for _ in range(N_STEPS):
        i, j = np.clip(place.astype(int), 0, limit).T
        drift = DT * np.stack([down[i, j], across[i, j]], axis=1)
        place = place + drift + spread[i, j][:, None] * rng.standard_normal(place.shape)
    i, j = np.clip(place.astype(int), 0, limit).T
    heat = np.bincount(i * grey.shape[1] + j, minlength=grey.size).reshape(grey.shape).astype(float)
    for axis in (0, 1):
        heat = ndimage.correlate1d(heat, [0.25, 0.5, 0.25], axis=axis, mode="mirror")
    return 0.84 * heat / heat.max() + 0.16 * cell
