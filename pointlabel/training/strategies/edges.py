"""Closed edges around points: the labels that progressive active learning starts from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import feature

from ...methods.polarity import choose_polarity, invert

REACH_PX = 10  # half-side of the window around a point
LOW, HIGH = 20.0, 40.0  # thresholds of the edges, on grey levels of 0 .. 255
SIGMA_PX = 0.8  # of the Gaussian whose rest is searched for edges: that of a 3 x 3 window
LARGEST_PX = 50.0  # area that an edge may enclose
_EIGHT = np.ones((3, 3), bool)


def enclose_points(
    image: NDArray, points: NDArray[np.float64], polarity: str = "bright"
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Fill the closed edges that hold the points.

    In a window of 10 px to each side, edges (Canny) of what a small Gaussian takes off the grey levels are closed by
    3 x 3 pixels. The component of the edges that holds the point in or on it is filled and taken where the line through
    the centres of its outermost pixels encloses at most 50 px.

    Parameters
    ----------
    image : (H, W) real; 8-bit grey levels are taken as they are, others are brought to 0 .. 255 by their range.
    points : (N, 2) float64, (row, column), inside the image.
    polarity : "bright", "dark", or "auto", which decides for each point; edges around dark targets are those of the
        image turned.

    Returns
    -------
    mask : (H, W) bool, what is enclosed, and the pixel of each point.
    found : (N,) bool, the points around which there is such an edge.

    References
    ----------
    C. Yu et al.: From Easy to Hard: Progressive Active Learning Framework for Infrared Small Target Detection with
    Single Point Supervision, ICCV 2025: its easy samples are those where this finds four fifths of the points.
    """
    dark = choose_polarity(image, points, polarity)
    levels = {sign: _grey_levels(invert(image) if sign else image) for sign in set(dark.tolist())}
    mask, found = np.zeros(image.shape, bool), np.zeros(len(points), bool)
    corner = np.array(image.shape) - 1
    for index, point in enumerate(points):
        row, column = (int(value) for value in np.clip(np.floor(point + 0.5), 0, corner))
        top, left = max(row - REACH_PX, 0), max(column - REACH_PX, 0)
        window = (slice(top, row + REACH_PX), slice(left, column + REACH_PX))
        inside = _enclosed(levels[bool(dark[index])][window], row - top, column - left)
        if inside is not None:
            mask[window] |= inside
            found[index] = True
        mask[row, column] = True
    return mask, found


def _enclosed(levels: NDArray[np.float64], row: int, column: int) -> NDArray[np.bool_] | None:
    rest = np.maximum(levels - ndimage.gaussian_filter(levels, SIGMA_PX, mode="mirror", truncate=1.25), 0)
    if min(rest.shape) < 3:
        return None
    edges = feature.canny(rest, sigma=0, low_threshold=LOW, high_threshold=HIGH)
    closed = ndimage.binary_erosion(ndimage.binary_dilation(edges, _EIGHT), _EIGHT, border_value=1)
    parts, n = ndimage.label(closed, _EIGHT)
    for number in range(1, n + 1):
        filled = ndimage.binary_fill_holes(parts == number)
        if filled[row, column]:
            return filled if _outline_area(filled) <= LARGEST_PX else None
    return None


def _outline_area(filled: NDArray[np.bool_]) -> float:
    """Area inside the line through the centres of the outermost pixels, by Pick's theorem."""
    n_outermost = np.count_nonzero(filled & ~ndimage.binary_erosion(filled))
    return np.count_nonzero(filled) - n_outermost / 2 - 1


def _grey_levels(image: NDArray) -> NDArray[np.float64]:
    levels = image.astype(np.float64)
    if image.dtype == np.uint8:
        return levels
    finite = levels[np.isfinite(levels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    clean = np.nan_to_num(levels, nan=low, posinf=high, neginf=low)
    return (clean - low) * (255 / (high - low)) if high > low else np.zeros_like(clean)
