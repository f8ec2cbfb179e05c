"""Fit the learned parts of a style by gradient, pulled towards the defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..engine.default.params import N_BORDER_STYLE, N_SCORE_STYLE, DefaultParams
from ..engine.default.refine import standardised
from ..engine.default.weights import Weights
from ..engine.torch.refine import soft_refine
from ..engine.torch.vote import score_candidates, soft_vote
from .targets import Candidates, Case, HeatedVote, inputs_of

MAX_ITER = 40  # of L-BFGS
BIAS_SHARE = 0.3  # the bias is pulled less than the weights: it moves the whole border


def overlap_loss(inter: Tensor, union: Tensor) -> Tensor:
    """Minus half the pooled and half the mean soft IoU of n targets."""
    return -0.5 * inter.sum() / union.sum() - 0.5 * (inter / union).mean()


def learn_score(
    candidates: Candidates, at: NDArray[np.int64], weights: Weights, params: DefaultParams, strength: float
) -> tuple[float, ...]:
    """Learn `Style.score_style` on the targets `at`: expected overlap of the vote's candidates with the truth.

    `strength` times the squared length of the style over the number of targets is added to the loss.
    """
    features = torch.from_numpy(candidates.features[at][:, None])
    bad = torch.from_numpy(candidates.bad[at][:, None])
    inter, union = torch.from_numpy(candidates.intersection[at]), torch.from_numpy(candidates.union[at])
    centre, deviation = torch.from_numpy(weights.score.centre), torch.from_numpy(weights.score.deviation)
    fitted = torch.from_numpy(weights.score.coefficients)

    def loss(style: Tensor) -> Tensor:
        coefficients = torch.cat([fitted[:, :1] + style[:, None], fitted[:, 1:]], 1)
        score = score_candidates(features, centre, deviation, coefficients)
        share = soft_vote(score, bad, params.temperature)[:, 0]
        expected = (share * inter).sum(1), (share * union).sum(1)
        return overlap_loss(*expected) + strength * (style**2).sum() / len(at)

    return _minimise(loss, N_SCORE_STYLE)


def learn_border(
    cases: Sequence[Case], votes: Sequence[HeatedVote], weights: Weights, strength: float
) -> tuple[float, ...]:
    """Learn `Style.border_style` on cases with their votes: soft overlap of the refined pixels with the truth."""
    pixels = inputs_of(cases, votes)
    owner = torch.tensor(np.repeat(np.arange(len(cases)), [len(p.rows) for p in pixels]))
    inputs = torch.from_numpy(np.concatenate([p.inputs for p in pixels]))
    extra = torch.from_numpy(np.stack([p.extra for p in pixels]))[owner]
    z = torch.from_numpy(np.concatenate([standardised(p.inputs, weights.refine) for p in pixels])).double()
    truth = np.concatenate([case.truth[p.rows, p.columns] for case, p in zip(cases, pixels, strict=True)])
    with torch.no_grad():
        probability = soft_refine(
            inputs,
            torch.from_numpy(np.concatenate([p.votes for p in pixels])),
            extra,
            torch.from_numpy(weights.refine.centre),
            torch.from_numpy(weights.refine.deviation),
            [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in weights.refine.layers],
        )
        logit = torch.logit(probability.double(), eps=1e-6)
    true = torch.from_numpy(truth).double()
    area = torch.tensor([case.true_area for case in cases], dtype=torch.float64)
    pull = torch.ones(N_BORDER_STYLE, dtype=torch.float64)
    pull[-1] = BIAS_SHARE

    def loss(style: Tensor) -> Tensor:
        p = torch.sigmoid(logit + z @ style[:-1] + style[-1])
        nothing = torch.zeros(len(cases), dtype=torch.float64)
        inter = nothing.index_add(0, owner, p * true)
        union = nothing.index_add(0, owner, p) + area - inter
        return overlap_loss(inter, union) + strength * (pull * style**2).sum() / len(cases)

    return _minimise(loss, N_BORDER_STYLE)


def _minimise(loss: Callable[[Tensor], Tensor], size: int) -> tuple[float, ...]:
    style = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([style], max_iter=MAX_ITER, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(style)
        value.backward()
        return value

    optimizer.step(closure)
    return tuple(float(f"{number:.6g}") for number in style.detach().clamp(-100, 100).tolist())
