"""The alpha channel of an image file, which `decode_channels` leaves out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import InputError

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PALETTE, _WITH_ALPHA = 3, (4, 6)  # colour types of PNG


def decode_alpha(data: bytes, name: str) -> NDArray | None:
    """Return the alpha channel of a PNG, TIFF or BMP file as (H, W) in the depth of the file, None without one.

    Parameters
    ----------
    data : the file's bytes, which `decode_channels` has read before: it checks sizes and damage. The alpha values of a
        palette's colours count.
    name : the file's name, for messages.
    """
    try:
        if data.startswith(_TIFF_STARTS):
            return _alpha_of_tiff(data)
        if data.startswith(b"\x89PNG"):
            return _alpha_of_png(data)
        return _alpha_of_bmp(data) if data.startswith(b"BM") else None
    except Exception as error:  # decoders raise anything at all
        words = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{name}: its alpha channel is damaged ({words})") from error


def _alpha_of_png(data: bytes) -> NDArray | None:
    if data[25] not in _WITH_ALPHA and not (data[25] == _PALETTE and b"tRNS" in data):
        return None
    from imagecodecs import png_decode

    samples = png_decode(data)
    return samples[..., -1] if samples.ndim == 3 and samples.shape[2] in (2, 4) else None


def _alpha_of_bmp(data: bytes) -> NDArray | None:
    image = Image.open(io.BytesIO(data), formats=("BMP",))
    return np.array(image.getchannel("A")) if image.mode == "RGBA" else None


def _alpha_of_tiff(data: bytes) -> NDArray | None:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as tiff:
        page: Any = tiff.pages[0]
        if not any(int(kind) in (1, 2) for kind in page.extrasamples) or page.axes not in ("YXS", "SYX"):
            return None
        samples = page.asarray()
        return samples[-1] if page.axes == "SYX" else samples[..., -1]
