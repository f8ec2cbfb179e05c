"""Which predicted component finds which target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from .components import Components

#: A target is found by a predicted component whose centroid is nearer than this.
MATCH_DISTANCE_PX = 3.0


def match_targets(true: Components, predicted: Components) -> NDArray[np.int64]:
    """Match targets with predicted components by the rule of published figures.

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
    if len(true) == 0 or len(predicted) == 0:
        return out
    # The tree only leaves out what is far away; `hypot` decides, as in the published loops over all pairs.
    near = cKDTree(predicted.centroids).query_ball_point(true.centroids, MATCH_DISTANCE_PX * 1.001)
    free = np.ones(len(predicted), bool)
    for index, (centroid, chosen) in enumerate(zip(true.centroids, near, strict=True)):
        rivals = np.sort(np.array(chosen, np.int64))
        rivals = rivals[free[rivals] & (np.hypot(*(predicted.centroids[rivals] - centroid).T) < MATCH_DISTANCE_PX)]
        if rivals.size:
            out[index] = rivals[0]
            free[rivals[0]] = False
    return out


def count_overlaps(
    true: Components, predicted: Components
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs that overlap: index of the target, index of the predicted component, and their common pixels.

    Sorted by target, then by component. A table of all pairs would not fit where there are many targets.
    """
    rows, columns = np.nonzero((true.labels > 0) & (predicted.labels > 0))
    n = len(predicted) + 1
    pairs, overlap = np.unique(
        true.labels[rows, columns].astype(np.int64) * n + predicted.labels[rows, columns], return_counts=True
    )
    return pairs // n - 1, pairs % n - 1, overlap


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
    n = len(predicted) + 1
    owners, components, overlap = count_overlaps(true, predicted)
    pairs = (owners + 1) * n + components + 1
    inter, claimed = np.zeros(len(true), np.int64), np.zeros(len(true), np.int64)
    np.add.at(inter, owners, overlap)
    is_shared = np.bincount(components, minlength=len(predicted)) > 1
    alone = ~is_shared[components]
    np.add.at(claimed, owners[alone], predicted.areas[components[alone]])
    if is_shared.any():
        nearest = ndimage.distance_transform_edt(true.labels == 0, return_distances=False, return_indices=True)
        rows, columns = np.nonzero(np.concatenate([[False], is_shared])[predicted.labels])
        ours = true.labels[nearest[0][rows, columns], nearest[1][rows, columns]].astype(np.int64)
        given, counts = np.unique(ours * n + predicted.labels[rows, columns], return_counts=True)
        # A pixel nearest to a target that its component does not overlap is false for all of them.
        known = np.isin(given, pairs, assume_unique=True)
        np.add.at(claimed, given[known] // n - 1, counts[known])
    return inter / (true.areas + claimed - inter)
