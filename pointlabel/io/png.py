"""PNG files through libpng, which keeps every depth and refuses damaged data."""

from __future__ import annotations

import struct

import numpy as np

from ..errors import InputError
from .limits import MAX_PIECES, check_claim, check_cost
from .messages import Note
from .orientation import exif_orientation, orientation_notes
from .pixels import Pixels
from .seal import SIGNATURE

# Channels of each colour type; a palette is looked up to red, green and blue, and transparency adds alpha.
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_RATIO = 1032  # raw bytes for each byte that Deflate can give at most


def decode_png(data: bytes, name: str) -> Pixels:
    """Decode a PNG file; palettes are looked up, and 1, 2 and 4 bits become 8."""
    from imagecodecs import png_decode

    header, chunks, packed = _chunks(data, name)
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    channels = _CHANNELS.get(colour, 4)
    raw = width * height * depth * (1 if colour == 3 else channels) // 8
    check_claim(name, width, height, raw, packed, _RATIO)
    channels += b"tRNS" in chunks
    check_cost(name, width, height, width * height * channels * (2 if depth == 16 else 1), len(data) + width * height)
    array = png_decode(data)
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] < 3 else array[..., :3]
    notes = orientation_notes(exif_orientation(chunks[b"eXIf"]), name) if b"eXIf" in chunks else ()
    frames = int.from_bytes(chunks.get(b"acTL", b"")[:4], "big")
    if frames > 1:
        notes += (Note("pages", f"{name}: it is an animation of {frames} frames; the first is used"),)
    return Pixels(np.asarray(array), notes)


def _chunks(data: bytes, name: str) -> tuple[bytes, dict[bytes, bytes], int]:
    """The header, the first chunk of each kind that describes the pixels, and the bytes of compressed data."""
    place, packed = len(SIGNATURE), 0
    found: dict[bytes, bytes] = {}
    for _ in range(MAX_PIECES):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        stop = place + 12 + size
        if stop > len(data):
            raise InputError(f"{name}: the file is cut short or damaged (its last chunk is not whole)")
        if kind == b"IDAT":
            packed += size
        elif kind in (b"IHDR", b"tRNS", b"eXIf", b"acTL"):
            found.setdefault(kind, data[place + 8 : stop - 4])
        elif kind == b"IEND":
            break
        place = stop
    else:
        raise InputError(f"{name}: more than {MAX_PIECES:,} chunks in one PNG file")
    header = found.get(b"IHDR", b"")
    if len(header) != 13:
        raise InputError(f"{name}: the file is cut short or damaged (it has no PNG header)")
    return header, found, packed
