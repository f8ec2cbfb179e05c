"""Fit the points of a file to their image: scale, drop what is outside, drop duplicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..messages import Note
from .base import PointRow, PointSet

#: Points made on an image of another size are scaled where the aspect ratios agree within this share.
ASPECT_TOLERANCE = 0.01
#: Fewer points than this may touch each other.
FEWEST_TOUCHING = 9
#: Instance masks hold 16-bit numbers.
MAX_POINTS = 65535


class FittedPoints(NamedTuple):
    """Points inside their image, at most one per pixel.

    Attributes
    ----------
    points : (N, 2) float64, (row, column).
    rows : the file's record of each.
    notes : what was scaled or dropped.
    """

    points: NDArray[np.float64]
    rows: tuple[PointRow, ...]
    notes: tuple[Note, ...]


def place_points(given: PointSet, shape: tuple[int, int]) -> tuple[NDArray[np.float64], list[Note]]:
    """Scale points to an image of `shape` (height, width), and keep those outside it.

    Returns
    -------
    (N, 2) float64, (row, column), and a note where they are scaled.

    Raises
    ------
    InputError
        Where the points were made on an image of another aspect ratio.
    """
    scale, notes = _scale(given, shape)
    places = np.array([row[:2] for row in given.rows], np.float64).reshape(-1, 2)
    return (places + 0.5) * scale - 0.5, notes


def is_inside(places: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether each of (N, 2) places lies inside an image of `shape`, (N,) bool."""
    return np.asarray(((places >= -0.5) & (places < np.asarray(shape) - 0.5)).all(axis=1))


def fit_points(given: PointSet, shape: tuple[int, int]) -> FittedPoints:
    """Fit points to an image of `shape` (height, width).

    Points that are not finite, lie outside the image, or lie in the pixel of an earlier point are dropped
    with a note each.

    Raises
    ------
    InputError
        Where the points were made on an image of another aspect ratio, or are too many.
    """
    # A loop of plain numbers: most images have a few points, for which arrays take ten times as long.
    (scale_rows, scale_columns), notes = _scale(given, shape)
    kept: list[PointRow] = []
    places: list[tuple[float, float]] = []
    seen: dict[tuple[int, int], PointRow] = {}
    for point in given.rows:
        row = (point.row + 0.5) * scale_rows - 0.5
        column = (point.column + 0.5) * scale_columns - 0.5
        if not (math.isfinite(row) and math.isfinite(column)):
            notes.append(Note("dropped", f"{_where(given, point)} is not finite; point dropped"))
            continue
        if not (-0.5 <= row < shape[0] - 0.5 and -0.5 <= column < shape[1] - 0.5):
            size = f"{shape[1]} x {shape[0]}"
            notes.append(Note("dropped", f"{_where(given, point)} lies outside the {size} image; point dropped"))
            continue
        pixel = (math.ceil(row - 0.5), math.ceil(column - 0.5))
        first = seen.setdefault(pixel, point)
        if first is not point:
            other = first.place or first.value
            notes.append(Note("duplicate", f"{_where(given, point)} lies in the same pixel as {other}; point dropped"))
            continue
        kept.append(point)
        places.append((row, column))
    if len(kept) > MAX_POINTS:
        raise InputError(f"{given.file}: {len(kept)} points in one image, more than {MAX_POINTS}; is it a mask?")
    if mostly_touching(list(seen)):
        text = f"{given.file}: most of its {len(kept)} points touch each other; one pixel per target is expected"
        notes.append(Note("touching", text))
    return FittedPoints(np.array(places, np.float64).reshape(-1, 2), tuple(kept), tuple(notes))


def _where(given: PointSet, point: PointRow) -> str:
    return f"{given.file}, {point.place}: {point.value}" if point.place else f"{given.file}: {point.value}"


def _scale(given: PointSet, shape: tuple[int, int]) -> tuple[tuple[float, float], list[Note]]:
    if given.in_shares:
        return (float(shape[0]), float(shape[1])), []
    if given.shape is None or given.shape == shape:
        return (1.0, 1.0), []
    height, width = given.shape
    sizes = f"{given.file} is {width} x {height}, its image {shape[1]} x {shape[0]}"
    if abs(width * shape[0] / (height * shape[1]) - 1) > ASPECT_TOLERANCE:
        raise InputError(f"{sizes}: the aspect ratios differ by more than {ASPECT_TOLERANCE:.0%}")
    return (shape[0] / height, shape[1] / width), [Note("scaled", f"{sizes}: points scaled")]


def mostly_touching(places: Sequence[tuple[int, int]] | NDArray[np.int64]) -> bool:
    """Whether there are `FEWEST_TOUCHING` of (N, 2) pixels, and most have one of the others beside them."""
    return len(places) >= FEWEST_TOUCHING and count_touching(places) > len(places) / 2


def count_touching(places: Sequence[tuple[int, int]] | NDArray[np.int64]) -> int:
    """How many of (N, 2) pixels have one of the others beside them."""
    if not len(places):
        return 0
    pixels = np.asarray(places)
    width = int(pixels[:, 1].max()) + 3
    numbers = np.sort((pixels[:, 0] + 1) * width + pixels[:, 1] + 1)
    touching = np.zeros(len(numbers), bool)
    for step in (1, width - 1, width, width + 1):
        place = np.minimum(np.searchsorted(numbers, numbers + step), len(numbers) - 1)
        meets = numbers[place] == numbers + step
        touching |= meets
        touching[place[meets]] = True
    return int(touching.sum())
