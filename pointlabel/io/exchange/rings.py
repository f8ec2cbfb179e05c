"""Polygons on the corners of pixels, whose pixel i covers [i, i + 1): masks to rings and back, exactly.

A mask becomes one ring: the borders of its parts and holes, joined by lines that are walked forth and back, which
enclose nothing. A pixel belongs to rings where its centre lies inside an odd number of times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .base import crop

Ring = list[tuple[float, float]]
# Steps along the border: right, down, left, up, with the mask on the right hand.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def trace(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> list[Ring]:
    """Rings of the corners (x, y) around a mask's parts and holes; the mask is on the right hand.

    Parameters
    ----------
    mask : (h, w) bool.
    origin : (row, column) of its first pixel in the image.
    """
    padded = np.pad(mask, 1)
    inside, above, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
    edges: dict[tuple[int, int], list[int]] = {}
    for direction, here, shift in (
        (0, inside & ~above, (0, 0)),  # top side of a pixel, walked to the right
        (1, left & ~inside, (0, 0)),  # right side, downward
        (2, above & ~inside, (1, 0)),  # bottom side, to the left
        (3, inside & ~left, (0, 1)),  # left side, upward
    ):
        for row, column in np.argwhere(here).tolist():
            edges.setdefault((column + shift[0], row + shift[1]), []).append(direction)
    rings: list[Ring] = []
    while edges:
        start = min(edges, key=lambda corner: (corner[1], corner[0]))
        rings.append([(x + origin[1], y + origin[0]) for x, y in _walk(edges, start)])
    return rings


def _walk(edges: dict[tuple[int, int], list[int]], start: tuple[int, int]) -> list[tuple[int, int]]:
    """Follow the border from `start` until it closes; used edges are removed, corners on straight lines left out."""
    here, before = start, -1
    corners = []
    while True:
        ways = edges[here]
        # Where two pixels touch by a corner, the turn to the right keeps to the same pixel.
        way = ways[0] if len(ways) == 1 or before < 0 else next(w for w in ways if w == (before + 1) % 4)
        ways.remove(way)
        if not ways:
            del edges[here]
        if way != before:
            corners.append(here)
        here, before = (here[0] + _STEPS[way][0], here[1] + _STEPS[way][1]), way
        if here == start:
            return corners


def join(rings: Sequence[Ring]) -> Ring:
    """One ring of several: from the first corner of the first to each of the others and back."""
    first, *others = rings
    out = list(first)
    for ring in others:
        out += [first[0], *ring, ring[0]]
    return [*out, first[0]] if others else out


def fill(rings: Sequence[Ring], shape: tuple[int, int]) -> tuple[tuple[int, int], NDArray[np.bool_]] | None:
    """The window of the pixels whose centres lie inside an odd number of the rings; None where there are none.

    Parameters
    ----------
    rings : corners (x, y) in pixels, the corner of the first pixel at (0, 0).
    shape : (H, W) of the image, outside of which nothing is filled.
    """
    corners = np.asarray([corner for ring in rings for corner in ring], np.float64).reshape(-1, 2)
    if not len(corners) or not np.isfinite(corners).all():
        return None
    limits = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)), 0, limits).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, limits).astype(int)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    if left >= right or top >= bottom:
        return None
    # Crossings of each row's line of centres, right of which everything changes sides.
    flips = np.zeros((bottom - top, right - left + 1), np.int64)
    for ring in rings:
        points = np.asarray(ring, np.float64).reshape(-1, 2)
        for (x0, y0), (x1, y1) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
            if y0 == y1:
                continue
            if y0 > y1:  # the same arithmetic either way, so that a line walked forth and back encloses nothing
                x0, y0, x1, y1 = x1, y1, x0, y0
            rows = np.arange(max(int(np.ceil(y0 - 0.5)), top), min(int(np.ceil(y1 - 0.5)), bottom))
            across = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            columns = np.clip(np.ceil(across - 0.5).astype(np.int64) - left, 0, right - left)
            np.add.at(flips, (rows - top, columns), 1)
    mask = np.cumsum(flips[:, :-1], axis=1) % 2 == 1
    return crop(mask, (top, left))


def rectangle(box: tuple[float, float, float, float]) -> Ring:
    """The ring of a box: left, top, width and height."""
    left, top, width, height = box
    return [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]


def union(
    windows: Sequence[tuple[tuple[int, int], NDArray[np.bool_]]],
) -> tuple[tuple[int, int], NDArray[np.bool_]] | None:
    """The window of all pixels of several windows; None where there is none."""
    if len(windows) < 2:
        return windows[0] if windows else None
    top, left = (min(origin[axis] for origin, _ in windows) for axis in (0, 1))
    bottom, right = (max(origin[axis] + mask.shape[axis] for origin, mask in windows) for axis in (0, 1))
    out = np.zeros((bottom - top, right - left), bool)
    for (row, column), mask in windows:
        out[row - top : row - top + mask.shape[0], column - left : column - left + mask.shape[1]] |= mask
    return (top, left), out
