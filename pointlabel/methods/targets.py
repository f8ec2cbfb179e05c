"""From a mask in a crop of the image to a `TargetLabel`, the same way for every method."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..types import TargetLabel, box_of

#: Rows and columns of the image that a window covers: (top, bottom, left, right), the ends exclusive.
Bounds = tuple[int, int, int, int]


def at_border(mask: NDArray[np.bool_], top: int, left: int, shape: Sequence[int]) -> bool:
    """Whether a mask, cut out at (top, left), touches the border of its image."""
    height, width = mask.shape
    return bool(
        (top == 0 and mask[0].any())
        or (left == 0 and mask[:, 0].any())
        or (top + height == shape[0] and mask[-1].any())
        or (left + width == shape[1] and mask[:, -1].any())
    )


def has_holes(image: NDArray, pixel: Sequence[int], reach_px: int) -> bool:
    """Whether pixels of the image within `reach_px` of a pixel on each axis are not finite."""
    if image.dtype.kind != "f":
        return False
    top, bottom, left, right = window_around(pixel, reach_px, image.shape)
    return not np.isfinite(image[top:bottom, left:right]).all()


def window_around(pixel: Sequence[int], half_px: int, shape: Sequence[int]) -> Bounds:
    """The square window of 2 `half_px` + 1 px around a pixel, cut off at the image."""
    return widen((pixel[0], pixel[0] + 1, pixel[1], pixel[1] + 1), half_px, shape)


def open_sides(bounds: Bounds, shape: Sequence[int]) -> tuple[bool, bool, bool, bool]:
    """Which sides of a window (top, bottom, left, right) are not the border of the image."""
    top, bottom, left, right = bounds
    return top > 0, bottom < shape[0], left > 0, right < shape[1]


def widen(bounds: Bounds, margin_px: int, shape: Sequence[int]) -> Bounds:
    """Window with `margin_px` more on each side, cut off at the image."""
    top, bottom, left, right = bounds
    return (
        max(top - margin_px, 0),
        min(bottom + margin_px, shape[0]),
        max(left - margin_px, 0),
        min(right + margin_px, shape[1]),
    )


def make_target(
    point: Sequence[float],
    origin: tuple[int, int],
    soft: NDArray[np.float32],
    mask: NDArray[np.bool_],
    shape: Sequence[int],
    *,
    start: float,
    quality: float = 0.0,
    presence: float | None = None,
    crop: bool = False,
    **flags: bool,
) -> TargetLabel:
    """Label of one target from its mask and soft label in a window.

    Parameters
    ----------
    point : (row, column) as given.
    origin : (row, column) of the window's first pixel in the image.
    soft, mask : (h, w) float32 and bool.
    shape : of the image; "clipped" is flagged where the mask touches its border.
    start : `perf_counter` when the work on this target began, less its share of the work on all targets together.
    quality : expected IoU, cut to [0, 1].
    presence : chance that the point is on a target; None from a method that does not know.
    crop : keep only the box that holds the mask and the soft label; windows may then reach beyond the image.
    flags : whether each of `types.FLAGS` holds, but "clipped".
    """
    if crop:
        box = box_of(mask | (soft > 0))
        if box is not None:
            part = slice(box[0], box[2]), slice(box[1], box[3])
            soft, mask = soft[part].copy(), mask[part].copy()
            origin = origin[0] + box[0], origin[1] + box[1]
    flags["clipped"] = at_border(mask, *origin, shape)
    return TargetLabel(
        point=(point[0], point[1]),
        origin=origin,
        soft=soft,
        mask=mask,
        quality=min(max(quality, 0.0), 1.0),
        flags=tuple(sorted([name for name, holds in flags.items() if holds])),
        time_ms=(perf_counter() - start) * 1000,
        presence=presence,
    )
