"""The plain local rule: component of the point above a share of its local contrast."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from scipy import ndimage

from ..engine.params import ThresholdParams
from ..types import LabelRequest, TargetLabel


def label_threshold(request: LabelRequest, params: ThresholdParams) -> list[TargetLabel]:
    """Subtract a running median, keep the 8-connected component of the peak above the level."""
    out = []
    half = params.window_px // 2
    for point in request.points:
        start = perf_counter()
        row, column = (int(v) for v in np.ceil(point - 0.5))
        r0, c0 = max(row - half, 0), max(column - half, 0)
        window = request.image[r0 : row + half + 1, c0 : column + half + 1].astype(float)
        rest = window - ndimage.median_filter(window, params.background_px, mode="reflect")
        near = np.full(rest.shape, -np.inf)
        view = (slice(max(row - r0 - 2, 0), row - r0 + 3), slice(max(column - c0 - 2, 0), column - c0 + 3))
        near[view] = rest[view]
        peak = np.unravel_index(np.argmax(near), near.shape)
        soft = np.clip(rest / max(rest[peak], 1e-9), 0, 1).astype(np.float32)
        labels, _ = ndimage.label(soft >= params.level, np.ones((3, 3)))
        mask = labels == labels[peak] if labels[peak] else np.zeros(rest.shape, bool)
        mask[row - r0, column - c0] = True
        spent = (perf_counter() - start) * 1000
        out.append(TargetLabel((point[0], point[1]), (r0, c0), soft, mask, 0.5, (), "bright", spent))
    return out
