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
from ..images import file_id
from ..messages import Note
from ..walk import name_contents, walk_images
from .base import Bound, NotPointsError, PointEntry, PointRow, PointSet
from .fit import MAX_POINTS, mostly_touching

#: Clicks are few. Even targets of 3 x 3 pixels side by side have one pixel in nine, so that a point image with more
#: than this share of its pixels, and more than a few of them, is none.
MOST_SHARE, FEW = 1 / 8, 8


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
    """A folder of point images with the names and sub-folders of the images; or one, which belongs to one image."""

    has_tightness = False
    names_images = False
    what = "point images"
    notes: tuple[Note, ...] = ()

    def __init__(self, folder: str) -> None:
        self._is_file = not os.path.isdir(folder)
        self._paths: dict[str, list[str]] = {}
        for path in [folder] if self._is_file else sorted(walk_images(folder)):
            name = file_id(path, os.path.dirname(folder) if self._is_file else folder)
            if name is not None:
                self._paths.setdefault(name, []).append(path)
        if not self._paths:
            raise InputError(f"{folder}: there is no one-pixel image; the folder {name_contents(folder)}")

    def bind(self, ids: Collection[str], root: str | None = None) -> Bound:
        """Match point images with the images of the same id."""
        if self._is_file and len(ids) == 1:
            ((path,),) = self._paths.values()
            return Bound({next(iter(ids)): ImageEntry(path)}, [])
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
    if marked.ndim == 3:
        marked = marked.any(axis=-1)
    n = int(np.count_nonzero(marked))
    counted = f"{name}: {n} of {marked.size} pixels ({n / marked.size:.2%}) are not zero"
    if n > FEW and (n > MOST_SHARE * marked.size or n > MAX_POINTS):
        raise NotPointsError(f"{counted}, too many to be points: one pixel per target is expected, on black")
    # A flat search of booleans is much faster than np.nonzero on the rows and columns of grey levels.
    places = np.stack(np.divmod(np.flatnonzero(marked), marked.shape[1]), axis=1)
    if mostly_touching(places):
        raise NotPointsError(
            f"{counted}, and most of them touch each other: a mask, not points; pointlabel points makes points of masks"
        )
    points = tuple(PointRow(float(row), float(column)) for row, column in places.tolist())
    return points, (marked.shape[0], marked.shape[1])


def point_image(points: Collection[tuple[float, float]], shape: tuple[int, int]) -> Image.Image:
    """Draw (row, column) points as a one-pixel image, the inverse of reading one.

    Points lie on the pixel they are nearest to, halves rounded down.
    """
    pixels = np.zeros(shape, np.uint8)
    if len(points):
        nearest = np.ceil(np.asarray(list(points), np.float64) - 0.5).astype(np.int64)
        pixels[tuple(np.clip(nearest, 0, np.asarray(shape) - 1).T)] = 255
    return Image.fromarray(pixels)
