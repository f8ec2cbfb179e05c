"""Check arguments once, return clean arrays; the code behind trusts them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, shown


def as_image(image: ArrayLike) -> NDArray:
    """Return `image` as a 2-D array of integers, float32 or float64, without a copy where it is one."""
    if isinstance(image, str | os.PathLike):
        raise InputError(f"image must be an array, got the path {shown(os.fspath(image))}; read_image reads a file")
    array = _as_array(image, "image")
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
    """Return `points` as (N, 2) float64 in (row, column), each inside an image of `shape`; (2,) is one point.

    A point belongs to the pixel it is nearest to, so the image covers [-0.5, size - 0.5) on each axis.
    """
    array = as_floats(points, "points")
    if array.size == 0:
        return np.zeros((0, 2))
    if array.shape == (2,):
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"points must have shape (N, 2) as (row, column), got {array.shape}")
    inside = (array >= -0.5) & (array < (shape[0] - 0.5, shape[1] - 0.5))  # NaN compares as outside
    if not inside.all():
        bad = ~inside.all(axis=1)
        row = int(np.flatnonzero(bad)[0])
        where = ", ".join(f"{value:g}" for value in array[row])
        raise InputError(f"points must lie inside the {shape[0]} x {shape[1]} image, got ({where}) as point {row}")
    return array


def as_unit_vector(values: ArrayLike, n: int, name: str) -> NDArray[np.float64]:
    """Return a number or N numbers in [0, 1] as (N,) float64."""
    if type(values) is float and 0 <= values <= 1:  # the usual case
        return np.full(n, values)
    array = as_floats(values, name)
    if array.ndim > 1 or (array.ndim == 1 and array.shape[0] != n):
        raise InputError(f"{name} must be one number or {n} numbers, got shape {array.shape}")
    bad = ~((array >= 0) & (array <= 1))
    if bad.any():
        raise InputError(f"{name} must lie in [0, 1], got {np.atleast_1d(array)[np.atleast_1d(bad)][0]:g}")
    return np.broadcast_to(array, (n,)).copy()


def _as_array(values: ArrayLike, name: str) -> NDArray:
    if np.ma.is_masked(values):
        raise InputError(
            f"{name} has masked values; fill them, those of an image by NaN: .astype(float).filled(np.nan)"
        )
    try:
        return np.asarray(values)
    except Exception as error:  # rows of unequal length, and whatever objects of others raise
        raise InputError(f"{name} must be real numbers in rows of equal length: {error}") from None


def as_reals(values: ArrayLike, name: str) -> NDArray:
    """Return real numbers of any shape in the type they have; text, None and complex numbers are none."""
    array = _as_array(values, name)
    if array.dtype.kind not in "uifb":
        raise InputError(f"{name} must be real numbers, got {shown(values)}")
    return array


def as_floats(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return real numbers of any shape as float64, without a copy where they are."""
    return as_reals(values, name).astype(np.float64, copy=False)


def pixel_of(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Nearest pixel of each point, halves rounded down on both axes, (N, 2) int64."""
    pixels = np.ceil(points - 0.5).astype(np.int64)
    return np.minimum(np.maximum(pixels, 0), (shape[0] - 1, shape[1] - 1))  # a third of what np.clip costs


def as_areas(values: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return N whole, positive areas in pixels as (n,) int64."""
    array = as_floats(values, "true_area")
    if array.shape != (n,):
        raise InputError(f"true_area must hold {n} areas, one for each point, got shape {array.shape}")
    bad = ~((array >= 1) & (array < 2**53)) | (array % 1 != 0)
    if bad.any():
        raise InputError(f"true_area must hold whole numbers of pixels >= 1, got {array[bad][0]:g}")
    return array.astype(np.int64)


def as_generator(rng: Any, name: str = "rng") -> np.random.Generator:
    """Return the generator of a seed, of None, or the generator that is given."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a seed of 0 or more, a numpy Generator or None, got {shown(rng)}") from None


def as_mask(mask: Any, name: str) -> NDArray[np.bool_]:
    """Return `mask` as it is; raise where it is no (H, W) array of bool."""
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != bool:
        what = f"an array {mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else shown(mask)
        raise InputError(f"{name} must be an array (height, width) of bool, got {what}")
    return mask
