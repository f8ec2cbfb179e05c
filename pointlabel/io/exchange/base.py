"""The one form between all formats: the targets of an image, each with the window of its mask."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...types import ImageLabels, TargetLabel, box_of, join_masks, number_masks, window_at
from ..decode import read_image
from ..files import read_bytes
from ..images import FRAME, list_images, normal_id, strip_suffix
from ..limits import MAX_PIXEL_BYTES
from ..outdir import name_error
from ..text import decode_json
from ..walk import IMAGE_SUFFIXES

#: Category of a target whose point has no label.
TARGET = "target"


T = TypeVar("T")


class Out(Protocol):
    """Where a writer puts its files: `ledger.ExportFolder`, or one file."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all; parts of the path are joined by ``/``."""


@dataclass(frozen=True, slots=True)
class MaskTarget:
    """One target.

    Attributes
    ----------
    origin : (row, column) of the window's first pixel in the image.
    mask : (h, w) bool, the window of the mask: its box, with at least one pixel in each outer row and column.
    label : its category.
    score : in [0, 1]; None where the file gives none.
    point : (row, column) of the click, centres of pixels at whole numbers; None where the file gives none.
    quality, presence, flags : of its label, as in `types.TargetLabel`; None and none where the file does not say.
    """

    origin: tuple[int, int]
    mask: NDArray[np.bool_]
    label: str = TARGET
    score: float | None = None
    point: tuple[float, float] | None = None
    quality: float | None = None
    presence: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        (row, column), (height, width) = self.origin, self.mask.shape
        return column, row, width, height

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    @property
    def window(self) -> tuple[slice, slice]:
        """Slices that cut the window out of the image."""
        return window_at(self.origin, self.mask)

    def spot(self) -> tuple[float, float]:
        """The click; where there is none, the pixel of the mask that is nearest to its centroid."""
        if self.point is not None:
            return self.point
        pixels = np.argwhere(self.mask)
        away = ((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)
        row, column = pixels[int(away.argmin())]
        return float(self.origin[0] + row), float(self.origin[1] + column)


@dataclass(frozen=True, slots=True)
class ImageMasks:
    """All targets of one image, in the order of the file.

    Attributes
    ----------
    id : path of the image without suffix, parts joined by ``/``, as `io.images.normal_id` has it.
    shape : (height, width) in pixels.
    targets : none of them is empty.
    file : path of the image with its suffix, parts joined by ``/``; empty where nothing says it.
    soft : (height, width) float32 in [0, 1], the soft label, where there is one.
    """

    id: str
    shape: tuple[int, int]
    targets: tuple[MaskTarget, ...] = ()
    file: str = ""
    soft: NDArray[np.float32] | None = None

    @property
    def file_name(self) -> str:
        """Path of the image with a suffix: ``ID.png`` where nothing says it."""
        return self.file or f"{self.id}.png"

    def mask(self) -> NDArray[np.bool_]:
        """Union of the masks, (H, W) bool."""
        return join_masks(self.shape, self.targets)

    def instances(self) -> NDArray[np.uint16]:
        """0 for background, k for the k-th target, (H, W) uint16; the later of two has the pixels that both hold."""
        return number_masks(self.shape, self.targets)

    def probability(self) -> NDArray[np.float32]:
        """The soft label, (H, W) float32 in [0, 1]: 0 and 1 where there is none."""
        return self.mask().astype(np.float32) if self.soft is None else self.soft


def crop(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> tuple[tuple[int, int], NDArray[np.bool_]] | None:
    """Origin and window of a mask cut to its box; None where it is empty.

    Parameters
    ----------
    mask : (h, w) bool.
    origin : (row, column) of its first pixel in the image.
    """
    box = box_of(mask)
    if box is None:
        return None
    return (origin[0] + box[0], origin[1] + box[1]), mask[box[0] : box[2], box[1] : box[3]]


def make_target(
    mask: NDArray[np.bool_],
    origin: tuple[int, int] = (0, 0),
    label: str = "",
    score: float | None = None,
    point: tuple[float, float] | None = None,
    *,
    quality: float | None = None,
    presence: float | None = None,
    flags: Sequence[str] = (),
) -> list[MaskTarget]:
    """The target of a mask, (h, w) bool, as a list of one; an empty list where the mask is empty."""
    cut = crop(mask, origin)
    return [] if cut is None else [MaskTarget(*cut, label or TARGET, score, point, quality, presence, tuple(flags))]


def masks_of(
    image_id: str, labels: ImageLabels, names: Sequence[str] = (), file: str = "", *, with_soft: bool = False
) -> ImageMasks:
    """The masks of labels; a target with an empty mask is left out.

    Parameters
    ----------
    image_id, file : as in `ImageMasks`.
    labels : of `pointlabel.annotate`.
    names : the label of each target; none for `TARGET`.
    with_soft : whether to keep the soft label.
    """
    given: Iterable[str] = names or [TARGET] * len(labels.targets)
    found = [_target_of(target, name) for target, name in zip(labels.targets, given, strict=True)]
    soft = labels.soft() if with_soft else None
    return ImageMasks(image_id, labels.shape, tuple(one for each in found for one in each), file, soft)


def _target_of(target: TargetLabel, name: str) -> list[MaskTarget]:
    presence = None if target.presence is None else round(float(target.presence), 6)
    return make_target(
        target.mask,
        target.origin,
        name,
        round(target.trust, 6),
        target.point,
        quality=round(float(target.quality), 6),
        presence=presence,
        flags=target.flags,
    )


def id_of(file: str, where: str) -> str:
    """Id of an image by the path that a file of another tool has of it.

    Parameters
    ----------
    file : the path, with either slash; leading dots and slashes are left out.
    where : the file that names it, for messages.

    Raises
    ------
    InputError
        Where no file could be named by it.
    """
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    name = normal_id(strip_suffix("/".join(parts)))
    wrong = name_error(name)
    if wrong:
        raise InputError(f"{where}: the image name {file!r} {wrong}")
    return name


def plain_file(file: str) -> str:
    """A path as an id has it, with its suffix where that is one of an image: forward slashes, no leading dots."""
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) if file.lower().endswith(IMAGE_SUFFIXES) else ""


def check_shape(height: object, width: object, where: str) -> tuple[int, int]:
    """Return the size of an image; raise where it is none, or has more pixels than any image that is read."""
    sides = []
    for side in (height, width):
        try:
            number = int(side)  # type: ignore[call-overload]
        except (TypeError, ValueError, OverflowError):
            number = 0
        sides.append(number)
    if min(sides) < 1 or sides[0] * sides[1] > MAX_PIXEL_BYTES:
        raise InputError(f"{where}: an image of width {width} and height {height} cannot be read")
    return sides[0], sides[1]


def pick(entry: Any, key: str, kind: type[T] | tuple[type[T], ...], where: str) -> T:
    """The value of a key of a JSON object; raise where there is none, or it is of another kind."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {key} is missing or of another kind than the format has")
    return value


def read_json_of(path: str) -> Any:
    """What a file of JSON holds; raise `InputError` where it is none."""
    try:
        return decode_json(read_bytes(path))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: no JSON, or a damaged file ({error})") from None


def score_of(value: object) -> float | None:
    """A score as a file has it; None where it is no number in [0, 1]."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None  # type: ignore[arg-type, operator]


class Images:
    """The images that masks belong to, where a format does not say their size or their suffix.

    Parameters
    ----------
    folder : of the images; None for none.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        found = None if folder is None else list_images(folder, stacks=True)
        self._files = {} if found is None else {file.id: file for file in (*found.stacks, *found.files)}

    def path(self, image_id: str) -> str | None:
        """Where the image is, or the frame of a file; None where there is no such image."""
        file = self._files.get(image_id)
        if file is not None:
            return file.path
        frame = FRAME.fullmatch(image_id)
        stack = None if frame is None else self._files.get(frame["file"])
        return None if frame is None or stack is None else f"{stack.path}#{frame['frame']}"

    def file(self, image_id: str) -> str:
        """Its path below the folder, with suffix; empty where there is no such image."""
        file = self._files.get(image_id)
        return "" if file is None else file.shown

    def shape(self, image_id: str) -> tuple[int, int] | None:
        """Its (height, width); None where there is no such image."""
        path = self.path(image_id)
        if path is None:
            return None
        image, _ = read_image(path)
        return image.shape[0], image.shape[1]
