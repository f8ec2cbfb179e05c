"""Slow, obvious twins of the level set's kernels: whole arrays, the functions of the equations, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.floating]

SCALE = 1 << 20
EIGHT = np.ones((3, 3))


def gradient(field: Field) -> list[Field]:
    """Differences down and across, one-sided at the border, 0 on axes of one pixel."""
    return [np.gradient(field, axis=axis) if field.shape[axis] > 1 else np.zeros(field.shape) for axis in (0, 1)]


def divergence(down: Field, across: Field) -> Field:
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


def regulariser(phi: Field) -> Field:
    """Double-well regulariser: div((p'(s) / s) grad phi), p'(s) = sin(2 pi s) / (2 pi) up to 1, s - 1 above."""
    down, across = gradient(phi)
    share = np.empty(phi.shape)
    for i, j in np.ndindex(*phi.shape):
        s = math.hypot(down[i, j], across[i, j])
        if s == 0:
            share[i, j] = 1
        elif s <= 1:
            share[i, j] = math.sin(2 * math.pi * s) / (2 * math.pi) / s
        else:
            share[i, j] = (s - 1) / s
    # as the Laplacian on neighbouring pixels plus what is left, so that single pixels cannot alternate unseen
    return divergence((share - 1) * down, (share - 1) * across) + ndimage.laplace(phi, mode="nearest")


def dirac(phi: Field, width: float) -> Field:
    return np.where(np.abs(phi) <= width, (1 + np.cos(np.pi * phi / width)) / (2 * width), 0)


def curvature(phi: Field) -> Field:
    down, across = gradient(phi)
    length = np.sqrt(down**2 + across**2) + 1e-10
    return divergence(down / length, across / length)


def means(grey: Field, inside: NDArray[np.bool_], band: int) -> tuple[float, float]:
    """Mean inside, and of the pixels outside that lie within `band` rows and columns of one inside; 0 for none."""
    outside = np.zeros(inside.shape, bool)
    for i, j in np.argwhere(~inside):
        outside[i, j] = inside[max(i - band, 0) : i + band + 1, max(j - band, 0) : j + band + 1].any()
    return (
        float(grey[inside].mean()) if inside.any() else 0.0,
        float(grey[outside].mean()) if outside.any() else 0.0,
    )


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
    """The level set function after the last step, and nothing left out."""
    grey = units * (255 / SCALE)
    edge = edge_indicator(grey, sigma_px, whole_weights=whole_weights)
    phi = np.where(grey > start, -1.0, 1.0)
    for _ in range(n_outer):
        highest = 0.0
        for _ in range(n_inner):
            if phi.shape[0] > 3:
                phi[[0, -1]] = phi[[2, -3]]
            if phi.shape[1] > 3:
                phi[:, [0, -1]] = phi[:, [2, -3]]
            inner, outer = means(grey, phi <= 0, band_px)
            force = shrink if inner > highest else -grow
            highest = max(highest, inner)
            acting = dirac(phi, dirac_px)
            phi = phi + time_step * (
                regularity * regulariser(phi)
                + force * acting * edge
                + difference * acting * curvature(phi) / ((inner - outer) ** 2 + 1e-10)
            )
    return phi


def enclosed(phi: Field, pixel: tuple[int, int], open_sides: tuple[bool, bool, bool, bool]) -> NDArray[np.bool_]:
    """What the outermost closed contour around a pixel holds, without the pixels that the contour runs through."""
    inside = phi <= 0
    border = np.zeros(phi.shape, bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    open_border = np.zeros(phi.shape, bool)
    top, bottom, left, right = open_sides
    open_border[0] |= top
    open_border[-1] |= bottom
    open_border[:, 0] |= left
    open_border[:, -1] |= right
    bright, _ = ndimage.label(inside, EIGHT)
    dark, _ = ndimage.label(~inside)
    outer = np.isin(bright, np.unique(bright[inside & open_border])) & inside
    outer |= np.isin(dark, np.unique(dark[~inside & border])) & ~inside
    regions, _ = ndimage.label(~outer, EIGHT)
    if outer[pixel]:
        return np.zeros(phi.shape, bool)
    region = regions == regions[pixel]
    core = region.copy()
    for i, j in np.argwhere(region):
        for y, x in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if 0 <= y < phi.shape[0] and 0 <= x < phi.shape[1] and not region[y, x]:
                core[i, j] &= abs(phi[i, j]) >= abs(phi[y, x])
    return core if core.any() else region
