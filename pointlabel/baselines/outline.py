"""From a soft map or a mask of a window to the target: what the published methods and their ablations share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..methods.targets import Bounds, make_target, open_sides
from ..types import TargetLabel
from ._outline_kernels import SOFT_UNIT, measure_kernel, outline_kernel, touches_kernel


def cut_soft(
    soft: NDArray[np.float32],
    units: NDArray[np.int32],
    finite: NDArray[np.bool_],
    level: float,
    point: Sequence[float],
    pixel: tuple[int, int],
    bounds: Bounds,
    shape: Sequence[int],
    start: float,
) -> TargetLabel:
    """Cut the soft map of a window at a level: the target is the 8-connected part of the point.

    Quality is sum(soft inside) / (area + sum(soft outside)), times c / (c + s), c the contrast of the mask against the
    rest of the window and s the standard deviation of that rest.

    Parameters
    ----------
    soft, units, finite : (h, w), the map, and the window from `rescale_window`.
    level : in [0, 1], border of the target.
    point, pixel : (row, column) as given, and its pixel in the image.
    bounds, shape : of the window and of the image.
    start : as for `make_target`.
    """
    top, _, left, _ = bounds
    mask = np.empty(soft.shape, np.bool_)
    touches, area, inside, outside, grey_in, grey_out, square_out = outline_kernel(
        soft, units, finite, pixel[0] - top, pixel[1] - left, level, open_sides(bounds, shape), mask
    )
    n_bad = 0 if finite.all() else finite.size - int(np.count_nonzero(finite))
    n_out = finite.size - n_bad - area
    contrast, spread = 0.0, 0.0
    if n_out > 0:
        mean = grey_out / n_out
        spread = math.sqrt(max(square_out / n_out - mean * mean, 0.0))
        contrast = max(grey_in / area - mean, 0.0)
    if n_bad:
        soft = np.where(finite, soft, np.float32(0))
    flags = {"touches_window": touches, "empty": area == 1, "low_contrast": contrast <= spread, "nan": n_bad > 0}
    agreement = min(inside / (area * SOFT_UNIT + outside), 1.0)
    quality = agreement * (contrast / (contrast + spread) if contrast > 0 else 0.0)
    return make_target(point, (top, left), soft, mask, shape, start=start, quality=quality, **flags)


def wrap_mask(
    mask: NDArray[np.bool_],
    soft: NDArray[np.float32],
    grey: NDArray[np.uint8],
    finite: NDArray[np.bool_],
    point: Sequence[float],
    pixel: tuple[int, int],
    outer: Bounds,
    inner: Bounds,
    start: float,
) -> TargetLabel:
    """Wrap the mask of a window as it is; pixels that are not finite leave it, an empty one gets its point.

    Quality is sum(soft inside) / (area + sum(soft outside)).

    Parameters
    ----------
    mask, soft : (h, w) in the window `outer`; `mask` is changed.
    grey, finite : (H, W) grey levels of the image, and which of its pixels are finite.
    point, pixel : (row, column) as given, and its pixel in the image.
    outer, inner : the window, and the part of it that the mask was cut in.
    start : as for `make_target`.
    """
    top, bottom, left, right = outer
    known = finite[top:bottom, left:right]
    mask &= known
    flags = {"nan": not known.all(), "empty": not mask.any()}
    if flags["nan"]:
        soft = np.where(known, soft, np.float32(0))
    if flags["empty"]:
        mask[pixel[0] - top, pixel[1] - left] = True
    has_rest, contrast, deviation, inside, outside = measure_kernel(grey[top:bottom, left:right], soft, mask, known)
    flags["low_contrast"] = has_rest and contrast <= deviation
    part = mask[inner[0] - top : inner[1] - top, inner[2] - left : inner[3] - left]
    flags["touches_window"] = touches_kernel(part, open_sides(inner, grey.shape))
    quality = inside / (np.count_nonzero(mask) + outside)
    return make_target(point, (top, left), soft, mask, grey.shape, start=start, quality=quality, **flags)
