"""The alpha channel of an image file, which `decode_channels` leaves out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PALETTE, _WITH_ALPHA = 3, (4, 6)  # colour types of PNG


def decode_alpha(data: bytes) -> NDArray | None:
    """Return the alpha channel of a PNG, TIFF or BMP file as (H, W) in the depth of the file, None without one.

    A palette whose colours have alpha values counts. The file is one that `decode_channels` has read before.
    """
    if data[:4] in _TIFF_STARTS:
        return _alpha_of_tiff(data)
    if data.startswith(b"\x89PNG"):
        if data[25] in _WITH_ALPHA:
            import imagecodecs

            return imagecodecs.png_decode(data)[..., -1]
        return _alpha_of_pillow(data) if data[25] == _PALETTE and b"tRNS" in data else None
    return _alpha_of_pillow(data) if data.startswith(b"BM") else None


def _alpha_of_pillow(data: bytes) -> NDArray | None:
    image = Image.open(io.BytesIO(data), formats=("PNG", "BMP"))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.getchannel("A")) if "A" in image.getbands() else None


def _alpha_of_tiff(data: bytes) -> NDArray | None:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page: Any = tiff.pages[0]
        if not page.extrasamples or page.axes not in ("YXS", "SYX"):
            return None
        samples = page.asarray()
        return samples[-1] if page.axes == "SYX" else samples[..., -1]
