"""Fit the few numbers of a style to targets with masks, pulled to the default style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, softmax
from threadpoolctl import threadpool_limits

from ..engine.default.params import LONGEST_STYLE, N_STYLE, DefaultParams
from ..engine.default.refine import VOTE_GAIN
from ..engine.default.regions import FEATURES
from ..engine.default.style import Numbers, Styles, fold_style
from ..engine.default.vote import centred
from ..engine.default.weights import ScoreWeights, Weights
from .targets import Candidates, Case, candidates_of, inputs_of, standardised_inputs, true_pixels, votes_of

MAX_ITER = 25
FIT_TEMPERATURE = 0.25  # of the vote, sharper than in use: the fit should tell candidates apart
HEAT = 4.0  # of the logits: those of the fitted perceptron are far from 0, where a likelihood has no slope
SMALL_PX = 10.0  # added to the area that a target's cross-entropy is divided by
_LEVEL, _LOG_AREA = FEATURES.index("level"), FEATURES.index("log_area")
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pulls:
    """How strongly a style is pulled to the default: over n targets, its squares count 1 / n of it.

    `score` is for the numbers that the score of the candidates reads, `border` for the others.
    """

    score: float
    border: float


def fit_style(cases: Sequence[Case], weights: Weights, styles: Styles, params: DefaultParams, pulls: Pulls) -> Numbers:
    """Style of some targets with their masks, D numbers in [-3, 3].

    First what the score reads, by the soft overlap of the vote's candidates with the truth; then, on the votes of that,
    the rest, by the cross-entropy of the pixels near the vote: a mask has one overlap, but some twenty pixels along its
    border that say how it was drawn, and few masks have to do.
    """
    n_score = len(styles.score)
    style = np.zeros(N_STYLE)
    with threadpool_limits(1):  # products of small sides: waking other threads takes longer than they save
        style[:n_score] = _minimise(*score_loss(candidates_of(cases), weights.score, styles, pulls.score))
        folded = fold_style(weights, styles, style)
        style[n_score:] = _minimise(*border_loss(cases, folded, styles, params, pulls.border))
    return tuple(float(f"{number:.6g}") for number in style)


LossAndSize = tuple[Callable[[FloatArray], tuple[float, FloatArray]], int]


def score_loss(candidates: Candidates, weights: ScoreWeights, styles: Styles, pull: float) -> LossAndSize:
    """Minus half the pooled and half the mean soft IoU of the candidates, with its gradient; and how many numbers."""
    features = candidates.features
    z = np.clip((features - weights.centre) / weights.deviation, -4, 4)
    level, size = centred(features[..., _LEVEL], features[..., _LOG_AREA])
    slopes = np.stack([np.ones_like(level), level, size], -1)

    def scores(coefficients: FloatArray) -> FloatArray:
        out: FloatArray = ((z @ coefficients) * slopes).sum(-1) / FIT_TEMPERATURE
        return out

    still = np.where(candidates.bad, -1e4, scores(weights.coefficients))
    moving = np.stack([np.where(candidates.bad, 0.0, scores(change)) for change in styles.score], -1)
    inter, union = candidates.intersection, candidates.union
    n = len(still)

    def loss(a: FloatArray) -> tuple[float, FloatArray]:
        share = softmax(still + moving @ a, 1)
        i, u = (share * inter).sum(), (share * union).sum()
        each = inter / union
        value = -0.5 * i / u - 0.5 * (share * each).sum(1).mean() + pull * (a @ a) / n
        of_share = -0.5 * (inter / u - i * union / u**2) - 0.5 * each / n
        of_score = share * (of_share - (share * of_share).sum(1, keepdims=True))
        return float(value), np.tensordot(of_score, moving, 2) + 2 * pull * a / n

    return loss, len(styles.score)


def border_loss(
    cases: Sequence[Case], weights: Weights, styles: Styles, params: DefaultParams, pull: float
) -> LossAndSize:
    """Cross-entropy of the pixels near the vote over each target's area, with its gradient; and how many numbers.

    `weights` are folded with what the score reads of the style; the other numbers are looked for.
    """
    seen = inputs_of(cases, votes_of(cases, weights, params))
    sizes = np.array([len(s.rows) for s in seen])
    r = weights.refine
    x = standardised_inputs(seen, r)
    still = float(VOTE_GAIN) * (np.concatenate([s.votes for s in seen]) - np.float32(0.5))
    truth = true_pixels(cases, seen)
    area = np.array([case.true_area for case in cases], float)
    share = np.repeat(1 / ((area + SMALL_PX) * len(cases)), sizes).astype(np.float32)
    n_score = len(styles.score)
    (w1, b1), *layers = r.layers
    first = x @ w1 + b1  # no style changes the weights of the first layer
    (_, shift1), *changes = (
        (change[n_score:].astype(np.float32), shift[n_score:].astype(np.float32)) for change, shift in styles.layers
    )

    def loss(b: FloatArray) -> tuple[float, FloatArray]:
        s = b.astype(np.float32)
        z, hidden, slopes, weights = first + s @ shift1, [], [], []
        for (w, bias), (change, shift) in zip(layers, changes, strict=True):
            opened = expit(z)
            hidden.append(z * opened)
            slopes.append(opened * (1 + z * (1 - opened)))
            weights.append(w + np.tensordot(s, change, 1))
            z = hidden[-1] @ weights[-1] + bias + s @ shift
        logit = (z[:, 0] + still) / np.float32(HEAT)
        value = (share * (np.logaddexp(0, logit) - truth * logit)).sum(dtype=float) + pull * (b @ b) / len(cases)
        back = (share * (expit(logit) - truth) / np.float32(HEAT))[:, None]
        gradient = 2 * pull * b / len(cases)
        for k in (1, 0):
            change, shift = changes[k]
            gradient = gradient + np.tensordot(change, hidden[k].T @ back, 2) + shift @ back.sum(0)
            back = (back @ weights[k].T) * slopes[k]
        return float(value), (gradient + shift1 @ back.sum(0)).astype(float)

    return loss, N_STYLE - n_score


def _minimise(loss: Callable[[FloatArray], tuple[float, FloatArray]], size: int) -> FloatArray:
    """The numbers with the smallest loss within bounds; zeros where the search does not end in finite numbers."""
    bounds = [(-LONGEST_STYLE, LONGEST_STYLE)] * size
    with np.errstate(all="ignore"):
        found: FloatArray = minimize(
            loss, np.zeros(size), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": MAX_ITER}
        ).x
    return found if np.isfinite(found).all() else np.zeros(size)
