"""Masks as PNG: binary, soft and instance numbers. Every file carries the program's name and a seal."""

from __future__ import annotations

import io
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..seal import SOFTWARE, seal


@lru_cache(maxsize=1)
def _tag() -> PngInfo:
    info = PngInfo()
    info.add_text("Software", SOFTWARE)
    return info


def encode_picture(picture: Image.Image) -> bytes:
    """Encode a picture as PNG, tagged and sealed as ours."""
    return _encode(picture, zlib.Z_DEFAULT_STRATEGY)


def _encode(image: Image.Image, strategy: int = zlib.Z_RLE) -> bytes:
    # Masks are runs of equal bytes: run-length matches at the lowest level make smaller files than zlib's
    # default does, in half the time.
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, compress_type=strategy, pnginfo=_tag())
    return seal(buffer.getvalue())


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """(H, W) bool -> 8-bit grey PNG, 0 and 255."""
    if not mask.any():
        return _empty_mask(mask.shape[0], mask.shape[1])
    return _encode(Image.fromarray(np.multiply(mask, 255, dtype=np.uint8)))


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
