"""Check arguments once, return clean arrays; the code behind trusts them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError


def as_image(image: ArrayLike) -> NDArray:
    """Return `image` as a 2-D array of integers, float32 or float64, without a copy where it is one."""
    array = np.asarray(image)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"image must be a non-empty 2-D array (height, width), got shape {array.shape}")
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype.kind in "ui":
        return array.astype(array.dtype.newbyteorder("="), copy=False)  # compiled code wants the machine's order
    if array.dtype.kind == "f":
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    raise InputError(f"image must hold real numbers, got dtype {array.dtype}")


def as_points(points: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return `points` as (N, 2) float64 in (row, column), each inside an image of `shape`.

    A point belongs to the pixel it is nearest to, so the image covers [-0.5, size - 0.5) on each axis.
    """
    array = _as_floats(points, "points")
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"points must have shape (N, 2) as (row, column), got {array.shape}")
    inside = (array >= -0.5) & (array < (shape[0] - 0.5, shape[1] - 0.5))  # NaN compares as outside
    if not inside.all():
        bad = ~inside.all(axis=1)
        row = int(np.flatnonzero(bad)[0])
        where = ", ".join(f"{value:g}" for value in array[row])
        raise InputError(f"points must lie inside the {shape[0]} x {shape[1]} image, got ({where}) at row {row}")
    return array


def as_unit_vector(values: ArrayLike, n: int, name: str) -> NDArray[np.float64]:
    """Return a number or N numbers in [0, 1] as (N,) float64."""
    if type(values) is float and 0 <= values <= 1:  # the usual case
        return np.full(n, values)
    array = _as_floats(values, name)
    if array.ndim > 1 or (array.ndim == 1 and array.shape[0] != n):
        raise InputError(f"{name} must be one number or {n} numbers, got shape {array.shape}")
    bad = ~((array >= 0) & (array <= 1))
    if bad.any():
        raise InputError(f"{name} must lie in [0, 1], got {np.atleast_1d(array)[np.atleast_1d(bad)][0]:g}")
    return np.broadcast_to(array, (n,)).copy()


def _as_floats(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be real numbers in rows of equal length: {error}") from None


def pixel_of(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Nearest pixel of each point, halves rounded down on both axes, (N, 2) int64."""
    pixels = np.ceil(points - 0.5).astype(np.int64)
    return np.minimum(np.maximum(pixels, 0), (shape[0] - 1, shape[1] - 1))  # a third of what np.clip costs


def as_areas(values: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return N whole, positive areas in pixels as (n,) int64."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise InputError(f"true_area must hold {n} areas, one for each point, got shape {array.shape}")
    bad = ~(np.asarray(array, np.float64) >= 1) | (np.asarray(array, np.float64) % 1 != 0)
    if bad.any():
        raise InputError(f"true_area must hold whole numbers of pixels >= 1, got {array[bad][0]:g}")
    return array.astype(np.int64)


def check_range(owner: object, name: str, low: float, high: float) -> None:
    """Raise where a parameter's field lies outside [low, high]."""
    value = getattr(owner, name)
    if not low <= value <= high:
        raise InputError(f"{type(owner).__name__}.{name} must lie in [{low:g}, {high:g}], got {value!r}")


def check_choice(owner: object, name: str, choices: tuple[str, ...]) -> None:
    """Raise where a parameter's field is none of `choices`."""
    value = getattr(owner, name)
    if value not in choices:
        raise InputError(f"{type(owner).__name__}.{name} must be one of {', '.join(choices)}, got {value!r}")
