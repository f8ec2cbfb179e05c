"""Hierarchical IoU and the errors it is made of, from "Rethinking Evaluation of Infrared Small Target Detection".

Y. Pang and others, NeurIPS 2025 (arXiv 2509.16888), with the counts of the authors' toolkit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from .components import Components
from .matching import MATCH_DISTANCE_PX, count_overlaps

#: A target and a predicted component that share so much of their union are candidates for each other.
OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Counts of one image, or sums over images.

    Attributes
    ----------
    matched : targets with a predicted component.
    interference, splitting : predicted components that no target is a candidate for, and those whose candidates were
        all given to others: one target in several pieces.
    perception, merging : the same two of targets: missed, and several targets in one piece.
    alarm_px : pixels of the predicted components without a target.
    iou_sum, merged_sum, interference_sum, missed_sum : over the matched pairs, the shares of the union that are in
        both, in the predicted component and another target, in the predicted component alone, in the target alone.
    no_target, no_predicted : 1 where the image has no target, and no predicted component.
    """

    matched: int = 0
    interference: int = 0
    splitting: int = 0
    perception: int = 0
    merging: int = 0
    alarm_px: int = 0
    iou_sum: float = 0.0
    merged_sum: float = 0.0
    interference_sum: float = 0.0
    missed_sum: float = 0.0
    no_target: int = 0
    no_predicted: int = 0

    def __add__(self, other: Hierarchy) -> Hierarchy:
        return Hierarchy(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    def summary(self, n_pixels: int, *, legacy: bool = False) -> dict[str, float | None]:
        """Return hIoU and its parts by name, None where it is a share of nothing.

        Parameters
        ----------
        n_pixels : of all images.
        legacy : True counts as the authors' toolkit does: an image without a target has one missed target more, and
            one without a predicted component one false component more.
        """
        missed = self.perception + (self.no_target if legacy else 0)
        false = self.interference + (self.no_predicted if legacy else 0)
        n = self.matched + false + self.splitting + missed + self.merging

        def of_all(count: float) -> float | None:
            return count / n if n else None

        def of_matched(total: float) -> float | None:
            return total / self.matched if self.matched else None

        loc, seg = of_all(self.matched), of_matched(self.iou_sum)
        hiou = None if loc is None else loc * (seg or 0.0)
        n_targets = self.matched + missed + self.merging
        return {
            "hiou": hiou,
            "loc_iou": loc,
            "loc_splitting": of_all(self.splitting),
            "loc_merging": of_all(self.merging),
            "loc_interference": of_all(false),
            "loc_perception": of_all(missed),
            "seg_iou": seg,
            "seg_merging": of_matched(self.merged_sum),
            "seg_interference": of_matched(self.interference_sum),
            "seg_perception": of_matched(self.missed_sum),
            "pd_opdc": self.matched / n_targets if n_targets else None,
            "fa_opdc": self.alarm_px / n_pixels if n_pixels else None,
        }


def match_opdc(
    true: Components, predicted: Components
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Match targets with predicted components: overlap first, then distance (OPDC).

    Of all pairs those of the assignment with the least sum of centroid distances are taken that have an IoU of at
    least 1/2; among what is left, those of another such assignment whose centroids lie less than 3 px apart. No order
    of the components plays a part, but where two assignments have the same sum.

    Parameters
    ----------
    true, predicted : components of two masks of one shape.

    Returns
    -------
    matches : (K,) int64, for each target the index of its predicted component, -1 where it has none.
    wanted : (K,) bool, whether a target has a candidate: a predicted component that meets one of the two conditions.
    claimed : (M,) bool, the same of each predicted component.
    """
    matches = np.full(len(true), -1, np.int64)
    if not len(true) or not len(predicted):
        return matches, np.zeros(len(true), bool), np.zeros(len(predicted), bool)
    distances = cdist(true.centroids, predicted.centroids)
    owners, components, inter = count_overlaps(true, predicted)
    overlaps = inter / (true.areas[owners] + predicted.areas[components] - inter) >= OVERLAP
    is_over = np.zeros(distances.shape, bool)
    is_over[owners[overlaps], components[overlaps]] = True
    is_near = distances < MATCH_DISTANCE_PX
    free = np.ones(len(predicted), bool)
    for condition in (is_over, is_near):
        ours, theirs = np.flatnonzero(matches < 0), np.flatnonzero(free)
        rows, columns = linear_sum_assignment(distances[np.ix_(ours, theirs)])
        rows, columns = ours[rows], theirs[columns]
        good = condition[rows, columns]
        matches[rows[good]] = columns[good]
        free[columns[good]] = False
    is_candidate = is_over | is_near
    return matches, is_candidate.any(axis=1), is_candidate.any(axis=0)


def score_hierarchy(true: Components, predicted: Components) -> Hierarchy:
    """Count what hIoU is made of in one image."""
    matches, wanted, claimed = match_opdc(true, predicted)
    owners, components, inter = count_overlaps(true, predicted)
    targets = np.flatnonzero(matches >= 0)
    partners = matches[targets]
    is_matched = np.zeros(len(predicted), bool)
    is_matched[partners] = True
    both = np.zeros(len(true))
    own = matches[owners] == components
    both[owners[own]] = inter[own]
    both = both[targets]
    in_true = np.bincount(components, weights=inter, minlength=len(predicted))[partners]  # of any target
    union = true.areas[targets] + predicted.areas[partners] - both
    return Hierarchy(
        matched=len(targets),
        interference=int(np.count_nonzero(~claimed)),
        splitting=int(np.count_nonzero(claimed & ~is_matched)),
        perception=int(np.count_nonzero(~wanted)),
        merging=int(np.count_nonzero(wanted & (matches < 0))),
        alarm_px=int(predicted.areas[~is_matched].sum()),
        iou_sum=float((both / union).sum()),
        merged_sum=float(((in_true - both) / union).sum()),
        interference_sum=float(((predicted.areas[partners] - in_true) / union).sum()),
        missed_sum=float(((true.areas[targets] - both) / union).sum()),
        no_target=int(not len(true)),
        no_predicted=int(not len(predicted)),
    )
