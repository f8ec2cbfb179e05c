"""The default method composed of its twins: what it costs without kernels of our own.

Smoothing of larger windows, targets that touch, and the click beside a doubtful peak are left out: few targets need
them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel.engine.default._feature_kernels import FEATURES
from pointlabel.engine.default.weights import Weights, load_weights
from tests.twins.default.refine import inputs, near_vote, perceptron, relative
from tests.twins.default.regions import EIGHT, features, flood, median_rest, shared_area, sums
from tests.twins.default.vote import heat, shares, summary, vote
from tests.twins.default.window import noise, units_of

HALF, REACH, SNAP_PX = 32, 28, 2
CENTRE = (HALF, HALF)
SCALES = np.array([13, 21, 35, 57])
SAMPLING = ((6, 2, 2), (10, 2, 4), (16, 4, 4), (28, 4, 8))  # reach, stride, pitch of the grid
LEVELS = np.array([0.90, 0.82, 0.75, 0.68, 0.61, 0.55, 0.49, 0.43, 0.38, 0.33, 0.28, 0.23, 0.18, 0.14, 0.10, 0.06])
N_LEVELS = len(LEVELS)
OFFSETS = np.arange(-HALF, HALF + 1)
THREE_BY_THREE = (np.abs(OFFSETS)[:, None] <= 1) & (np.abs(OFFSETS) <= 1)


def label_default(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """Masks of all points of one image, (H, W) bool."""
    weights = load_weights()
    out = np.zeros(image.shape, bool)
    wide = np.pad(image, HALF + REACH, mode="symmetric")
    for row, column in np.ceil(points - 0.5).astype(int):
        top, left = max(row - SNAP_PX, 0), max(column - SNAP_PX, 0)
        block = image[top : row + SNAP_PX + 1, left : column + SNAP_PX + 1]
        far = (np.arange(block.shape[0]) + top - row)[:, None] ** 2 + (np.arange(block.shape[1]) + left - column) ** 2
        dy, dx = np.unravel_index(np.argmax(block - 1e-3 * far), block.shape)
        row, column = top + dy, left + dx
        window = wide[row : row + 2 * (HALF + REACH) + 1, column : column + 2 * (HALF + REACH) + 1]
        rows, columns = row + OFFSETS[:, None], column + OFFSETS
        inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
        mask = _label_window(units_of(window.astype(np.float64)), inside, weights)
        rows, columns = np.nonzero(mask & inside)
        out[rows + row - HALF, columns + column - HALF] = True
    return out


def _label_window(units: NDArray[np.int32], inside: NDArray[np.bool_], weights: Weights) -> NDArray[np.bool_]:
    core = units[REACH:-REACH, REACH:-REACH]
    median, floor = noise(units, HALF)
    least = max(median, 0.8 * floor, 50.0)
    spread = max(np.subtract(*np.percentile(core, [95, 5])), 1.0)
    rest = np.stack([median_rest(units, HALF, *how) for how in SAMPLING])
    contrast = rest[:, HALF, HALF]
    cuts = [np.minimum(np.maximum(LEVELS * peak - 2, 0.7 * floor), peak) for peak in contrast]
    level_of = np.stack([flood(one, inside, CENTRE, cut) for one, cut in zip(rest, cuts, strict=True)])
    table = np.stack(
        [sums(one, level, N_LEVELS, 0.05 * c, CENTRE) for one, level, c in zip(rest, level_of, contrast, strict=True)]
    )
    shared = np.stack([shared_area(level_of[k], level_of[k + 1], N_LEVELS) for k in range(len(SCALES) - 1)])
    named = features(table, shared, contrast, SCALES, LEVELS, least, spread)
    found = np.stack([named[name] for name in FEATURES], axis=-1)
    bad = (table[..., 12] > 0) | ((contrast < 0.15 * contrast.max()) | (contrast <= 0))[:, None]
    if bad.all():
        return THREE_BY_THREE
    share, best = shares(found, weights.score, bad, 0.5)
    log_area, deviation, level, over_noise, over_spread, *_ = summary(found, share)
    field = heat(vote(level_of, share).astype(np.float32), core)
    listed, ring = near_vote(field, inside)
    seen = inputs(listed, field, relative(field, core, ring), level_of, rest, LEVELS, log_area)
    extra = np.array([deviation, level, best, over_noise, over_spread])
    soft = np.zeros(field.shape)
    soft[listed] = perceptron(seen, field[listed], extra, weights.refine)
    parts, _ = ndimage.label(soft >= 0.5, EIGHT)
    return parts == parts[CENTRE] if parts[CENTRE] else THREE_BY_THREE
