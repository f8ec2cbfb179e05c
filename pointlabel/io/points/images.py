"""Points as one-pixel images: every non-zero pixel is a target."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...errors import InputError
from ..decode import decode_channels
from ..files import read_bytes
from ..images import walk_images
from .base import Bound, PointEntry, PointRow, PointSet


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """The point image of one image; `rivals` are other point images with the same id."""

    path: str
    rivals: tuple[str, ...] = ()

    def load(self) -> PointSet:
        """Read the point image."""
        if self.rivals:
            raise InputError(f"{', '.join((self.path, *self.rivals))}: point images of the same image; keep one")
        data = read_bytes(self.path)
        return PointSet(self.path, *_rows_of(data, self.path), hashlib.sha256(data).hexdigest())


class ImageFolder:
    """A folder of point images with the names and sub-folders of the images."""

    has_tightness = False
    names_images = False

    def __init__(self, folder: str) -> None:
        self._root = folder
        self._paths: dict[str, list[str]] = {}
        for path in sorted(walk_images(folder)):
            name = os.path.splitext(os.path.relpath(path, folder))[0].replace(os.sep, "/")
            self._paths.setdefault(name, []).append(path)

    def bind(self, ids: Collection[str]) -> Bound:
        """Match point images with the images of the same id."""
        entries: dict[str, PointEntry] = {}
        unknown = []
        for name, (path, *rivals) in self._paths.items():
            if name in ids:
                entries[name] = ImageEntry(path, tuple(rivals))
            else:
                unknown.append((name, f"{path}: there is no image for these points"))
        return Bound(entries, unknown)


def _rows_of(data: bytes, name: str) -> tuple[tuple[PointRow, ...], tuple[int, int]]:
    pixels, _ = decode_channels(data, name)
    marked = pixels != 0
    # A flat search of booleans is much faster than np.nonzero on the rows and columns of grey levels.
    flat = np.flatnonzero(marked if marked.ndim == 2 else marked.any(axis=-1))
    rows, columns = np.divmod(flat, pixels.shape[1])
    points = tuple(PointRow(float(row), float(column)) for row, column in zip(rows, columns, strict=True))
    return points, (pixels.shape[0], pixels.shape[1])


def point_image(points: Collection[tuple[float, float]], shape: tuple[int, int]) -> Image.Image:
    """Draw (row, column) points as a one-pixel image, the inverse of reading one.

    Points lie on the pixel they are nearest to, halves rounded down.
    """
    pixels = np.zeros(shape, np.uint8)
    if len(points):
        nearest = np.ceil(np.asarray(list(points), np.float64) - 0.5).astype(np.int64)
        pixels[tuple(np.clip(nearest, 0, np.asarray(shape) - 1).T)] = 255
    return Image.fromarray(pixels)
