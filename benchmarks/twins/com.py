"""The level set `com` composed of scikit-image, scipy and numpy calls: what it costs without kernels of our own.

The same windows, and every step as its equation stands, in double precision, by those calls that are the fastest for
windows of this size: a maximum filter for the band, sinc for the double well. Means are taken anew only where the
inside has changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

HALF_PX = 20
START, N_OUTER, N_INNER, TIME_STEP, REGULARITY = 50.0, 10, 5, 5.0, 0.04
SHRINK, GROW, DIFFERENCE, DIRAC_PX, SIGMA_PX, BAND_PX = 1.5, 0.1, 1e-9, 1.5, 1.5, 3
TINY = 1e-10
CROSS = ndimage.generate_binary_structure(2, 1)


def label_com(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """Masks of all points of one image, (H, W) bool."""
    out = np.zeros(image.shape, bool)
    for row, column in np.ceil(points - 0.5).astype(int):
        top, left = max(row - HALF_PX, 0), max(column - HALF_PX, 0)
        view = (slice(top, row + HALF_PX + 1), slice(left, column + HALF_PX + 1))
        window = image[view].astype(float)
        low, high = window.min(), window.max()
        phi = _evolve((window - low) * (255 / max(high - low, 1e-9)))
        bottom, right = top + window.shape[0], left + window.shape[1]
        open_sides = (top > 0, bottom < image.shape[0], left > 0, right < image.shape[1])
        out[view] |= _enclosed(phi, (row - top, column - left), open_sides)
    return out


def _evolve(grey: NDArray) -> NDArray:
    down, across = np.gradient(ndimage.gaussian_filter(grey, SIGMA_PX))
    edge = 1 / (1 + down**2 + across**2)
    phi = np.where(grey > START, -1.0, 1.0)
    before = np.zeros(grey.shape, bool)
    mean_in = mean_out = 0.0
    for _ in range(N_OUTER):
        highest = 0.0
        for _ in range(N_INNER):
            phi[[0, -1]] = phi[[2, -3]]
            phi[:, [0, -1]] = phi[:, [2, -3]]
            inside = phi <= 0
            if not np.array_equal(inside, before):
                band = ndimage.maximum_filter(inside, 2 * BAND_PX + 1) & ~inside
                mean_in = grey[inside].mean() if inside.any() else 0.0
                mean_out = grey[band].mean() if band.any() else 0.0
                before = inside
            force = SHRINK if mean_in > highest else -GROW
            highest = max(highest, mean_in)
            down, across = np.gradient(phi)
            length = np.sqrt(down * down + across * across)
            share = np.where(length <= 1, np.sinc(2 * length), 1 - 1 / np.maximum(length, 1)) - 1
            change = np.gradient(share * down, axis=0) + np.gradient(share * across, axis=1)
            change += ndimage.laplace(phi, mode="nearest")
            change *= REGULARITY
            acting = np.where(np.abs(phi) <= DIRAC_PX, 1 + np.cos(np.pi / DIRAC_PX * phi), 0) / (2 * DIRAC_PX)
            length += TINY
            bend = np.gradient(down / length, axis=0) + np.gradient(across / length, axis=1)
            push = force * edge + (DIFFERENCE / ((mean_in - mean_out) ** 2 + TINY)) * bend
            change += acting * push
            phi += TIME_STEP * change
    return phi


def _enclosed(phi: NDArray, here: tuple[int, int], open_sides: tuple[bool, bool, bool, bool]) -> NDArray[np.bool_]:
    inside = phi <= 0
    border, at_open = np.zeros(phi.shape, bool), np.zeros(phi.shape, bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    for view, is_open in zip((at_open[0], at_open[-1], at_open[:, 0], at_open[:, -1]), open_sides, strict=True):
        view |= is_open
    bright, dark = label(inside, connectivity=2), label(~inside, connectivity=1)
    outer = np.isin(bright, bright[inside & at_open]) | np.isin(dark, dark[~inside & border])
    mask = np.zeros(phi.shape, bool)
    mask[here] = True
    if outer[here]:
        return mask
    regions = label(~outer, connectivity=2)
    region = regions == regions[here]
    # the largest |phi| among the 4 neighbours outside, to see where the contour is nearer to the pixel than to them
    beyond = ndimage.maximum_filter(np.where(region, 0, np.abs(phi)), footprint=CROSS, mode="nearest")
    core = region & (np.abs(phi) >= beyond)
    if not core.any():
        return region
    parts = label(core | mask, connectivity=2)
    return parts == parts[here]
