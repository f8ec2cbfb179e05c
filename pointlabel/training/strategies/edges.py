"""Closed edges around points: the labels that progressive active learning starts from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...methods.polarity import choose_polarity, invert

REACH_PX = 10  # half-side of the window around a point
LOW, HIGH = 20, 40  # thresholds of the edges, on grey levels of 0 .. 255
BLUR = (0.25, 0.5, 0.25)  # along rows and columns; what it takes off is searched for edges
LARGEST_PX = 50.0  # area that an edge may enclose
_EIGHT = np.ones((3, 3), bool)
#: Tangent of 22.5 degrees, in the units of the published edge finder: gradients flatter than this lie along a row.
_FLAT = 13573 / 32768


def enclose_points(
    image: NDArray, points: NDArray[np.float64], polarity: str | Sequence[str] = "bright"
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Fill the closed edges that hold the points.

    In a window of 10 px to each side, edges (`find_edges`) of what a blur over 3 x 3 pixels takes off the grey levels
    are closed by 3 x 3 pixels. The component of the edges that holds the point in or on it is filled and taken where
    the line through the centres of its outermost pixels encloses at most 50 px.

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


def find_edges(levels: NDArray, low: float = LOW, high: float = HIGH) -> NDArray[np.bool_]:
    """Edges after Canny, as OpenCV finds them: the published strengths are sums, not lengths.

    The strength of a pixel is |g_x| + |g_y| with Sobel's differences, the border repeated. Those above `low` are
    candidates where they are the largest across the edge, that is along the row, the column or the diagonal which the
    gradient is next to; of equal ones in a row or column the first. Candidates above `high`, and those that are
    connected with them (8 neighbours), are edges.

    Parameters
    ----------
    levels : (H, W) whole grey levels.
    low, high : thresholds of the strength.
    """
    across, down = (ndimage.sobel(levels.astype(np.int64), axis, mode="nearest") for axis in (1, 0))
    strength = np.abs(across) + np.abs(down)
    wide = np.pad(strength, 1)
    height, width = levels.shape

    def beside(rows: int, columns: int) -> NDArray[np.int64]:
        return wide[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    x, y = np.abs(across), np.abs(down)
    falling = (across < 0) != (down < 0)
    along_row = (strength > beside(0, -1)) & (strength >= beside(0, 1))
    along_column = (strength > beside(-1, 0)) & (strength >= beside(1, 0))
    before = np.where(falling, beside(-1, 1), beside(-1, -1))
    after = np.where(falling, beside(1, -1), beside(1, 1))
    along_diagonal = (strength > before) & (strength > after)
    flat, steep = y < x * _FLAT, y > x * (_FLAT + 2)
    largest = np.where(flat, along_row, np.where(steep, along_column, along_diagonal))
    parts, n = ndimage.label(largest & (strength > low), _EIGHT)
    kept = np.zeros(n + 1, bool)
    kept[parts[largest & (strength > high)]] = True
    kept[0] = False
    return kept[parts]


def _enclosed(levels: NDArray[np.int64], row: int, column: int) -> NDArray[np.bool_] | None:
    blurred = ndimage.correlate1d(
        ndimage.correlate1d(levels.astype(float), BLUR, 0, mode="mirror"), BLUR, 1, mode="mirror"
    )
    edges = find_edges(np.maximum(levels - np.floor(blurred + 0.5).astype(np.int64), 0))
    closed = ndimage.binary_erosion(ndimage.binary_dilation(edges, _EIGHT), _EIGHT, border_value=1)
    parts, n = ndimage.label(closed, _EIGHT)
    for number in range(1, n + 1):
        filled = ndimage.binary_fill_holes(parts == number)
        if filled[row, column]:
            return filled if outline_area(filled) <= LARGEST_PX else None
    return None


def outline_area(filled: NDArray[np.bool_]) -> float:
    """Area inside the line through the centres of the outermost pixels of one component without holes.

    Each 2 x 2 pixels of the component enclose 1 px, each three of such four one half.
    """
    number = filled.astype(np.int64)
    blocks = number[:-1, :-1] + number[:-1, 1:] + number[1:, :-1] + number[1:, 1:]
    return float(np.count_nonzero(blocks == 4) + np.count_nonzero(blocks == 3) / 2)


def _grey_levels(image: NDArray) -> NDArray[np.int64]:
    """Whole grey levels of 0 .. 255: those of 8 bits as they are, others by their range."""
    if image.dtype == np.uint8:
        return image.astype(np.int64)
    levels = image.astype(np.float64)
    finite = levels[np.isfinite(levels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    clean = np.nan_to_num(levels, nan=low, posinf=high, neginf=low)
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((clean - low) * scale).astype(np.int64)
