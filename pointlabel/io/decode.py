"""Bytes of an image file -> array of grey levels, without loss of depth."""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import InputError
from .files import read_bytes
from .notes import Note

# ITU-R BT.601 luma in 16-bit fixed point: for 8 bits exactly what Pillow's convert("L") gives.
_RED, _GREEN, _BLUE, _HALF = 19595, 38470, 7471, 32768
_FORMATS = ("PNG", "TIFF", "BMP", "JPEG")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What Pillow and tifffile raise on damaged files.
_DAMAGED = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, struct.error, zlib.error)


def read_image(path: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Read the image at `path`; see `decode_image`."""
    return decode_image(read_bytes(path), path)


def decode_image(data: bytes, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Decode a PNG, TIFF, BMP or JPEG file to grey levels.

    Parameters
    ----------
    data : the file's bytes.
    name : the file's name, for messages.

    Returns
    -------
    image : (H, W) array, writable, in the depth of the file: uint8, uint16, int32, float32, ...
        Palettes are looked up, alpha is left out. Colour images with equal channels give that channel;
        others their ITU-R BT.601 luma.
    notes : what to tell about it.

    Raises
    ------
    InputError
        Where the bytes are no such file, are cut short or damaged, or hold no 2-D image of real numbers.
    """
    channels, notes = decode_channels(data, name)
    if channels.ndim == 2:
        return np.require(channels, requirements=["C", "W"]), notes
    image, more = _merge(channels, name)
    return np.require(image, requirements=["C", "W"]), notes + more


def decode_channels(data: bytes, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Decode an image file to (H, W) or, in colour, (H, W, 3); otherwise as `decode_image`."""
    with _one_sentence(name):
        if data[:4] in _TIFF_STARTS:
            array, notes = _decode_tiff(data, name)
        else:
            array, notes = _decode_pillow(data), ()
    if array.size == 0:
        raise InputError(f"{name}: the image has no pixels")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype.kind not in "uif":
        raise InputError(f"{name}: pixels must be real numbers, got {array.dtype}")
    return array.astype(array.dtype.newbyteorder("="), copy=False), notes


@contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    """Whatever a decoder raises becomes one sentence; what it warns and logs of damaged files is left out."""
    try:
        with _QUIET:
            yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: not a PNG, TIFF, BMP or JPEG image, or its first bytes are damaged") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory for the pixels that the file claims to hold") from error
    except _DAMAGED as error:
        raise InputError(f"{name}: the file is cut short or damaged ({str(error) or type(error).__name__})") from error


class _Quiet:
    """No warnings, and no log of tifffile, while any thread is inside.

    Both belong to the process: threads that restored them each for itself would leave them off for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._restore = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._n_inside == 1:
                log = logging.getLogger("tifffile")
                self._restore.callback(setattr, log, "disabled", log.disabled)
                log.disabled = True
                self._restore.enter_context(warnings.catch_warnings())
                # Pillow warns of large images, among others: frames of 10,000 x 10,000 pixels are real. Its error, at
                # twice the size, stays in force.
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._restore.close()


_QUIET = _Quiet()


def _merge(colour: NDArray, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """(H, W, 3) of any depth -> its one channel where all are equal, else the luma in the same dtype."""
    red, green, blue = colour[..., 0], colour[..., 1], colour[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red, ()
    text = f"{name}: its colour channels differ; their luma (ITU-R BT.601) is used as the grey level"
    notes = (Note("channels", text),)
    if colour.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(colour)).convert("L")), notes
    if colour.dtype == np.uint16:
        wide = colour.astype(np.uint32)
        luma = (wide[..., 0] * _RED + wide[..., 1] * _GREEN + wide[..., 2] * _BLUE + _HALF) >> 16
        return luma.astype(np.uint16), notes
    floats = colour.astype(np.float64) @ (np.array([_RED, _GREEN, _BLUE]) / 65536)
    return floats.astype(colour.dtype) if colour.dtype.kind == "f" else floats, notes


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=_FORMATS)


def _decode_pillow(data: bytes) -> NDArray:
    image = _open(data)
    mode = image.mode
    if image.format == "PNG" and data[24] == 16 and data[25] in (2, 4, 6):
        return _decode_deep_png(image, data)
    if mode in ("L", "RGB", "F", "I") or mode.startswith("I;16"):
        return np.array(image)
    if mode == "1":
        return np.array(image.convert("L"))
    if mode in ("LA", "La"):
        return np.array(image.getchannel(0))
    return np.array(image.convert("RGB"))


def _decode_deep_png(image: Image.Image, data: bytes) -> NDArray:
    """16-bit PNG with several channels, which Pillow alone cuts to the upper byte of each.

    Pillow reads the lower bytes when told that the words are little-endian, so two passes give both.
    """
    if data[25] == 4:  # grey and alpha: four bytes a pixel, read as if they were four channels
        parts = np.array(_reread(image, "RGBA")).astype(np.uint16)
        return parts[..., 0] << 8 | parts[..., 1]
    low = np.array(_reread(image, "RGB;16L" if data[25] == 2 else "RGBA;16L")).astype(np.uint16)
    high = np.array(_open(data)).astype(np.uint16)
    return (high << 8 | low)[..., :3]


def _reread(image: Image.Image, raw_mode: str) -> Image.Image:
    plugin: Any = image  # only file plugins have tiles
    plugin.tile = [tile._replace(args=raw_mode) for tile in plugin.tile]
    return image


def _decode_tiff(data: bytes, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """TIFF through tifffile, which keeps every depth; palettes and rare compressions through Pillow."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        pages = len(tiff.pages)
        notes = () if pages == 1 else (Note("pages", f"{name}: it holds {pages} pages; the first is used"),)
        page: Any = tiff.pages[0]
        photometric = int(page.photometric)
        if photometric > 2:  # neither grey nor RGB: a palette, YCbCr, CMYK
            return _decode_pillow(data), notes
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and page.imagewidth * page.imagelength * page.imagedepth > 2 * limit:
            raise InputError(f"{name}: {page.imagewidth} x {page.imagelength} pixels are more than can be read")
        try:
            array = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            return _decode_packed_tiff(data, page, name), notes
        axes = page.axes
    if axes.startswith("S"):
        array = np.moveaxis(array, 0, -1)
    if axes not in ("YX", "YXS", "SYX"):
        raise InputError(f"{name}: the page must hold one image, got axes {axes} of shape {array.shape}")
    if photometric == 0 and array.dtype.kind in "ub":  # 0 is white
        array = ~array if array.dtype == bool else (2**page.bitspersample - 1) - array
    if array.ndim == 3:
        array = array[..., :3] if array.shape[-1] > 2 else array[..., 0]
    return array, notes


def _decode_packed_tiff(data: bytes, page: Any, name: str) -> NDArray:
    """A compression that tifffile leaves to the package imagecodecs: Pillow, where it keeps the depth."""
    if page.samplesperpixel > 1 and page.bitspersample > 8:
        raise InputError(
            f"{name}: {page.compression.name}-compressed TIFF with {page.samplesperpixel} channels of "
            f"{page.bitspersample} bits needs the package imagecodecs (or save it without compression)"
        )
    return _decode_pillow(data)
