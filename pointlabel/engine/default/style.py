"""A data set's style of drawing: small changes of the fitted numbers that `pointlabel calibrate` learns."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from .params import N_BORDER_STYLE, N_SCORE_STYLE, DefaultParams
from .refine import N_INPUTS
from .regions import FEATURES
from .weights import Weights, load_weights

assert (len(FEATURES), N_INPUTS + 1) == (N_SCORE_STYLE, N_BORDER_STYLE)


def styled_weights(params: DefaultParams) -> Weights:
    """The fitted numbers with the style of `params`; those of the package where it has none."""
    return _styled(params.score_style, params.border_style)


@cache
def _styled(score_style: tuple[float, ...], border_style: tuple[float, ...]) -> Weights:
    return add_style(load_weights(), score_style, border_style)


def add_style(weights: Weights, score_style: tuple[float, ...], border_style: tuple[float, ...]) -> Weights:
    """Add a style to fitted numbers.

    Parameters
    ----------
    weights : to start from; not changed.
    score_style : (26,) added to the score's linear weights of the features, per deviation; empty for none.
    border_style : (25,) weights of the perceptron's inputs and a bias, added to its logit; empty for none.
    """
    if score_style:
        coefficients = weights.score.coefficients.copy()
        coefficients[:, 0] += score_style
        weights = replace(weights, score=replace(weights.score, coefficients=coefficients))
    if border_style:
        weights = replace(weights, refine=replace(weights.refine, style=np.array(border_style, np.float32)))
    return weights
