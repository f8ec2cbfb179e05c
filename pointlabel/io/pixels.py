"""Decoded pixels, and colour -> grey levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .messages import Note

# ITU-R BT.601 luma in 16-bit fixed point: for 8 bits exactly what Pillow's convert("L") gives.
_RED, _GREEN, _BLUE, _HALF = 19595, 38470, 7471, 32768
# Pixels that are converted at a time: the copies that this makes stay in the cache.
_BAND_PX = 1 << 16
# Each crop of Pillow costs a little, so that those are larger.
_CROP_PX = 1 << 22


class Pixels(NamedTuple):
    """What a decoder gives.

    Attributes
    ----------
    array : (H, W), or (H, W, C) with the red, green and blue channels first.
    notes : messages about the file.
    holes : (H, W) bool, pixels that hold the file's own nodata value, None where there are none.
    nodata : that value as the file gives it.
    """

    array: NDArray
    notes: tuple[Note, ...] = ()
    holes: NDArray[np.bool_] | None = None
    nodata: str = ""


def bands(height: int, width: int, n_px: int = _BAND_PX) -> Iterator[slice]:
    """Slices of rows that cover an image, each of `n_px` pixels at most, or of one row."""
    rows = max(1, n_px // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def pillow_array(image: Image.Image, mode: str | None = None) -> NDArray[np.uint8]:
    """Pixels of a Pillow image, (H, W) or (H, W, C) uint8, converted to `mode` where one is given."""
    width, height = image.size
    if width * height <= _CROP_PX:
        return np.array(image if mode is None else image.convert(mode))
    channels = len(Image.new(mode or image.mode, (1, 1)).getbands())
    out = np.empty((height, width, channels) if channels > 1 else (height, width), np.uint8)
    for rows in bands(height, width, _CROP_PX):
        part = image.crop((0, rows.start, width, rows.stop))
        out[rows] = np.array(part if mode is None else part.convert(mode))
    return out


def convert_colours(array: NDArray, mode: str) -> NDArray[np.uint8]:
    """(H, W, C) uint8 of a colour model of Pillow, such as CMYK -> (H, W, 3) uint8 in red, green and blue."""
    out = np.empty((*array.shape[:2], 3), np.uint8)
    for rows in bands(*array.shape[:2]):
        out[rows] = np.array(Image.fromarray(np.ascontiguousarray(array[rows]), mode).convert("RGB"))
    return out


def merge_channels(colour: NDArray, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """(H, W, 3) of any depth -> its one channel where all are equal, else the luma in the same dtype."""
    parts = list(bands(*colour.shape[:2]))
    red, green, blue = colour[..., 0], colour[..., 1], colour[..., 2]
    if all(np.array_equal(red[rows], green[rows]) and np.array_equal(red[rows], blue[rows]) for rows in parts):
        return red, ()
    text = f"{name}: its colour channels differ; their luma (ITU-R BT.601) is used as the grey level"
    kind = colour.dtype if colour.dtype.kind == "f" or colour.dtype in (np.uint8, np.uint16) else np.float64
    out = np.empty(colour.shape[:2], kind)
    for rows in parts:
        out[rows] = _luma(colour[rows])
    return out, (Note("channels", text),)


def _luma(colour: NDArray) -> NDArray:
    if colour.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(colour)).convert("L"))
    if colour.dtype == np.uint16:
        wide = colour.astype(np.uint32)
        return (wide[..., 0] * _RED + wide[..., 1] * _GREEN + wide[..., 2] * _BLUE + _HALF) >> 16
    return colour.astype(np.float64) @ (np.array([_RED, _GREEN, _BLUE]) / 65536)
