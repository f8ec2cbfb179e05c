"""Small whole files of every kind that a reader meets, drawn by code, for `mutate` to damage."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import tifffile
from PIL import Image


def images() -> list[bytes]:
    """Image files of every kind that is read."""
    rng = np.random.default_rng(1)
    grey = (60 + 8 * rng.normal(size=(20, 24))).clip(0, 255).astype(np.uint8)
    colour = np.stack([grey, grey // 2, grey], axis=-1)
    deep = grey.astype(np.uint16) * 200
    out = [_saved(Image.fromarray(grey), kind) for kind in ("PNG", "BMP", "JPEG", "TIFF")]
    out += [_saved(Image.fromarray(deep), "PNG"), _saved(Image.fromarray(colour), "PNG")]
    out += [_saved(Image.fromarray(colour).convert(mode), "PNG") for mode in ("P", "RGBA", "LA", "1")]
    exif = Image.Exif()
    exif[274] = 6
    out += [_saved(Image.fromarray(colour), "JPEG", exif=exif), _saved(Image.fromarray(grey), "JPEG", progressive=True)]
    out += [_saved(Image.fromarray(colour).convert(mode), "BMP") for mode in ("RGB", "P", "1")] + [_run_length_bmp()]
    out += [_tiff(grey, compression=each) for each in ("lzw", "deflate", "zstd", "packbits", "lzma", "lerc", "jpeg")]
    out += [_tiff(deep, compression="jpeg2000"), _tiff(deep, compression="png", tile=(16, 16))]
    out += [_tiff(colour, photometric="rgb", compression="webp"), _tiff(np.stack([deep] * 3), imagej=True)]
    out += [_tiff(colour, photometric="rgb", compression="jpeg"), _tiff(deep, predictor=True, compression="lzw")]
    out += [_tiff(np.moveaxis(colour, 2, 0).copy(), photometric="rgb", planarconfig="separate")]
    out += [_tiff(grey.astype(np.float32), byteorder=">", bigtiff=True, extratags=[(42113, 2, 3, "60", True)])]
    out += [_tiff(deep, bitspersample=12), _tiff(deep.astype(np.int16), photometric="miniswhite")]
    out += [_saved(Image.fromarray(grey > 60), "TIFF", compression=each) for each in ("group3", "group4")]
    out += [_saved(Image.fromarray(colour).convert(mode), "TIFF") for mode in ("P", "CMYK", "YCbCr")]
    return out


def masks() -> list[bytes]:
    """Masks and point images."""
    mask = np.zeros((16, 18), np.uint8)
    mask[4:7, 5:8] = 255
    return [
        _saved(Image.fromarray(mask), "PNG"),
        _saved(Image.fromarray(mask > 0), "PNG"),
        _tiff(mask.astype(np.float32) / 255, compression="deflate"),
        _tiff(mask.astype(np.uint16) * 257, extratags=[(42113, 2, 2, "0", True)]),
        *images()[:12],
    ]


def tables() -> list[bytes]:
    """Tables of points."""
    return [
        b"image,x,y,label,id,tightness\na,1,2,drone,7,0.5\nsub/b.png,3.5,4.25,,,\nc,,,,,\n",
        b"\xef\xbb\xbfy;x;image\r\n1;2;a\r\n",
        b'image\tx\ty\n"a,b"\t1e1\t-2\n',
    ]


def manifests() -> list[bytes]:
    """Manifests of a run."""
    target = {"x": 1.0, "y": 2.0, "area": 9, "quality": 0.5, "flags": ["clipped"], "polarity": "bright", "ms": 1.0}
    line: dict[str, Any] = {"id": "a", "status": "ok", "height": 9, "width": 8, "warnings": [], "image": "a.png"}
    line |= {"image_sha256": "0" * 64, "points_sha256": None, "method": "default", "params": {"window": 5}}
    line |= {"tightness": 0.5, "polarity": "auto", "seed": 0, "outputs": ["masks"], "version": "1", "ms": 1.5}
    whole = json.dumps(line | {"targets": [target]})
    failed = json.dumps({"id": "b", "status": "error", "error": "b.png: no", "targets": []})
    return [f"{whole}\n{failed}\n".encode(), f"{whole}\n".encode() * 3]


def configs() -> list[bytes]:
    """Config files of the command line."""
    return [
        b'method = "default"\ntightness = 0.5\nseed = 3\n',
        b'[annotate]\nworkers = 2\npolarity = "dark"\n\n[annotate.params]\nwindow = 7\n',
    ]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _tiff(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def _run_length_bmp() -> bytes:
    """8-bit BMP with run lengths, which Pillow reads and does not write."""
    plain = bytearray(_saved(Image.fromarray(np.zeros((4, 6), np.uint8)), "BMP"))
    start = int.from_bytes(plain[10:14], "little")
    runs = b"\x06\x09\x00\x00" * 4 + b"\x00\x01"
    plain[30:34] = (1).to_bytes(4, "little")
    plain[34:38] = len(runs).to_bytes(4, "little")
    return bytes(plain[:start]) + runs
