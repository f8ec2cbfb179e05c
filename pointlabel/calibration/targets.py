"""Targets with their windows, candidates and true masks: what a fit of the default method works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._checks import pixel_of
from ..engine.default.heat import heat_vote
from ..engine.default.label import cut_label, label_window
from ..engine.default.params import DefaultParams
from ..engine.default.quality import quality_inputs
from ..engine.default.refine import PixelInputs, pixel_inputs
from ..engine.default.regions import VOTING_SCALES, Regions, grow_regions
from ..engine.default.vote import Vote, cast_vote
from ..engine.default.weights import RefineWeights, Weights
from ..engine.default.window import HALF, Window, cut_window
from ..evaluation.targets import true_targets
from ..methods.peaks import find_peak


@dataclass(frozen=True, slots=True)
class Case:
    """One target: its window, candidates and truth (within the window, and its whole area).

    `group` and `kind` tell data sets and kinds of point apart, `image` names the image.
    """

    group: int
    kind: int
    image: str
    window: Window
    regions: Regions
    truth: NDArray[np.bool_]
    true_area: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """All candidates of all targets: (N, C, F) features, (N, C) intersection, union with the truth, and bad ones."""

    features: NDArray[np.float64]
    intersection: NDArray[np.float64]
    union: NDArray[np.float64]
    bad: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Per target: intersection, union, inputs of the quality."""

    inter: NDArray[np.float64]
    union: NDArray[np.float64]
    inputs: NDArray[np.float64]

    @property
    def iou(self) -> NDArray[np.float64]:
        """IoU of each target."""
        return self.inter / self.union


HeatedVote = tuple[Vote, NDArray[np.float32]]


def cases_of(
    image: NDArray,
    points: NDArray[np.float64],
    mask: NDArray[np.bool_],
    name: str,
    *,
    group: int = 0,
    kind: int = 0,
    n_scales: int = 4,
) -> list[Case]:
    """Cases of one image: every point (N, 2) that has a true target in the mask (H, W)."""
    labels, owners = true_targets(mask, points)
    areas, padded = np.bincount(labels.ravel()), np.pad(labels, HALF)
    out = []
    for pixel, owner in zip(pixel_of(points, (mask.shape[0], mask.shape[1])), owners, strict=True):
        if owner == 0:
            continue
        peak = find_peak(image, pixel)
        window = cut_window(image, peak)
        true = padded[peak[0] : peak[0] + 2 * HALF + 1, peak[1] : peak[1] + 2 * HALF + 1] == owner
        regions = grow_regions(window, VOTING_SCALES[n_scales])
        out.append(Case(group, kind, name, window, regions, true, int(areas[owner])))
    return out


def candidates_of(cases: Sequence[Case]) -> Candidates:
    """Features of every candidate with its intersection and union with the truth, which need no pixel later."""
    features, inter, union = [], [], []
    for case in cases:
        _, n_levels, n_features = case.regions.features.shape
        hits = np.stack(
            [np.bincount(level[case.truth], minlength=n_levels + 1)[:n_levels] for level in case.regions.level_of]
        ).cumsum(axis=1)
        area = np.stack(
            [np.bincount(level.ravel(), minlength=n_levels + 1)[:n_levels] for level in case.regions.level_of]
        ).cumsum(axis=1)
        features.append(case.regions.features.reshape(-1, n_features))
        inter.append(hits.ravel())
        union.append((area + case.true_area - hits).ravel())
    bad = np.stack([case.regions.bad.ravel() for case in cases])
    return Candidates(np.stack(features), np.stack(inter).astype(float), np.stack(union).astype(float), bad)


def votes_of(cases: Iterable[Case], weights: Weights, params: DefaultParams) -> list[HeatedVote]:
    """Vote and heated vote of every case."""
    votes = [(case, cast_vote(case.regions, weights.score, params.temperature)) for case in cases]
    return [(vote, heat_vote(case.window, vote.field, params)) for case, vote in votes]


def inputs_of(cases: Sequence[Case], votes: Sequence[HeatedVote]) -> list[PixelInputs]:
    """What the refinement sees of every case."""
    return [
        pixel_inputs(case.window, case.regions, vote, field).copy()
        for case, (vote, field) in zip(cases, votes, strict=True)
    ]


def standardised_inputs(seen: Sequence[PixelInputs], weights: RefineWeights) -> NDArray[np.float32]:
    """Inputs of the perceptron at all pixels of some targets, one after the other, (P, 29), cut at 5 deviations."""
    extra = np.repeat(np.stack([s.extra for s in seen]), [len(s.rows) for s in seen], axis=0)
    x = np.concatenate([np.concatenate([s.inputs for s in seen]), extra], 1)
    out: NDArray[np.float32] = np.clip((x - weights.centre) / weights.deviation, -5, 5)
    return out


def true_pixels(cases: Sequence[Case], seen: Sequence[PixelInputs]) -> NDArray[np.bool_]:
    """Whether each of these pixels belongs to its target, (P,)."""
    return np.concatenate([case.truth[s.rows, s.columns] for case, s in zip(cases, seen, strict=True)])


def label_cases(cases: Sequence[Case], weights: Weights, params: DefaultParams, tightness: float = 0.5) -> Outcome:
    """Masks of every case by the engine itself, against the truth."""
    rows, inputs = [], []
    for case in cases:
        label = label_window(case.window, case.regions, params, weights)
        if tightness != 0.5:
            label = cut_label(label, tightness, params)
        hits = int((label.mask & case.truth).sum())
        rows.append((hits, int(label.mask.sum()) + case.true_area - hits))
        inputs.append(quality_inputs(label.soft, label.mask, label.vote))
    table = np.array(rows, float).reshape(-1, 2)
    return Outcome(table[:, 0], table[:, 1], np.array(inputs))
