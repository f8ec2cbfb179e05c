"""The prior of eq. (4) of "Diffuse to Detect" (arXiv 2605.20766) as a vote over the candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._feature_kernels import LEVEL_CENTRE, LEVEL_SCALE, LOG_AREA_CENTRE, LOG_AREA_SCALE, score_kernel
from ._vote_kernels import relief_kernel, tally_kernel
from .regions import LEVELS, Regions
from .weights import ScoreWeights


@dataclass(frozen=True, slots=True)
class Vote:
    """The candidates' vote.

    Attributes
    ----------
    share : (K, L) each candidate's share, they sum to 1; all 0 where every candidate is bad.
    field : (65, 65) float32 in [0, 1] in steps of 2^-20, the expected region; 1 at the peak.
    summary : expectations under the vote: ln area, its deviation, level, best score, ln contrast over noise,
        ln contrast over spread, stability, entropy of the vote, step of the border, ln of the area two levels up over
        the area.
    """

    share: NDArray[np.float64]
    field: NDArray[np.float32]
    summary: NDArray[np.float64]


#: Names of `Vote.summary`.
SUMMARY = (
    "log_area",
    "log_area_deviation",
    "level",
    "best_score",
    "log_noise",
    "log_spread",
    "stability",
    "entropy",
    "step",
    "growth_two",
)


def centred(level: Any, log_area: Any) -> tuple[Any, Any]:
    """Level and ln area as the score's weights follow them; arrays or tensors."""
    return (level - LEVEL_CENTRE) / LEVEL_SCALE, (log_area - LOG_AREA_CENTRE) / LOG_AREA_SCALE


def cast_vote(regions: Regions, weights: ScoreWeights, temperature: float) -> Vote:
    """Score the candidates and let them vote."""
    share = np.empty(regions.bad.shape)
    best = score_kernel(
        regions.features,
        weights.centre,
        weights.deviation,
        weights.coefficients,
        regions.bad,
        temperature,
        len(LEVELS),
        share,
    )
    return vote_of(regions, share, best)


def vote_of(regions: Regions, share: NDArray[np.float64], best: float) -> Vote:
    """Sum up the vote for given shares."""
    field = np.empty(regions.level_of.shape[1:], np.float32)
    summary = np.empty(len(SUMMARY))
    tally_kernel(
        regions.level_of,
        regions.features,
        share,
        best if math.isfinite(best) else 0.0,
        int(regions.heights.extents.max()),
        field,
        summary,
    )
    return Vote(share, field, summary)


def expected_relief(regions: Regions, share: NDArray[np.float64]) -> NDArray[np.float32]:
    """Expected height over the background as a share of the peak's, (65, 65) float32 in [-1, 2]."""
    relief = np.empty(regions.level_of.shape[1:], np.float32)
    relief_kernel(regions.residual, regions.contrast, share, relief)
    return relief
