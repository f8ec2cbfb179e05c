"""The level set `com` composed of scipy and numpy calls, in double precision, every step as its equation stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.twins.diffusion import connected

Field = NDArray[np.floating]

HALF_PX = 20
SCALE = 1 << 20
EIGHT = np.ones((3, 3))
CROSS = ndimage.generate_binary_structure(2, 1)
TINY = 1e-10


def gradient(field: Field) -> list[Field]:
    """Differences down and across, one-sided at the border, 0 on axes of one pixel."""
    return [np.gradient(field, axis=axis) if field.shape[axis] > 1 else np.zeros(field.shape) for axis in (0, 1)]


def divergence(down: Field, across: Field) -> Field:
    """Sum of the differences of a field's two parts along their axes."""
    return gradient(down)[0] + gradient(across)[1]


def edge_indicator(grey: Field, sigma: float, *, whole_weights: bool = True) -> Field:
    """g = 1 / (1 + |grad(G * I)|^2), the Gaussian's weights rounded to parts of 2^-21 or as they are."""
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    if whole_weights:
        weights = np.rint(weights * 2**21)
        weights /= weights.sum()
    smooth = grey
    for axis in (0, 1):
        smooth = ndimage.correlate1d(smooth, weights, axis=axis, mode="reflect")
    down, across = gradient(smooth)
    return 1 / (1 + down**2 + across**2)


def evolve(
    units: NDArray[np.int32],
    *,
    start: float = 50.0,
    n_outer: int = 10,
    n_inner: int = 5,
    time_step: float = 5.0,
    regularity: float = 0.04,
    shrink: float = 1.5,
    grow: float = 0.1,
    difference: float = 1e-9,
    dirac_px: float = 1.5,
    sigma_px: float = 1.5,
    band_px: int = 3,
    whole_weights: bool = True,
) -> Field:
    """The level set function after the last step, and nothing left out.

    The double well's part is its Laplacian on neighbouring pixels plus what is left, so that single pixels cannot
    alternate unseen. Means are taken anew only where the inside has changed.
    """
    grey = units * (255 / SCALE)
    edge = edge_indicator(grey, sigma_px, whole_weights=whole_weights)
    phi = np.where(grey > start, -1.0, 1.0)
    before, inner, outer = None, 0.0, 0.0
    for _ in range(n_outer):
        highest = 0.0
        for _ in range(n_inner):
            if phi.shape[0] > 3:
                phi[[0, -1]] = phi[[2, -3]]
            if phi.shape[1] > 3:
                phi[:, [0, -1]] = phi[:, [2, -3]]
            inside = phi <= 0
            if before is None or not np.array_equal(inside, before):
                band = ndimage.maximum_filter(inside, 2 * band_px + 1, mode="constant") & ~inside
                inner, outer = (float(grey[part].mean()) if part.any() else 0.0 for part in (inside, band))
                before = inside
            force = shrink if inner > highest else -grow
            highest = max(highest, inner)
            down, across = gradient(phi)
            length = np.sqrt(down * down + across * across)
            share = np.where(length <= 1, np.sinc(2 * length), 1 - 1 / np.maximum(length, 1)) - 1
            change = regularity * (divergence(share * down, share * across) + ndimage.laplace(phi, mode="nearest"))
            acting = np.where(np.abs(phi) <= dirac_px, (1 + np.cos(np.pi / dirac_px * phi)) / (2 * dirac_px), 0)
            length += TINY
            curvature = divergence(down / length, across / length)
            change += acting * (force * edge + difference / ((inner - outer) ** 2 + TINY) * curvature)
            phi = phi + time_step * change
    return phi


def enclosed(phi: Field, pixel: tuple[int, int], open_sides: tuple[bool, bool, bool, bool]) -> NDArray[np.bool_]:
    """What the outermost closed contour around a pixel holds, without the pixels that the contour runs through."""
    inside = phi <= 0
    border, at_open = np.zeros(phi.shape, bool), np.zeros(phi.shape, bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    for view, is_open in zip((at_open[0], at_open[-1], at_open[:, 0], at_open[:, -1]), open_sides, strict=True):
        view |= is_open
    bright, _ = ndimage.label(inside, EIGHT)
    dark, _ = ndimage.label(~inside)
    outer = np.isin(bright, bright[inside & at_open]) & inside
    outer |= np.isin(dark, dark[~inside & border]) & ~inside
    region = connected(~outer, pixel)
    # the largest |phi| among the 4 neighbours outside, to see where the contour is nearer to the pixel than to them
    beyond = ndimage.maximum_filter(np.where(region, 0, np.abs(phi)), footprint=CROSS, mode="nearest")
    core = region & (np.abs(phi) >= beyond)
    return core if core.any() else region


def label_com(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """Masks of all points of one image, (H, W) bool."""
    out = np.zeros(image.shape, bool)
    for row, column in np.ceil(points - 0.5).astype(int):
        top, left = max(row - HALF_PX, 0), max(column - HALF_PX, 0)
        view = (slice(top, row + HALF_PX + 1), slice(left, column + HALF_PX + 1))
        window, here = image[view].astype(float), (row - top, column - left)
        low, high = window.min(), window.max()
        phi = evolve(np.rint((window - low) * (SCALE / max(high - low, 1e-9))))
        bottom, right = top + window.shape[0], left + window.shape[1]
        mask = enclosed(phi, here, (top > 0, bottom < image.shape[0], left > 0, right < image.shape[1]))
        mask[here] = True
        out[view] |= connected(mask, here)
    return out
