"""Quality: the IoU to expect, from how sharp the soft label is and how much vote and refinement agree."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._refine_kernels import sharpness_kernel
from .vote import SUMMARY, Vote
from .weights import QualityWeights

_OF_VOTE = ("stability", "entropy", "log_area_deviation", "best_score", "step", "growth_two")
#: What the quality is read from: the soft label's sharpness, its overlap with the vote, ln of the mask's area,
#: and expectations under the vote.
INPUTS = ("sharpness", "agreement", "log_area", *_OF_VOTE)
_AT = [SUMMARY.index(name) for name in _OF_VOTE]


def sharpness(soft: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Expected intersection over expected union of the mask, were the soft label a probability; in [0, 1]."""
    inside, outside, area, _, _ = sharpness_kernel(soft, mask, soft)
    return inside / max(area + outside, 1e-9)


def quality_inputs(soft: NDArray[np.float32], mask: NDArray[np.bool_], vote: Vote) -> NDArray[np.float64]:
    """The numbers of `INPUTS` for one target."""
    inside, outside, area, lower, higher = sharpness_kernel(soft, mask, vote.field)
    sharp, agreement = inside / max(area + outside, 1e-9), lower / max(higher, 1e-9)
    summary = vote.summary.tolist()
    return np.array([sharp, agreement, math.log(max(area, 1)), *[summary[at] for at in _AT]])


def quality(inputs: NDArray[np.float64], weights: QualityWeights) -> float:
    """A perceptron with one hidden layer of x sigmoid(x) on the standardised inputs, cut to [0, 1].

    The fit averages several small ones; side by side they are one with a wider layer.
    """
    return min(max(float(_perceptron(inputs, weights)), 0.0), 1.0)


def qualities(inputs: NDArray[np.float64], weights: QualityWeights) -> NDArray[np.float64]:
    """`quality` of many targets, (n, I) inputs to (n,) numbers in [0, 1]."""
    return np.clip(_perceptron(inputs, weights), 0.0, 1.0)


def _perceptron(inputs: NDArray[np.float64], weights: QualityWeights) -> NDArray[np.float64]:
    z = np.minimum(np.maximum((inputs - weights.centre) / weights.deviation, -4), 4)
    hidden = z @ weights.hidden + weights.hidden_bias
    hidden /= 1 + np.exp(-hidden)
    out: NDArray[np.float64] = hidden @ weights.coefficients + weights.bias
    return out
