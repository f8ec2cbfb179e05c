"""How labels follow a detector's predictions: pure functions of prediction, present label and points.

`evolve_regions` is the update of LESPS as published, `evolve_and_decay` that of PAL; `admits` and `label_of_admitted`
decide which images PAL takes in, and with which label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..evaluation.components import find_components
from ..params import Params, param

#: Values of a label below this are set to 0: half a grey level of an 8-bit mask.
LEAST = 1 / 512
#: What a label grows to at most: the last grey level of an 8-bit mask before 1, since pixels at 1 never change again.
MOST = np.float32(254 / 255)
#: Half side of the square around a region's centroid that a group of passing pixels has to meet, pixels.
CENTRE_PX = 1


@dataclass(frozen=True)
class Growth(Params):
    """How far labels reach and how fast they grow: what every strategy that moves labels has as parameters.

    A pixel passes where the prediction is at least `base` of its peak in the square around the label, for a label
    without area; of the rest, 1 - base, the share `growth` is asked for once the label covers `area_share`.
    """

    prefix: ClassVar[str] = ""

    reach_px: int = param(16, "half side of the square that one update looks at and never leaves, pixels", low=1)
    base: float = param(
        0.5, "share of the prediction's peak that a pixel has to pass (T_b)", low=0, high=1, open_high=True
    )
    growth: float = param(0.5, "how much of the rest is asked for once a label covers area_share (k)", low=0)
    area_share: float = param(
        0.0015, "share of the image that labels are measured by (r)", low=0, high=1, open_low=True
    )


def mark_points(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A label that is 1 at the pixel of each point and 0 elsewhere, (H, W) float32: where evolution starts."""
    out = np.zeros(shape, np.float32)
    out[_pixels(points, shape)] = 1
    return out


def evolve_regions(
    prediction: NDArray[np.float32], label: NDArray, rule: Growth, *, least_peak: float = 0.0
) -> NDArray[np.float32]:
    """Move a label half the way to the prediction where that stands out around the label's regions: LESPS.

    A region is a component (8 neighbours) of the label above one half, of A pixels. Around its centroid, rounded down,
    and within the reach of the rule,

        T = max(P) (base + growth (1 - base) A / (area_share H W))

    with P the prediction. Pixels with P > T pass; if they form several groups, only those groups that meet the 3 x 3
    pixels around the centroid. Where they pass, the label becomes (label + P) / 2. Regions are taken one after another
    in reading order, so that pixels which pass twice go three quarters of the way. Pixels at 1 stay at 1.

    Parameters
    ----------
    prediction : (H, W) float32, probabilities.
    label : (H, W) real in [0, 1], the present label.
    rule : reach and growth.
    least_peak : regions around which the prediction stays below it are left as they are; 0 is the published rule.

    Returns
    -------
    (H, W) float32 in [0, 1]; the inputs are left as they are.

    References
    ----------
    X. Ying et al.: Mapping Degeneration Meets Label Evolution, CVPR 2023, eqs. 3 to 5, and the code of the authors.
    """
    _check_size(prediction, label)
    out = label.astype(np.float32)
    fixed = out == 1
    for window, passing in _passing_around_regions(prediction, out, rule, least_peak, always=False):
        out[window] = np.where(passing, np.minimum((out[window] + prediction[window]) / 2, MOST), out[window])
    return _settled(out, fixed)


