"""Masks as pictures and arrays, one file per image: binary, soft and numbered PNG, and archives of numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...evaluation.components import find_components
from ..files import read_bytes
from ..images import normal_id, stem_below
from ..masks.npz import decode_npz, encode_npz
from ..masks.pairs import list_masks
from ..masks.png import encode_instances, encode_mask, encode_soft
from ..masks.read import read_grey_mask
from ..masks.survey import survey_masks
from ..walk import walk_files
from .base import ImageMasks, Images, MaskTarget, Out, make_target

#: Above this value of a 16-bit file its numbers are no targets but a soft label.
_MOST_NUMBERS = 4096
_LOOKED_AT = 16


def write_masks(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``ID.png``, 0 and 255."""
    for image in images:
        out.write(f"{image.id}.png", encode_mask(image.mask()))


def write_soft(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``ID.png`` in 16 bits; without soft labels, masks of 0 and 65535."""
    for image in images:
        out.write(f"{image.id}.png", encode_soft(image.probability()))


def write_instances(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``ID.png`` in 16 bits, k for the k-th target."""
    for image in images:
        out.write(f"{image.id}.png", encode_instances(image.instances()))


def write_npz(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``ID.npz``."""
    for image in images:
        out.write(f"{image.id}.npz", encode_npz(image.probability(), [target.spot() for target in image.targets]))


def targets_of(mask: NDArray[np.bool_], points: NDArray[np.float64] | None = None) -> list[MaskTarget]:
    """A target for each 8-connected component of a mask, with the first of the points that lies in it."""
    found = find_components(mask)
    spots: dict[int, tuple[float, float]] = {}
    for row, column in () if points is None else points.tolist():
        pixel = (round(row), round(column))
        if 0 <= pixel[0] < mask.shape[0] and 0 <= pixel[1] < mask.shape[1]:
            spots.setdefault(int(found.labels[pixel]), (row, column))
    out = []
    for number, pixels in enumerate(found.pixels(), start=1):
        low = pixels.min(axis=0)
        window = np.zeros(pixels.max(axis=0) - low + 1, bool)
        window[tuple((pixels - low).T)] = True
        out += make_target(window, (int(low[0]), int(low[1])), point=spots.get(number))
    return out


def numbered_targets(numbers: NDArray) -> list[tuple[int, MaskTarget]]:
    """(number, target) for each value but 0, (H, W) whole numbers, in the order of the numbers."""
    spots = np.argwhere(numbers)
    values = numbers[tuple(spots.T)]
    order = np.argsort(values, kind="stable")
    found, starts = np.unique(values[order], return_index=True)
    out = []
    for value, pixels in zip(found.tolist(), np.split(spots[order], starts[1:]), strict=True) if len(found) else ():
        low = pixels.min(axis=0)
        window = np.zeros(pixels.max(axis=0) - low + 1, bool)
        window[tuple((pixels - low).T)] = True
        out += [(int(value), target) for target in make_target(window, (int(low[0]), int(low[1])))]
    return out


def read_masks(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read binary masks by the rule of every command; each 8-connected component is a target."""
    masks = list_masks(path)
    survey_masks(list(masks.values()), path, threshold, noun="mask")
    for image_id, file in masks.items():
        mask = read_grey_mask(file).mask(threshold)
        yield ImageMasks(image_id, mask.shape, tuple(targets_of(mask)), images.file(image_id))


def read_soft(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read soft labels; each 8-connected component above the threshold is a target."""
    for image_id, file in list_masks(path).items():
        grey = read_grey_mask(file)
        soft = grey.soft()
        yield _soft_masks(image_id, soft, None, images, threshold)


def _soft_masks(
    image_id: str, soft: NDArray[np.float32], points: NDArray[np.float64] | None, images: Images, threshold: float
) -> ImageMasks:
    targets = targets_of(soft > threshold / 255, points)
    return ImageMasks(image_id, (soft.shape[0], soft.shape[1]), tuple(targets), images.file(image_id), soft)


def read_instances(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read numbered targets: every value but 0 is one."""
    for image_id, file in list_masks(path).items():
        numbers = _read_numbers(file)
        targets = tuple(target for _, target in numbered_targets(numbers))
        yield ImageMasks(image_id, (numbers.shape[0], numbers.shape[1]), targets, images.file(image_id))


def _read_numbers(file: str) -> NDArray:
    grey = read_grey_mask(file)
    if grey.levels.dtype.kind == "f":
        raise InputError(f"{file}: numbered targets must be whole numbers, got {grey.levels.dtype}")
    return grey.levels


def read_npz(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read archives with an array ``prob``."""
    for image_id, file in npz_files(path).items():
        soft, points = decode_npz(read_bytes(file), file)
        yield _soft_masks(image_id, soft, points, images, threshold)


def npz_files(folder: str) -> dict[str, str]:
    """Id -> path of the archives below a folder."""
    return {normal_id(stem_below(path, folder)): path for path in walk_files(folder) if path.endswith(".npz")}


def picture_kind(path: str) -> str:
    """What the pictures of a folder hold, ``png``, ``soft`` or ``instances``, by the depth and the values of some."""
    files = list(list_masks(path).values())
    largest = 0.0
    for file in files[:: max(1, len(files) // _LOOKED_AT)]:
        grey = read_grey_mask(file)
        if not grey.is_soft:
            return "png"
        if grey.levels.dtype.kind == "f":
            return "soft"
        largest = max(largest, grey.largest)
    return "soft" if largest > _MOST_NUMBERS else "instances"
