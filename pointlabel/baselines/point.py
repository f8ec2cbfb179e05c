"""The lower bound of every comparison: a square block around each point."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..methods.targets import make_target, window_around
from ..params import Params, param
from ..types import LabelRequest, TargetLabel


@dataclass(frozen=True, slots=True)
class PointParams(Params):
    """Parameters of `label_point`."""

    side_px: int = param(3, "side of the block around the point", low=1, high=33, odd=True)


def label_point(request: LabelRequest, params: PointParams) -> list[TargetLabel]:
    """A square block around each point, cut off at the image; quality is 0."""
    image, out = request.image, []
    for point, (row, column) in zip(request.points.tolist(), request.pixels, strict=True):
        start = perf_counter()
        top, bottom, left, right = window_around((row, column), params.side_px // 2, image.shape)
        mask = np.isfinite(image[top:bottom, left:right])
        holes = not mask.all()
        mask[row - top, column - left] = True
        soft = mask.astype(np.float32)
        out.append(make_target(point, (top, left), soft, mask, image.shape, start=start, nan=holes))
    return out
