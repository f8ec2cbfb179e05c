"""From a window to its candidates: every scale's background, flood and sums, and what describes each region."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ._feature_kernels import feature_kernel
from ._region_kernels import (
    AT_BORDER,
    N_SUMS,
    PITCH,
    flood_kernel,
    region_sums_kernel,
    shared_area_kernel,
    widen_kernel,
)

#: The background is worked out within so many pixels of the peak at first; most floods end there.
_FIRST_EXTENT = np.int64(8)  # no plain number: a kernel is compiled once more for each that it is called with
#: How far beyond a region its sums look: the ring lies 2 to 3 px outside, and steps lead one pixel further.
_SUMS_REACH = 4


@kernel
def candidate_kernel(
    units, inside, sampling, levels, least, weak_step, least_contrast, scales, noise, spread,
    grids, extents, residual, level_of, contrast, features, bad,
):  # fmt: skip
    """Grow every region and describe it, in one call: what each call of its own costs adds up.

    `sampling` (K, 3) holds reach, stride and step of `fill_residual_kernel`; no region is cut below `least`;
    `weak_step` is a share of the contrast. Writes of each scale `level_of` (K, S, S), `contrast` (K,), and the
    `residual` (K, S, S) within `extents` (K,) pixels of the peak, which is as far as floods and sums look, with its
    medians in `grids` (K, n, n); `features` (K, L, F) as `feature_kernel`; and `bad` (K, L), which candidates touch
    the border, or lie in a scale with less than `least_contrast` of the largest contrast.
    """
    n_scales, side = residual.shape[0], residual.shape[1]
    half, n_levels = side // 2, levels.shape[0]
    grids[:] = -1
    extents[:] = 0
    queue, heights = np.empty((n_levels, side * side), np.int32), np.empty((side + 2, PITCH), np.float32)
    boxes, thresholds = np.empty((n_scales, 4), np.int64), np.empty(n_levels)
    sums, shared = np.empty((n_scales, n_levels, N_SUMS)), np.empty((max(n_scales - 1, 1), n_levels))
    largest = 0.0
    for k in range(n_scales):
        widen_kernel(units, sampling, k, _FIRST_EXTENT, grids, extents, residual)
        peak = np.float64(residual[k, half, half])
        contrast[k], largest = peak, max(largest, peak)
        for a in range(n_levels):  # two units of slack: a tie in the image's own grey levels stays a tie
            thresholds[a] = min(max(levels[a] * peak - 2, least), peak)
        rest, own, box = residual[k], level_of[k], boxes[k]
        while not flood_kernel(rest, inside, half, half, thresholds, extents[k], own, queue, heights, box):
            widen_kernel(units, sampling, k, 2 * extents[k], grids, extents, residual)
        reached = max(max(half - box[0], box[1] - half), max(half - box[2], box[3] - half))
        widen_kernel(units, sampling, k, reached + _SUMS_REACH, grids, extents, residual)
        region_sums_kernel(rest, own, box, n_levels, weak_step * peak, half, half, sums[k])
    for k in range(shared.shape[0]):  # a lone scale is its own neighbour
        shared_area_kernel(level_of[k], level_of[min(k + 1, n_scales - 1)], boxes[k], n_levels, shared[k])
    feature_kernel(sums, shared, contrast, scales, levels, noise, spread, features)
    for k in range(n_scales):
        flat = contrast[k] < least_contrast * largest or contrast[k] <= 0
        for a in range(n_levels):
            bad[k, a] = flat or sums[k, a, AT_BORDER] > 0
