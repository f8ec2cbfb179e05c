"""Bytes of an image file -> array of grey levels, without loss of depth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import InputError, PointLabelError
from . import png, tiff
from .files import MAX_FILE_BYTES, read_bytes
from .messages import Note
from .pillow import decode_pillow
from .pixels import Pixels, merge_channels
from .quiet import QUIET
from .remote import is_uri, read_uri
from .stacks import read_frame, split_frame

# What a decoder says of a damaged file is cut to this many characters.
_MAX_WORDS = 120


class GreyLevels(NamedTuple):
    """An image in grey.

    Attributes
    ----------
    image : (H, W) array, writable.
    notes : messages about the file.
    full : largest value of the whole numbers that the file holds, such as 255; None in floating point.
    """

    image: NDArray
    notes: tuple[Note, ...]
    full: float | None


def read_source(path: str) -> bytes | Pixels:
    """What the path or URI of an image names, for `decode_levels`: a file's bytes, or a frame of one that holds many.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    if is_uri(path):
        return read_uri(path, MAX_FILE_BYTES)
    place = split_frame(path)
    if place is None:
        return read_bytes(path)
    with one_sentence(path), QUIET:
        return read_frame(*place)


def source_sha256(source: bytes | Pixels) -> str:
    """Hexadecimal hash of what `read_source` read: of the file's bytes, or of a frame's depth, shape and pixels."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    array = np.ascontiguousarray(source.array)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array.data)
    return digest.hexdigest()


def read_levels(path: str) -> GreyLevels:
    """Read the image at `path`; see `decode_levels`."""
    return decode_levels(read_source(path), path)


def read_image(path: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Read the image at `path`; see `decode_image`."""
    return decode_image(read_source(path), path)


def decode_image(data: bytes | Pixels, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Decode a PNG, TIFF, BMP or JPEG file to grey levels.

    Parameters
    ----------
    data : the file's bytes, or a frame of a file.
    name : the file's name, for messages.

    Returns
    -------
    image : (H, W) array, writable, in the depth of the file: uint8, uint16, int32, float32, ...
        Palettes are looked up, alpha is left out. Colour images with equal channels give that channel;
        others their ITU-R BT.601 luma. Pixels that hold the file's nodata value are NaN; where there are any,
        whole numbers become floating point that holds them exactly.
    notes : messages about it.

    Raises
    ------
    InputError
        Where the bytes are no such file, are cut short or damaged, take more than the limits (`limits`), or hold no
        2-D image of real numbers.
    """
    levels = decode_levels(data, name)
    return levels.image, levels.notes


def decode_levels(data: bytes | Pixels, name: str) -> GreyLevels:
    """As `decode_image`, with the range of the file's whole numbers."""
    array, notes, holes, nodata = data if isinstance(data, Pixels) else _decode(data, name, find_nodata=True)
    full = None if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    if array.ndim == 3:
        array, more = merge_channels(array, name)
        notes += more
    if holes is not None:
        if array.dtype.kind != "f":
            array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
        array = np.require(array, requirements=["W"])
        array[holes] = np.nan
        share = f"{int(np.count_nonzero(holes))} pixels ({100 * holes.mean():.3g} %)"
        notes += (Note("nodata", f"{name}: {share} hold the nodata value {nodata} of the file and count as missing"),)
    return GreyLevels(np.require(array, requirements=["C", "W"]), notes, full)


def decode_channels(data: bytes, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Decode an image file to (H, W) or, in colour, (H, W, 3); nodata values are left alone, else as `decode_image`."""
    array, notes, _, _ = _decode(data, name, find_nodata=False)
    return array, notes


def _decode(data: bytes, name: str, *, find_nodata: bool) -> Pixels:
    with one_sentence(name):
        if data.startswith(png.SIGNATURE):
            pixels = png.decode_png(data, name)
        else:
            with QUIET:
                is_tiff = data.startswith(tiff.STARTS)
                pixels = tiff.decode_tiff(data, name, find_nodata=find_nodata) if is_tiff else decode_pillow(data, name)
        if pixels.array.size == 0:
            raise InputError(f"{name}: the image has no pixels")
        return pixels


@contextmanager
def one_sentence(name: str) -> Iterator[None]:
    """Turn any error of a decoder into one sentence."""
    try:
        yield
    except PointLabelError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: not a PNG, TIFF, BMP or JPEG image, or its first bytes are damaged") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory for the pixels that the file claims to hold") from error
    except Exception as error:  # decoders raise anything at all on damaged files, down to ZeroDivisionError
        words = " ".join(str(error).split())[:_MAX_WORDS] or type(error).__name__
        raise InputError(f"{name}: the file is cut short or damaged ({words})") from error
