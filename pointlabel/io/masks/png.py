"""Masks as PNG: binary, soft and instance numbers. Every file carries the program's name and a seal."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..seal import SIGNATURE, TAG, png_chunk, seal

# Depth and colour type of a PNG by Pillow's mode, and how Pillow calls the order of its bytes.
_FORMATS = {"L": (8, 0, "L"), "I;16": (16, 0, "I;16B"), "RGB": (8, 2, "RGB")}
_PIECE = 1 << 16  # bytes of compressed data per chunk, or four bytes per pixel of a row


def encode_picture(picture: Image.Image) -> bytes:
    """Encode a picture as PNG, tagged and sealed as ours."""
    return _encode(picture, zlib.Z_DEFAULT_STRATEGY)


def _encode(image: Image.Image, strategy: int = zlib.Z_RLE) -> bytes:
    # Masks are runs of equal bytes: run-length matches at the lowest level make smaller files than zlib's
    # default does, in half the time. The bytes are those of Pillow's `save`, which takes twice the time for a mask.
    depth, colour, order = _FORMATS[image.mode]
    packed = image.tobytes("zip", order, False, 1, strategy, b"")
    size = max(_PIECE, 4 * image.width)
    pieces = [png_chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size)]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *image.size, depth, colour, 0, 0, 0))
    return seal(b"".join([SIGNATURE, header, TAG, *pieces, png_chunk(b"IEND", b"")]))


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """(H, W) bool -> 8-bit grey PNG, 0 and 255."""
    if not mask.any():
        return _empty_mask(mask.shape[0], mask.shape[1])
    return _encode(Image.fromarray(mask.view(np.uint8) * np.uint8(255)))


@lru_cache(maxsize=32)
def _empty_mask(height: int, width: int) -> bytes:
    return _encode(Image.fromarray(np.zeros((height, width), np.uint8)))


def encode_grey(grey: NDArray[np.uint8]) -> bytes:
    """(H, W) uint8 -> 8-bit grey PNG."""
    return encode_picture(Image.fromarray(grey))


def encode_soft(soft: NDArray[np.float32]) -> bytes:
    """(H, W) in [0, 1] -> 16-bit grey PNG, ``round(65535 p)``."""
    return _encode(Image.fromarray(np.rint(soft.astype(np.float64) * 65535).astype(np.uint16)))


def encode_instances(instances: NDArray[np.uint16]) -> bytes:
    """(H, W) uint16, 0 for background and k for the k-th point -> 16-bit grey PNG."""
    return _encode(Image.fromarray(instances))
