"""Objects that cross layers. Coordinates are (row, column), centres of pixels at whole numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: The flags of a target, and what each means for a person who checks the masks.
FLAGS = {
    "empty": "no region stood out around the point: the mask is the smallest one, or none where no pixel is finite",
    "low_contrast": "the point is hardly brighter than its surroundings, or the target is wider than the window",
    "touches_window": "the mask reached the border of the window: more of the target may lie outside",
    "clipped": "the mask touches the border of the image",
    "overlap": "the masks of two targets met and their pixels were shared out",
    "moved": "the point was moved to a brighter pixel nearby",
    "nan": "pixels of the window were not finite and were left out",
    "duplicate": "another target of the image has the same peak",
    "edited": "pixels were drawn or erased by hand",
}

#: Quality or presence below which a target is doubtful.
DOUBTFUL_BELOW = 0.5


def trust_of(quality: float, presence: float | None) -> float:
    """The IoU to expect where a point on no target counts 0: quality times presence, or quality where that is None."""
    return quality if presence is None else quality * presence


def is_doubtful(quality: float, presence: float | None, flags: Collection[str]) -> bool:
    """Whether a target is to be looked at: flagged "empty", or its quality or presence below `DOUBTFUL_BELOW`."""
    lowest = quality if presence is None else min(quality, presence)
    return lowest < DOUBTFUL_BELOW or "empty" in flags


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """One image with its points, checked: what every annotation method receives.

    Attributes
    ----------
    image : (H, W) array of real numbers; targets are brighter than their surroundings.
        Pixels that are not finite belong to no mask.
    points : (N, 2) float64, (row, column), inside the image.
    tightness : (N,) float64 in [0, 1].
    true_area : (N,) int64 or None
        Area of each target's true mask in pixels, for methods run with ``size_prior="oracle"`` only.
    rng : numpy.random.Generator; give each target its own child by ``rng.spawn``.
    """

    image: NDArray
    points: NDArray[np.float64]
    tightness: NDArray[np.float64]
    true_area: NDArray[np.int64] | None
    rng: np.random.Generator

    @property
    def pixels(self) -> list[tuple[int, int]]:
        """(row, column) of each point's nearest pixel, halves rounded down: `_checks.pixel_of` in plain numbers."""
        height, width = self.image.shape
        return [
            (min(max(math.ceil(row - 0.5), 0), height - 1), min(max(math.ceil(column - 0.5), 0), width - 1))
            for row, column in self.points.tolist()
        ]


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Smallest half-open box (row0, col0, row1, col1) around a mask: rows row0 to row1 - 1; None for an empty mask."""
    height, width = mask.shape
    by_rows, by_columns = mask.tobytes("C"), mask.tobytes("F")  # masks are small: searching bytes beats numpy
    row0, column0 = by_rows.find(1), by_columns.find(1)
    if row0 < 0:
        return None
    return row0 // width, column0 // height, by_rows.rfind(1) // width + 1, by_columns.rfind(1) // height + 1


class Masked(Protocol):
    """A target whose mask is stored as a crop of the image: slices that cut the crop out, and its mask (h, w) bool."""

    @property
    def window(self) -> tuple[slice, slice]: ...

    @property
    def mask(self) -> NDArray[np.bool_]: ...


def window_at(origin: tuple[int, int], mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Slices that cut a mask (h, w) out of the image in which its first pixel is at `origin`, (row, column)."""
    row, column = origin
    return slice(row, row + mask.shape[0]), slice(column, column + mask.shape[1])


def join_masks(shape: tuple[int, int], targets: Iterable[Masked]) -> NDArray[np.bool_]:
    """Union of the masks of an image of this shape, (H, W) bool."""
    out = np.zeros(shape, bool)
    for target in targets:
        out[target.window] |= target.mask
    return out


def number_masks(shape: tuple[int, int], targets: Iterable[Masked]) -> NDArray[np.uint16]:
    """0 for background, k for the k-th target counting from 1, (H, W) uint16; the later of two has what both hold."""
    out = np.zeros(shape, np.uint16)
    for number, target in enumerate(targets, start=1):
        out[target.window][target.mask] = number
    return out


@dataclass(frozen=True, slots=True)
class TargetLabel:
    """Pseudo-mask of one target, stored as a crop of the image.

    Attributes
    ----------
    point : (row, column) as given by the user.
    origin : (row, column) of the crop's first pixel in the image.
    soft : (h, w) float32 in [0, 1], the soft label; 0 outside the crop.
    mask : (h, w) bool, the binary mask. It holds finite pixels only, and at least one of them, unless no pixel within
        2 px of the point is finite.
    quality : float in [0, 1], the expected IoU of the mask with a careful annotator's, if there is a target.
    flags : names out of `FLAGS`, sorted.
    polarity : "bright" or "dark", as which the target was labelled.
    time_ms : float, milliseconds spent on this target.
    presence : float in [0, 1], the chance that the point is on a target at all, where as many points are on targets as
        beside them; None from methods that do not know.
    """

    point: tuple[float, float]
    origin: tuple[int, int]
    soft: NDArray[np.float32]
    mask: NDArray[np.bool_]
    quality: float = 0.0
    flags: tuple[str, ...] = ()
    polarity: str = "bright"
    time_ms: float = 0.0
    presence: float | None = None

    @property
    def trust(self) -> float:
        """Quality times presence, by which targets are sorted where the worst come first; see `trust_of`."""
        return trust_of(self.quality, self.presence)

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.mask.sum())

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """Half-open box (row0, col0, row1, col1) of the mask in the image, rows row0 to row1 - 1 and columns alike.

        None where the mask is empty.
        """
        found = box_of(self.mask)
        if found is None:
            return None
        row, column = self.origin
        return row + found[0], column + found[1], row + found[2], column + found[3]

    @property
    def window(self) -> tuple[slice, slice]:
        """Slices that cut the crop out of the image."""
        return window_at(self.origin, self.mask)


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """All targets of one image, in the order of the points."""

    shape: tuple[int, int]
    targets: tuple[TargetLabel, ...]

    def mask(self) -> NDArray[np.bool_]:
        """Union of the targets' masks, (H, W) bool."""
        return join_masks(self.shape, self.targets)

    def soft(self) -> NDArray[np.float32]:
        """Largest soft label at each pixel, (H, W) float32 in [0, 1]."""
        out = np.zeros(self.shape, np.float32)
        for target in self.targets:
            view = out[target.window]
            np.maximum(view, target.soft, out=view)
        return out

    def instances(self) -> NDArray[np.uint16]:
        """0 for background, k for the k-th point counting from 1, (H, W) uint16."""
        return number_masks(self.shape, self.targets)
