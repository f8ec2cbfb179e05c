"""Size, shape and contrast of true targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .components import Components, find_components
from .scr import target_scrs

#: What is measured of a target, and how it is called.
SHAPE_FEATURES = {
    "area": "area, px",
    "elongation": "elongation, longer axis over shorter",
    "fill": "share of the bounding box",
    "scr": "local SCR",
}


def describe_targets(image: NDArray, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure every target of an image.

    Parameters
    ----------
    image : (H, W) real.
    mask : (H, W) bool.

    Returns
    -------
    (K, 4) float64, the columns of `SHAPE_FEATURES`, rows in reading order as `find_components` has them. Elongation is
    the ratio of the standard deviations along the principal axes, pixels taken as squares: 1 for one pixel.
    """
    targets = find_components(mask)
    out = np.empty((len(targets), len(SHAPE_FEATURES)))
    if len(targets) == 0:
        return out
    out[:, 0] = targets.areas
    out[:, 1], out[:, 2] = _elongation_and_fill(targets)
    out[:, 3] = target_scrs(image, targets)
    return out


def _elongation_and_fill(targets: Components) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, columns = np.nonzero(targets.labels)
    owners = targets.labels[rows, columns] - 1
    n = len(targets)
    by_row, by_column = rows - targets.centroids[owners, 0], columns - targets.centroids[owners, 1]

    def mean(values: NDArray) -> NDArray[np.float64]:
        return np.bincount(owners, weights=values, minlength=n) / targets.areas

    # A pixel is a square of side 1, whose variance is 1/12 on each axis.
    a, b, c = mean(by_row**2) + 1 / 12, mean(by_column**2) + 1 / 12, mean(by_row * by_column)
    middle, half = (a + b) / 2, np.hypot((a - b) / 2, c)
    box = np.ones(n)
    for axis in (rows, columns):
        low, high = np.full(n, axis.max()), np.zeros(n, axis.dtype)
        np.minimum.at(low, owners, axis)
        np.maximum.at(high, owners, axis)
        box *= high - low + 1
    return np.sqrt((middle + half) / (middle - half)), targets.areas / box
