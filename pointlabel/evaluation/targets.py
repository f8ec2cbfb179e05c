"""The true target of each point: its area, and its IoU with the mask that was labelled from the point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..types import ImageLabels
from .components import find_components

#: A point belongs to the target whose nearest pixel lies this close, where it lies on none.
POINT_DISTANCE_PX = 3.0


def true_targets(true: NDArray[np.bool_], points: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find the true target of each point.

    It is the 8-connected component that holds the point's pixel, else the one whose nearest pixel lies within
    3 px of the point; of pixels equally near the first in reading order decides.

    Parameters
    ----------
    true : (H, W) bool.
    points : (N, 2) as (row, column).

    Returns
    -------
    labels : (H, W) int32, k for the pixels of target k, counting from 1.
    owners : (N,) int64, the target of each point, 0 where none is near enough.
    """
    labels = find_components(true).labels
    spots = np.asarray(points, np.float64).reshape(-1, 2)
    reach = int(np.ceil(POINT_DISTANCE_PX)) + 1
    owners = np.zeros(len(spots), np.int64)
    for index, (row, column) in enumerate(spots):
        home = int(np.ceil(row - 0.5)), int(np.ceil(column - 0.5))
        top, left = max(home[0] - reach, 0), max(home[1] - reach, 0)
        window = labels[top : home[0] + reach + 1, left : home[1] + reach + 1]
        rows, columns = np.nonzero(window)
        if rows.size == 0:
            continue
        distance = np.hypot(rows + top - row, columns + left - column)
        distance[(rows + top == home[0]) & (columns + left == home[1])] = -1.0  # the pixel that holds the point
        nearest = int(np.argmin(distance))
        if distance[nearest] <= POINT_DISTANCE_PX:
            owners[index] = window[rows[nearest], columns[nearest]]
    return labels, owners


def target_areas(true: NDArray[np.bool_], points: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Area of the true target of each point as `true_targets` finds it, for methods that may know it.

    Returns
    -------
    areas : (N,) int64, pixels; 1 where the point has no true target.
    found : (N,) bool, whether it has one.
    """
    numbers, owners = true_targets(true, points)
    found = owners > 0
    return np.where(found, np.bincount(numbers.ravel())[owners], 1), found


def label_ious(true: NDArray[np.bool_], labels: ImageLabels, points: ArrayLike | None = None) -> NDArray[np.float64]:
    """Compare each target's own mask with the true target of its point.

    Parameters
    ----------
    true : (H, W) bool.
    labels : the targets of the image.
    points : (N, 2) as (row, column), one for each target; None takes the points the targets were labelled from.

    Returns
    -------
    (N,) float64 in [0, 1], NaN where the point has no true target.

    Raises
    ------
    InputError
        Where the shapes or the numbers of points and targets differ.
    """
    if true.shape != labels.shape:
        raise InputError(f"true must have the shape of the labels, {labels.shape}, got {true.shape}")
    spots = np.array([t.point for t in labels.targets]) if points is None else np.asarray(points, np.float64)
    spots = spots.reshape(-1, 2)
    if len(spots) != len(labels.targets):
        raise InputError(f"points must hold one point for each of {len(labels.targets)} targets, got {len(spots)}")
    return owned_ious(labels, *true_targets(true, spots))


def owned_ious(labels: ImageLabels, numbers: NDArray[np.int32], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """As `label_ious`, with what `true_targets` found for the points: several methods can share it."""
    areas = np.bincount(numbers.ravel())
    out = np.full(len(owners), np.nan)
    for index, (target, owner) in enumerate(zip(labels.targets, owners, strict=True)):
        if owner:
            inter = np.count_nonzero(target.mask & (numbers[target.window] == owner))
            out[index] = inter / (areas[owner] + target.area - inter)
    return out
