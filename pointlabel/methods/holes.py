"""Pixels that are not finite belong to no mask, whatever the method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .._checks import pixel_of
from ..types import TargetLabel
from .targets import at_border

Pixel = tuple[int, int]

#: A target whose point is not finite has a pixel at most this far from it on each axis, or none.
NEAR_PX = 2


def leave_out_holes(image: NDArray, target: TargetLabel) -> TargetLabel:
    """Take pixels of `image` that are not finite out of a target's mask and soft label, and flag it "nan".

    A mask that had no other pixel is flagged "empty" and left so: `overlaps.share_out` gives it the one of `home_of`.
    """
    finite = np.isfinite(image[target.window])
    if finite.all():
        return target
    mask = target.mask & finite
    flags = {*target.flags, "nan"}
    if "clipped" in flags and not at_border(mask, *target.origin, image.shape):
        flags.remove("clipped")
    quality, presence = target.quality, target.presence
    if not mask.any():
        flags.add("empty")
        quality, presence = 0.0, None if presence is None else 0.0
    soft = np.where(finite, target.soft, np.float32(0))
    return replace(target, mask=mask, soft=soft, quality=quality, presence=presence, flags=tuple(sorted(flags)))


def home_of(image: NDArray, point: tuple[float, float]) -> Pixel | None:
    """Pixel that a target has whatever happens to its mask: the point's own, else the nearest that is finite.

    It lies within `NEAR_PX` of the point's on each axis; of equally near ones the first in reading order is taken.
    None where none of them is finite.
    """
    row, column = pixel_of(np.array([point]), (image.shape[0], image.shape[1]))[0].tolist()
    if image.dtype.kind != "f" or np.isfinite(image[row, column]):
        return row, column
    top, left = max(row - NEAR_PX, 0), max(column - NEAR_PX, 0)
    near = np.isfinite(image[top : row + NEAR_PX + 1, left : column + NEAR_PX + 1])
    places = np.add(np.argwhere(near), (top, left))
    if not len(places):
        return None
    nearest = places[int(np.argmin(((places - point) ** 2).sum(axis=1)))]
    return int(nearest[0]), int(nearest[1])
