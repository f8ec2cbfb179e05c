"""One image with its points and its true mask: the one way that every command reads them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .decode import decode_levels, read_source, source_sha256
from .files import read_bytes
from .masks.read import MASK_THRESHOLD, read_true_mask
from .messages import Note
from .pixels import Pixels
from .points.base import PointEntry, PointRow, PointSet
from .points.fit import FittedPoints, fit_points

#: Hexadecimal SHA-256 by what it is of; None where there are no points.
Hashes = dict[str, str | None]

NO_POINTS = FittedPoints(np.zeros((0, 2)), (), ())


@dataclass(frozen=True, slots=True)
class Entry:
    """One image before it is read; can be pickled.

    Attributes
    ----------
    id : path below the folder of the images, without suffix.
    image : path of the image.
    points : its points, None where there are none.
    mask : path of its true mask, None where masks were not asked for.
    """

    id: str
    image: str
    points: PointEntry | None
    mask: str | None


class Inputs(NamedTuple):
    """The image's file or frame, the points and the true mask's file of an entry, read but not made grey."""

    data: bytes | Pixels
    given: PointSet | None
    mask: bytes | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One image.

    Attributes
    ----------
    id : as in `Entry`.
    image : (H, W) grey levels in the depth of the file.
    points : (N, 2) float64, (row, column), inside the image.
    rows : what the file of points says about each.
    mask : (H, W) bool, the true mask, None where masks were not asked for.
    notes : what to say about the files.
    sha256 : hexadecimal hash of the bytes of image and mask and of the points.
    full : largest value of the file's whole numbers, None in floating point; as in `decode.GreyLevels`.
    """

    id: str
    image: NDArray
    points: NDArray[np.float64]
    rows: tuple[PointRow, ...]
    mask: NDArray[np.bool_] | None
    notes: tuple[Note, ...]
    sha256: str
    full: float | None = None


def read_inputs(entry: Entry, hashes: Hashes) -> Inputs:
    """Read the bytes of image and true mask, and the points; `hashes` gets their hashes as they are known.

    Raises
    ------
    InputError
        Where a file cannot be read.
    """
    hashes |= {"image_sha256": None, "points_sha256": None}
    data = read_source(entry.image)
    hashes["image_sha256"] = source_sha256(data)
    given = None if entry.points is None else entry.points.load()
    hashes["points_sha256"] = None if given is None else given.sha256
    mask = None
    if entry.mask is not None:
        mask = read_bytes(entry.mask)
        hashes["true_mask_sha256"] = hashlib.sha256(mask).hexdigest()
    return Inputs(data, given, mask)


def decode_sample(entry: Entry, inputs: Inputs, hashes: Hashes, mask_threshold: float = MASK_THRESHOLD) -> Sample:
    """Decode what `read_inputs` read, and fit the points to the image.

    Raises
    ------
    InputError
        Where a file cannot be decoded, or the mask has another size than the image.
    """
    image, notes, full = decode_levels(inputs.data, entry.image)
    shape = (image.shape[0], image.shape[1])
    fitted = NO_POINTS if inputs.given is None else fit_points(inputs.given, shape)
    mask, notes = None, notes + fitted.notes
    if entry.mask is not None:
        mask, more = read_true_mask(entry.mask, mask_threshold, shape, inputs.mask)
        notes += more
    return Sample(entry.id, image, fitted.points, fitted.rows, mask, notes, _digest(hashes), full)


def read_sample(entry: Entry, *, mask_threshold: float = MASK_THRESHOLD) -> Sample:
    """Read one image with its points and its true mask: the pixels above `mask_threshold`.

    Raises
    ------
    InputError
        Where a file cannot be read, or the mask has another size than the image.
    """
    hashes: Hashes = {}
    return decode_sample(entry, read_inputs(entry, hashes), hashes, mask_threshold)


def _digest(hashes: Hashes) -> str:
    image, points, mask = (hashes.get(f"{name}_sha256") for name in ("image", "points", "true_mask"))
    parts = (bytes.fromhex(image or ""), (points or "").encode(), bytes.fromhex(mask or ""))
    return hashlib.sha256(b"".join(parts)).hexdigest()
