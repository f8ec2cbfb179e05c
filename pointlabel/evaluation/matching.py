"""Which predicted component finds which target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .components import Components

#: A target is found by a predicted component whose centroid is nearer than this.
MATCH_DISTANCE_PX = 3.0


def match_targets(true: Components, predicted: Components) -> NDArray[np.int64]:
    """Match targets with predicted components the way the field does.

    The targets are taken in reading order of their first pixels; each takes the first predicted component, in the
    same order, that is not taken yet and whose centroid lies less than 3 px from the target's.

    Parameters
    ----------
    true, predicted : components of two masks of one shape.

    Returns
    -------
    (K,) int64, for each target the index of its predicted component, -1 where none was left.
    """
    out = np.full(len(true), -1, np.int64)
    free = np.ones(len(predicted), bool)
    for index, centroid in enumerate(true.centroids):
        near = free & (np.hypot(*(predicted.centroids - centroid).T) < MATCH_DISTANCE_PX)
        if near.any():
            out[index] = np.argmax(near)
            free[out[index]] = False
    return out


def target_ious(true: Components, predicted: Components) -> NDArray[np.float64]:
    """Return the IoU of each target with the predicted components that overlap it.

    A predicted component that overlaps several targets is shared out: each of its pixels goes to the nearest
    target. A target that nothing overlaps has IoU 0.

    Parameters
    ----------
    true, predicted : components of two masks of one shape.

    Returns
    -------
    (K,) float64 in [0, 1].
    """
    rows, columns = np.nonzero((true.labels > 0) & (predicted.labels > 0))
    overlap = np.zeros((len(true) + 1, len(predicted) + 1), np.int64)
    np.add.at(overlap, (true.labels[rows, columns], predicted.labels[rows, columns]), 1)
    overlap = overlap[1:, 1:]
    shared = np.flatnonzero((overlap > 0).sum(axis=0) > 1)
    claimed = (overlap > 0) @ predicted.areas
    if shared.size:
        claimed -= (overlap[:, shared] > 0) @ predicted.areas[shared]
        nearest = ndimage.distance_transform_edt(true.labels == 0, return_distances=False, return_indices=True)
        for component in shared:
            inside = np.nonzero(predicted.labels == component + 1)
            owners = true.labels[nearest[0][inside], nearest[1][inside]]
            # A pixel nearest to a target that its component does not overlap is false for all of them.
            counts = np.bincount(owners, minlength=len(true) + 1)[1:]
            claimed += np.where(overlap[:, component] > 0, counts, 0)
    inter = overlap.sum(axis=1)
    return inter / (true.areas + claimed - inter)
