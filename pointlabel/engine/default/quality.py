"""Quality: the IoU to expect, from how sharp the soft label is and how much vote and refinement agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._rating_kernels import one_layer_kernel, quality_input_kernel, sharpness_kernel
from .vote import SUMMARY, Vote
from .weights import QualityWeights

_OF_VOTE = ("stability", "entropy", "log_area_deviation", "best_score", "step", "growth_two")
#: What the quality is read from: the soft label's sharpness, its overlap with the vote, ln of the mask's area,
#: and expectations under the vote.
INPUTS = ("sharpness", "agreement", "log_area", *_OF_VOTE)
_OF_VOTE_AT = np.array([SUMMARY.index(name) for name in _OF_VOTE])
LARGEST_Z = 4.0  # standardised inputs are cut here


def sharpness(soft: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Expected intersection over expected union of the mask, were the soft label a probability; in [0, 1]."""
    inside, outside, area, _, _ = sharpness_kernel(soft, mask, soft)
    return inside / max(area + outside, 1e-9)


def quality_inputs(soft: NDArray[np.float32], mask: NDArray[np.bool_], vote: Vote) -> NDArray[np.float64]:
    """The numbers of `INPUTS` for one target."""
    out = np.empty(len(INPUTS))
    quality_input_kernel(soft, mask, vote.field, vote.summary, _OF_VOTE_AT, out)
    return out


def quality(inputs: NDArray[np.float64], weights: QualityWeights) -> float:
    """A perceptron with one hidden layer of x sigmoid(x) on the standardised inputs, cut to [0, 1].

    The fit averages several small ones; side by side they are one with a wider layer.
    """
    w = weights
    rate = one_layer_kernel(
        inputs, w.centre, w.deviation, LARGEST_Z, w.hidden, w.hidden_bias, w.coefficients, float(w.bias)
    )
    return min(max(rate, 0.0), 1.0)


def qualities(inputs: NDArray[np.float64], weights: QualityWeights) -> NDArray[np.float64]:
    """`quality` of many targets, (n, I) inputs to (n,) numbers in [0, 1]."""
    z = np.clip((inputs - weights.centre) / weights.deviation, -LARGEST_Z, LARGEST_Z)
    hidden = z @ weights.hidden + weights.hidden_bias
    hidden /= 1 + np.exp(-hidden)
    return np.clip(hidden @ weights.coefficients + weights.bias, 0.0, 1.0)
