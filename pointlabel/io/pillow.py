"""JPEG and BMP files through Pillow."""

from __future__ import annotations

import io

from PIL import Image

from ..errors import InputError
from .limits import check_cost, check_scans
from .messages import Note
from .orientation import exif_orientation, orientation_notes
from .pixels import Pixels, pillow_array

_FORMATS = ("JPEG", "BMP")
# Pillow decodes run lengths in Python, a byte or a pixel at a time.
_MAX_RUN_BYTES, _MAX_RUN_PX = 2 << 20, 4_000_000


def decode_pillow(data: bytes, name: str) -> Pixels:
    """Decode a JPEG or BMP file; palettes are looked up."""
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size
    # Pillow keeps four bytes for a pixel in colour.
    stored = width * height * (1 if image.mode in ("1", "L", "P") else 4)
    notes: tuple[Note, ...] = ()
    if image.format == "BMP":
        _check_runs(image, data, name)
    else:
        check_scans(name, data)
        if image.info.get("progressive"):  # all coefficients are held, two bytes each
            stored += width * height * 2 * len(image.getbands())
        if "exif" in image.info:
            notes = orientation_notes(exif_orientation(image.info["exif"]), name)
    check_cost(name, width, height, stored, len(data) + width * height * (1 if image.mode in ("1", "L") else 4))
    if image.mode == "1":
        return Pixels(pillow_array(image, "L"), notes)
    return Pixels(pillow_array(image, None if image.mode in ("L", "RGB") else "RGB"), notes)


def _check_runs(image: Image.Image, data: bytes, name: str) -> None:
    if image.info.get("compression") not in (1, 2):
        return
    if len(data) > _MAX_RUN_BYTES or image.width * image.height > _MAX_RUN_PX:
        raise InputError(
            f"{name}: run-length compressed BMP is read up to {_MAX_RUN_BYTES >> 20} MB and {_MAX_RUN_PX:,} pixels, "
            f"got {len(data):,} bytes and {image.width} x {image.height} pixels; save it as PNG"
        )
