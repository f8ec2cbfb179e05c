"""How labels follow a detector's predictions: pure functions of prediction, present label and points.

`evolve_label` is the update of LESPS and, with a decay, of PAL; `admits` and `label_of_admitted` decide which images
PAL takes in, and with which label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..evaluation.components import find_components

#: Values of a label below this are set to 0: half a grey level of an 8-bit mask.
LEAST = 1 / 512


@dataclass(frozen=True)
class Rule:
    """How far and how fast labels move.

    Attributes
    ----------
    reach_px : a label never leaves the square of ``2 * reach_px + 1`` pixels around its point.
    base : share of the prediction's peak in that square which a pixel has to pass, for a label without area; in [0, 1).
    growth : how much of the rest, 1 - base, is asked for once the label covers `area_share`; not negative.
    area_share : share of the image that a label is measured by, positive.
    anchor_px : a group of passing pixels has to meet the square of ``2 * anchor_px + 1`` pixels around the point;
        -1 asks it to meet the present label instead.
    decay : what values outside the passing pixels are multiplied by, in (0, 1].
    least_peak : where the prediction's peak in the square is lower, the detector sees nothing there, and no pixel
        passes; in [0, 1].
    """

    reach_px: int = 16
    base: float = 0.5
    growth: float = 0.5
    area_share: float = 0.0015
    anchor_px: int = -1
    decay: float = 1.0
    least_peak: float = 0.0

    def __post_init__(self) -> None:
        rules = (
            ("reach_px", self.reach_px >= 1, "be at least 1"),
            ("base", 0 <= self.base < 1, "lie in [0, 1)"),
            ("growth", self.growth >= 0, "be at least 0"),
            ("area_share", 0 < self.area_share <= 1, "lie in (0, 1]"),
            ("anchor_px", self.anchor_px >= -1, "be at least -1"),
            ("decay", 0 < self.decay <= 1, "lie in (0, 1]"),
            ("least_peak", 0 <= self.least_peak <= 1, "lie in [0, 1]"),
        )
        for name, good, rule in rules:
            if not good:
                raise InputError(f"{name} must {rule}, got {getattr(self, name)!r}")


def mark_points(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A label that is 1 at the pixel of each point and 0 elsewhere, (H, W) float32: where evolution starts."""
    out = np.zeros(shape, np.float32)
    out[_pixels(points, shape)] = 1
    return out


def evolve_label(
    prediction: NDArray[np.float32], label: NDArray, points: NDArray[np.float64], rule: Rule
) -> NDArray[np.float32]:
    """Move a label half the way to the prediction where that stands out around the points.

    Around each point, within the reach of the rule, P being the prediction and A the pixels of the point's component
    of the label above one half,

        T = max(P) (base + growth (1 - base) A / (area_share H W))

    Of the pixels with P > T those groups pass that are connected (8 neighbours) with that component, or with the square
    of the rule's anchor. There the label becomes (label + P) / 2, elsewhere it is multiplied by the decay. Pixels at 1
    stay at 1, and those of the points are always there. As A grows T reaches the peak, and the label grows no further.

    Parameters
    ----------
    prediction : (H, W) float32, probabilities.
    label : (H, W) real in [0, 1], the present label.
    points : (N, 2) float64, (row, column).
    rule : see `Rule`.

    Returns
    -------
    (H, W) float32 in [0, 1]; the inputs are left as they are.

    References
    ----------
    X. Ying et al.: Mapping Degeneration Meets Label Evolution, CVPR 2023, eqs. 3 to 5 (no decay, no anchor).
    C. Yu et al.: From Easy to Hard, ICCV 2025 (decay 0.97, anchor 1 px).
    """
    shape = (label.shape[0], label.shape[1])
    if prediction.shape != shape:
        raise InputError(f"prediction must have the shape of the label, {shape}, got {prediction.shape}")
    present = label.astype(np.float32)
    rows, columns = _pixels(points, shape)
    present[rows, columns] = 1
    regions = find_components(present > 0.5)
    passing = np.zeros(shape, bool)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        window = _square(row, column, rule.reach_px)
        near = prediction[window]
        peak = float(near.max())
        if peak < rule.least_peak:
            continue
        number = int(regions.labels[row, column])
        share = float(regions.areas[number - 1]) / (rule.area_share * label.size)
        found = near > peak * (rule.base + rule.growth * (1 - rule.base) * share)
        groups = find_components(found).labels
        if rule.anchor_px < 0:
            met = groups[regions.labels[window] == number]
        else:
            around = np.zeros(shape, bool)
            around[_square(row, column, rule.anchor_px)] = True
            met = groups[around[window]]
        passing[window] |= np.isin(groups, met[met > 0])
    out = np.where(passing, (present + prediction) / 2, present * np.float32(rule.decay)).astype(np.float32)
    out[present == 1] = 1
    out[out < LEAST] = 0
    return out


def admits(
    prediction: NDArray[np.bool_], points: NDArray[np.float64], *, missed_share: float, false_per_point: float
) -> bool:
    """Whether a detector finds enough of an image's targets, and not too much else, to learn from the image.

    Parameters
    ----------
    prediction : (H, W) bool.
    points : (N, 2) float64, (row, column); an image without points is always let in.
    missed_share : largest share of points that no component covers, in [0, 1].
    false_per_point : largest number of components beyond those that points account for, for each point.
    """
    if len(points) == 0:
        return True
    found = find_components(prediction)
    n_hit = int(np.count_nonzero(found.labels[_pixels(points, found.labels.shape)]))
    n = len(points)
    return (n - n_hit) / n <= missed_share and (len(found) - n_hit) / n <= false_per_point


def label_of_admitted(prediction: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Components of a prediction that cover a point, and the pixels of the points: (H, W) float32 of 0 and 1."""
    out = mark_points(points, (prediction.shape[0], prediction.shape[1]))
    groups = find_components(prediction).labels
    met = groups[_pixels(points, groups.shape)]
    out[np.isin(groups, met[met > 0])] = 1
    return out


def _pixels(points: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels that hold the points."""
    nearest = np.clip(np.floor(points.reshape(-1, 2) + 0.5), 0, np.array(shape[:2]) - 1).astype(np.int64)
    return nearest[:, 0], nearest[:, 1]


def _square(row: int, column: int, reach: int) -> tuple[slice, slice]:
    return slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
