"""Fit the points of a file to their image: scale, drop what is outside, drop duplicates."""

from __future__ import annotations

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


def place_points(given: PointSet, shape: tuple[int, int]) -> tuple[NDArray[np.float64], list[Note]]:
    """Bring points to an image of `shape` (height, width) and leave them there, inside it or not.

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
    places, notes = place_points(given, shape)
    finite = np.asarray(np.isfinite(places).all(axis=1))
    good = finite & is_inside(places, shape)
    pixels = np.ceil(np.where(good[:, None], places, 0) - 0.5).astype(np.int64)
    number = np.where(good, pixels[:, 0] * shape[1] + pixels[:, 1], -1 - np.arange(len(places)))
    _, first, group = np.unique(number, return_index=True, return_inverse=True)
    earlier = first[group.reshape(-1)]
    kept = np.flatnonzero(good & (earlier == np.arange(len(places))))
    if len(kept) > MAX_POINTS:
        raise InputError(f"{given.file}: {len(kept)} points in one image, more than {MAX_POINTS}; is it a mask?")
    for index in np.flatnonzero(~good | (earlier != np.arange(len(places)))).tolist():
        point = given.rows[index]
        where = f"{given.file}, {point.place}" if point.place else given.file
        if not finite[index]:
            notes.append(Note("dropped", f"{where}: {_value(point)} is not finite; point dropped"))
        elif not good[index]:
            size = f"{shape[1]} x {shape[0]}"
            notes.append(Note("dropped", f"{where}: {_value(point)} lies outside the {size} image; point dropped"))
        else:
            other = given.rows[int(earlier[index])]
            text = f"{where}: {_value(point)} lies in the same pixel as {other.place or _value(other)}; point dropped"
            notes.append(Note("duplicate", text))
    if mostly_touching(pixels[kept]):
        text = f"{given.file}: most of its {len(kept)} points touch each other; one pixel per target is expected"
        notes.append(Note("touching", text))
    return FittedPoints(places[kept], tuple(given.rows[index] for index in kept.tolist()), tuple(notes))


def _scale(given: PointSet, shape: tuple[int, int]) -> tuple[NDArray[np.float64], list[Note]]:
    if given.shape is None or given.shape == shape:
        return np.ones(2), []
    height, width = given.shape
    sizes = f"{given.file} is {width} x {height}, its image {shape[1]} x {shape[0]}"
    if abs(width * shape[0] / (height * shape[1]) - 1) > ASPECT_TOLERANCE:
        raise InputError(f"{sizes}: the aspect ratios differ by more than {ASPECT_TOLERANCE:.0%}")
    return np.array([shape[0] / height, shape[1] / width]), [Note("scaled", f"{sizes}: points scaled")]


def _value(point: PointRow) -> str:
    return point.given or f"(x, y) = ({point.column:g}, {point.row:g})"


def mostly_touching(pixels: NDArray[np.int64]) -> bool:
    """Whether there are at least nine of (N, 2) pixels and most of them have one of the others beside them."""
    if len(pixels) < 9:
        return False
    width = int(pixels[:, 1].max()) + 3
    numbers = np.sort((pixels[:, 0] + 1) * width + pixels[:, 1] + 1)
    touching = np.zeros(len(numbers), bool)
    for step in (1, width - 1, width, width + 1):
        place = np.minimum(np.searchsorted(numbers, numbers + step), len(numbers) - 1)
        meets = numbers[place] == numbers + step
        touching |= meets
        touching[place[meets]] = True
    return bool(touching.mean() > 0.5)
