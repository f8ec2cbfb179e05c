"""Presence: the chance that a click is on a target at all, from how the candidates stand out of what is around them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._rating_kernels import expectation_kernel, logit_kernel
from .regions import FEATURES, Regions
from .vote import Vote
from .weights import read_numbers

#: The features whose expectations under the vote the presence is read from. No size among them: it tells the data sets
#: apart. None depends on the refinement or on `tightness`; a style's vote is not asked.
INPUTS = ("log_ring_snr", "ring_mean", "weak", "stability", "offset", "log_spread", "log_contrast_next")
INPUTS_AT = np.array([FEATURES.index(name) for name in INPUTS])
DOUBTFUL = 0.1  # presence below which a peak beside the click is compared with the click itself
CLEARLY = 0.05  # by which the presence at the click has to be higher
LARGEST_Z = 3.0  # standardised inputs are cut here, so that no single one decides


@dataclass(frozen=True, slots=True)
class PresenceWeights:
    """A logistic model: (I,) mean and deviation of the inputs, (I,) coefficients, bias.

    `without_vote` is the presence where every candidate is bad and there is no vote to read.
    """

    centre: NDArray[np.float64]
    deviation: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    bias: float
    without_vote: float


@cache
def load_presence() -> PresenceWeights:
    """Read ``weights/presence.json`` beside this module; `tools/fit_default/presence.py` writes it."""
    return parse_presence(read_numbers("presence"))


def parse_presence(stored: dict[str, Any]) -> PresenceWeights:
    """Build `PresenceWeights` from what the file holds."""
    return PresenceWeights(
        np.array(stored["centre"]),
        np.array(stored["deviation"]),
        np.array(stored["coefficients"]),
        float(stored["bias"]),
        float(stored["without_vote"]),
    )


def presence_inputs(regions: Regions, vote: Vote) -> NDArray[np.float64]:
    """The numbers of `INPUTS` for one target, all 0 where there is no vote."""
    out = np.empty(len(INPUTS))
    expectation_kernel(regions.features, vote.share, INPUTS_AT, out)
    return out


def presence(regions: Regions, vote: Vote, weights: PresenceWeights | None = None) -> float:
    """Presence of one target in [0, 1], a probability where as many clicks are on targets as beside them."""
    weights = weights or load_presence()
    if not vote.share.any():
        return weights.without_vote
    w, inputs = weights, presence_inputs(regions, vote)
    return 1 / (1 + math.exp(-logit_kernel(inputs, w.centre, w.deviation, LARGEST_Z, w.coefficients, w.bias)))


def presences(
    inputs: NDArray[np.float64], has_vote: NDArray[np.bool_], weights: PresenceWeights | None = None
) -> NDArray[np.float64]:
    """`presence` of many targets: (n, I) inputs and whether there is a vote (n,) to numbers in [0, 1]."""
    weights = weights or load_presence()
    z = np.clip((inputs - weights.centre) / weights.deviation, -LARGEST_Z, LARGEST_Z)
    return np.where(has_vote, 1 / (1 + np.exp(-(z @ weights.coefficients + weights.bias))), weights.without_vote)


def is_doubtful(found: bool, presence: float) -> bool:
    """Whether there is no target at a peak, or hardly one."""
    return not found or presence < DOUBTFUL


def is_likelier(at_click: tuple[bool, float], at_peak: tuple[bool, float]) -> bool:
    """Whether the label at the click is taken and not the one at a doubtful peak; each as found and its presence."""
    return not at_peak[0] or (at_click[0] and at_click[1] > at_peak[1] + CLEARLY)
