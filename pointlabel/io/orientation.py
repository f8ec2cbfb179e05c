"""The orientation tag of an image file: not applied, but reported."""

from __future__ import annotations

from PIL import Image

from .messages import Note
from .quiet import QUIET

#: The tag, in TIFF and in EXIF.
ORIENTATION = 274
# The first directory of a block of EXIF, which holds the tag, lies at its start; in JPEG a block ends there anyway.
_MAX_EXIF = 1 << 16


def orientation_notes(value: object, name: str) -> tuple[Note, ...]:
    """A note where the value of the tag is not 1, which means that the pixels are stored upright."""
    if not isinstance(value, int) or not 2 <= value <= 8:
        return ()
    text = f"{name}: its orientation tag ({int(value)}) is left alone; points and masks count in the stored pixels"
    return (Note("orientation", f"{text}, which viewers may show rotated or mirrored"),)


def exif_orientation(block: bytes) -> object:
    """Value of the tag in a block of EXIF, None where there is none or the block, which holds no pixels, is damaged."""
    exif = Image.Exif()
    try:
        with QUIET:
            exif.load(block[:_MAX_EXIF])
            return exif.get(ORIENTATION)
    except Exception:
        return None
