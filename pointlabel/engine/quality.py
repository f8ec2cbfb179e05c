"""Quality: the IoU to expect, from how sharp the soft label is and how much the candidates agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._refine_kernels import sharpness_kernel
from .vote import SUMMARY, Vote
from .weights import QualityWeights

#: What the quality is read from. Area and contrast are left out: their slopes change sign between data sets.
INPUTS = ("sharpness", "stability", "entropy", "log_area_deviation", "best_score", "step")
_AT = [SUMMARY.index(name) for name in INPUTS[1:]]


def sharpness(soft: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Expected intersection over expected union of the mask, were the soft label a probability; in [0, 1]."""
    inside, outside, area = sharpness_kernel(soft, mask)
    return inside / max(area + outside, 1e-9)


def quality_inputs(soft: NDArray[np.float32], mask: NDArray[np.bool_], vote: Vote) -> NDArray[np.float64]:
    """The numbers of `INPUTS` for one target."""
    summary = vote.summary.tolist()
    return np.array([sharpness(soft, mask), *[summary[at] for at in _AT]])


def quality(inputs: NDArray[np.float64], weights: QualityWeights) -> float:
    """Linear in the standardised inputs, cut to [0, 1]."""
    z = np.minimum(np.maximum((inputs - weights.centre) / weights.deviation, -4), 4)
    return min(max(float(z @ weights.coefficients) + weights.bias, 0.0), 1.0)