def evolve_and_decay(
    prediction: NDArray[np.float32], label: NDArray, rule: Growth, *, decay: float, least_peak: float = 0.0
) -> NDArray[np.float32]:
    """Move a label half the way to the prediction around its regions, and let it shrink elsewhere: PAL.

    As `evolve_regions`, but for three things. Groups of passing pixels have to meet the 3 x 3 pixels around the
    region's centroid even where there is one only; pixels that pass in several squares go half the way once; all
    others are multiplied by `decay`. Pixels at 1 stay at 1.

    Parameters
    ----------
    prediction : (H, W) float32, probabilities.
    label : (H, W) real in [0, 1], the present label.
    rule : reach and growth.
    decay : in (0, 1].
    least_peak : regions around which the prediction stays below it are left as they are, but for the decay; 0 is the
        published rule.

    Returns
    -------
    (H, W) float32 in [0, 1]; the inputs are left as they are.

    References
    ----------
    C. Yu et al.: From Easy to Hard, ICCV 2025 (decay 0.97), and the code of the authors.
    """
    _check_size(prediction, label)
    present = label.astype(np.float32)
    passing = np.zeros(present.shape, bool)
    for window, found in _passing_around_regions(prediction, present, rule, least_peak, always=True):
        passing[window] |= found
    moved = np.minimum((present + prediction) / 2, MOST)
    return _settled(np.where(passing, moved, present * np.float32(decay)), present == 1)


def _passing_around_regions(
    prediction: NDArray[np.float32], label: NDArray[np.float32], rule: Growth, least_peak: float, *, always: bool
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """The square around each region, in reading order, and its passing pixels.

    `always`: groups have to meet the pixels around the centroid; else only where there are several.
    """
    regions = find_components(label > 0.5)
    for (row, column), area in zip(regions.centroids.astype(np.int64).tolist(), regions.areas.tolist(), strict=True):
        window = _square(row, column, rule.reach_px)
        near = prediction[window]
        peak = float(near.max())
        if peak < least_peak:
            continue
        share = area / (rule.area_share * label.size)
        found = near > peak * (rule.base + rule.growth * (1 - rule.base) * share)
        groups = find_components(found)
        if always or len(groups) > 1:
            centre = np.zeros(label.shape, bool)
            centre[_square(row, column, CENTRE_PX)] = True
            met = groups.labels[centre[window]]
            found = np.isin(groups.labels, met[met > 0])
        yield window, found


def _settled(label: NDArray[np.float32], fixed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """An updated label with the pixels that never change, and without those that are next to nothing."""
    out = label.astype(np.float32)
    out[fixed] = 1
    out[out < LEAST] = 0
    return out


def admits(
    prediction: NDArray[np.bool_], points: NDArray[np.float64], *, missed_share: float, false_per_point: float
) -> bool:
    """Whether a detector finds enough of an image's targets, and not too much else, to learn from the image.

    Holes of components are filled first. Points whose pixels touch are one, as published.

    Parameters
    ----------
    prediction : (H, W) bool.
    points : (N, 2) float64, (row, column); an image without points is always let in.
    missed_share : largest share of points that no component covers, in [0, 1].
    false_per_point : largest number of components beyond those that points account for, for each point.
    """
    marks = find_components(mark_points(points, (prediction.shape[0], prediction.shape[1])) > 0)
    if len(marks) == 0:
        return True
    found = find_components(ndimage.binary_fill_holes(prediction))
    hit = marks.labels[found.labels > 0]
    n, n_hit = len(marks), len(np.unique(hit[hit > 0]))
    return (n - n_hit) / n <= missed_share and (len(found) - n_hit) / n <= false_per_point


def label_of_admitted(prediction: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Components of a prediction, filled, that cover a point, and the pixels of the points: (H, W) float32 of 0, 1."""
    out = mark_points(points, (prediction.shape[0], prediction.shape[1]))
    groups = find_components(ndimage.binary_fill_holes(prediction)).labels
    met = groups[out > 0]
    out[np.isin(groups, met[met > 0])] = 1
    return out


def _check_size(prediction: NDArray, label: NDArray) -> tuple[int, int]:
    shape = (label.shape[0], label.shape[1])
    if prediction.shape != shape:
        raise InputError(f"prediction must have the shape of the label, {shape}, got {prediction.shape}")
    return shape


def _pixels(points: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels that hold the points."""
    nearest = np.clip(np.floor(points.reshape(-1, 2) + 0.5), 0, np.array(shape[:2]) - 1).astype(np.int64)
    return nearest[:, 0], nearest[:, 1]


def _square(row: int, column: int, reach: int) -> tuple[slice, slice]:
    return slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
