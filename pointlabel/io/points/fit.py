"""Fit the points of a file to their image: scale, drop what is outside, drop duplicates."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..notes import Note
from .base import PointRow, PointSet

#: Points made on an image of another size are scaled where the aspect ratios agree within this share.
ASPECT_TOLERANCE = 0.01
#: Instance masks hold 16-bit numbers.
MAX_POINTS = 65535


class FittedPoints(NamedTuple):
    """Points inside their image, one a pixel.

    Attributes
    ----------
    points : (N, 2) float64, (row, column).
    rows : the file's record of each.
    notes : what was scaled or dropped.
    """

    points: NDArray[np.float64]
    rows: tuple[PointRow, ...]
    notes: tuple[Note, ...]


def fit_points(given: PointSet, shape: tuple[int, int]) -> FittedPoints:
    """Fit points to an image of `shape` (height, width).

    Points that are not finite, lie outside the image, or lie in the pixel of an earlier point are dropped
    with a note each.

    Raises
    ------
    InputError
        Where the points were made on an image of another aspect ratio, or are too many.
    """
    scale_rows, scale_columns, notes = _scale(given, shape)
    kept: list[PointRow] = []
    places: list[tuple[float, float]] = []
    seen: dict[tuple[int, int], PointRow] = {}
    for point in given.rows:
        where = f"{given.file}, {point.place}" if point.place else given.file
        row = (point.row + 0.5) * scale_rows - 0.5
        column = (point.column + 0.5) * scale_columns - 0.5
        if not (math.isfinite(row) and math.isfinite(column)):
            notes.append(Note("dropped", f"{where}: {_value(point)} is not finite; point dropped"))
            continue
        if not (-0.5 <= row < shape[0] - 0.5 and -0.5 <= column < shape[1] - 0.5):
            size = f"{shape[1]} x {shape[0]}"
            notes.append(Note("dropped", f"{where}: {_value(point)} lies outside the {size} image; point dropped"))
            continue
        pixel = (math.ceil(row - 0.5), math.ceil(column - 0.5))
        if pixel in seen:
            first = seen[pixel]
            text = f"{where}: {_value(point)} lies in the same pixel as {first.place or _value(first)}; point dropped"
            notes.append(Note("duplicate", text))
            continue
        seen[pixel] = point
        kept.append(point)
        places.append((row, column))
    if len(kept) > MAX_POINTS:
        raise InputError(f"{given.file}: {len(kept)} points in one image, more than {MAX_POINTS}; is it a mask?")
    if _mostly_touching(seen):
        text = f"{given.file}: most of its {len(kept)} points touch each other; one pixel a target is expected"
        notes.append(Note("touching", text))
    return FittedPoints(np.array(places, np.float64).reshape(-1, 2), tuple(kept), tuple(notes))


def _scale(given: PointSet, shape: tuple[int, int]) -> tuple[float, float, list[Note]]:
    if given.shape is None or given.shape == shape:
        return 1.0, 1.0, []
    height, width = given.shape
    sizes = f"{given.file} is {width} x {height}, its image {shape[1]} x {shape[0]}"
    if abs(width * shape[0] / (height * shape[1]) - 1) > ASPECT_TOLERANCE:
        raise InputError(f"{sizes}: the aspect ratios differ by more than {ASPECT_TOLERANCE:.0%}")
    return shape[0] / height, shape[1] / width, [Note("scaled", f"{sizes}: points scaled")]


def _value(point: PointRow) -> str:
    return point.given or f"(x, y) = ({point.column:g}, {point.row:g})"


def _mostly_touching(pixels: dict[tuple[int, int], PointRow]) -> bool:
    if len(pixels) < 9:
        return False
    around = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0)]
    touching = sum(any((row + dr, column + dc) in pixels for dr, dc in around) for row, column in pixels)
    return touching > len(pixels) / 2
