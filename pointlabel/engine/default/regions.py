"""Candidates: every connected region that holds the peak, over scales of background and levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ._candidate_kernels import candidate_kernel
from ._feature_kernels import FEATURES
from ._region_kernels import widen_kernel
from .window import HALF, Window

#: Sides of the running medians that are taken as background, in window pixels ...
SCALES = (13, 21, 35, 57)
#: ... those that vote for each `DefaultParams.n_scales` ...
VOTING_SCALES = {1: SCALES[1:2], 2: SCALES[1:3], 3: SCALES[:3], 4: SCALES}
#: ... and for each how far samples reach, how far apart they lie, and the pitch of the grid it is evaluated on.
SAMPLING = {13: (6, 2, 2), 21: (10, 2, 4), 35: (16, 4, 4), 57: (28, 4, 8)}
#: Levels at which regions are cut, as shares of the peak's contrast.
LEVELS = np.array([0.90, 0.82, 0.75, 0.68, 0.61, 0.55, 0.49, 0.43, 0.38, 0.33, 0.28, 0.23, 0.18, 0.14, 0.10, 0.06])
SIDE = 2 * HALF + 1
FLOOR_NOISES = 0.7  # no region is cut lower than this many mean deviations of the finest detail
LEAST_CONTRAST = 0.15  # a scale whose contrast is below this share of the largest has no candidates
WEAK_STEP = 0.05


@dataclass(frozen=True, slots=True)
class Heights:
    """The units of a window less the background of each of K scales, worked out from the peak as far as is asked for.

    Attributes
    ----------
    units : of the window.
    sampling : (K, 3) int64, see `SAMPLING`.
    grids : (K, n, n) int32, the medians that are known, and -1.
    extents : (K,) int64, pixels from the peak within which `residual` is known.
    residual : (K, 65, 65) float32.
    """

    units: NDArray[np.int32]
    sampling: NDArray[np.int64]
    grids: NDArray[np.int32]
    extents: NDArray[np.int64]
    residual: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Regions:
    """The candidates of one window; K scales, L levels.

    Attributes
    ----------
    heights : over each background, as far as they were needed; `residual` has all of them.
    level_of : (K, 65, 65) uint8, index of the highest level whose region holds the pixel, L where none does.
    contrast : (K,) the peak's height over each background, in units.
    features : (K, L, F) float64 in the order of `FEATURES`.
    bad : (K, L) bool, candidates that touch the window's border or whose scale has hardly any contrast.
    """

    heights: Heights
    level_of: NDArray[np.uint8]
    contrast: NDArray[np.float64]
    features: NDArray[np.float64]
    bad: NDArray[np.bool_]

    @property
    def residual(self) -> NDArray[np.float32]:
        """The units less each background, (K, 65, 65) float32."""
        high = self.heights
        for k in range(len(high.residual)):
            widen_kernel(high.units, high.sampling, k, HALF, high.grids, high.extents, high.residual)
        return high.residual


@cache
def _sampling_of(scales: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """`SAMPLING` of the scales, the scales, and the points along a side of the finest grid."""
    sampling = np.array([SAMPLING[scale] for scale in scales])
    return sampling, np.array(scales, np.float64), 2 * HALF // int(sampling[:, 2].min()) + 1


def grow_regions(window: Window, scales: tuple[int, ...] = SCALES) -> Regions:
    """Grow the nested regions of each background scale from the window's peak."""
    (sampling, sides, n_grid), shape = _sampling_of(scales), (len(scales), len(LEVELS))
    heights = Heights(
        window.units,
        sampling,
        np.empty((len(scales), n_grid, n_grid), np.int32),
        np.empty(len(scales), np.int64),
        np.empty((len(scales), SIDE, SIDE), np.float32),
    )
    level_of, contrast = np.empty(heights.residual.shape, np.uint8), np.empty(len(scales))
    features, bad = np.empty((*shape, len(FEATURES))), np.empty(shape, np.bool_)
    candidate_kernel(
        window.units,
        window.inside,
        sampling,
        LEVELS,
        FLOOR_NOISES * window.floor,
        WEAK_STEP,
        LEAST_CONTRAST,
        sides,
        window.noise,
        window.spread,
        heights.grids,
        heights.extents,
        heights.residual,
        level_of,
        contrast,
        features,
        bad,
    )
    return Regions(heights, level_of, contrast, features, bad)
