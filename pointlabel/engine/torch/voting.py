"""The vote over candidates for a batch of windows, and the boxes that matter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..default.vote import LEAST_VOTE, STEPS
from ..default.weights import ScoreWeights
from .candidates import Candidates
from .vote import expectations, score_candidates, soft_vote


@dataclass(frozen=True, slots=True)
class Votes:
    """The candidates' votes in B windows.

    Attributes
    ----------
    share : (B, K, L) float64, each candidate's share; all 0 where every candidate is bad.
    field : (B, S, S) float32 in [0, 1] in steps of 2^-20, the expected region.
    summary : (B, 10) float64, expectations under the vote in the order of `engine.default.vote.SUMMARY`.
    boxes : (B, 4) int64, first and last + 1 row, first and last + 1 column of the votes; the peak where there are none.
    """

    share: Tensor
    field: Tensor
    summary: Tensor
    boxes: Tensor


def cast_votes(candidates: Candidates, weights: ScoreWeights, temperature: float) -> Votes:
    """Score the candidates and let them vote: twin of `engine.default.vote.cast_vote`, in float64 as there."""
    features = candidates.features
    centre, deviation, coefficients = (
        torch.as_tensor(part).to(features) for part in (weights.centre, weights.deviation, weights.coefficients)
    )
    score = score_candidates(features, centre, deviation, coefficients)
    share = soft_vote(score, candidates.bad, temperature)
    field = expected_field(share, candidates.level_of)
    summary = expectations(share, features, score, candidates.bad)
    return Votes(share, field, summary, boxes_of(field >= float(LEAST_VOTE)))


def expected_field(share: Tensor, level_of: Tensor) -> Tensor:
    """Sum of the shares of all candidates that hold a pixel, (B, S, S) float32 in steps of 2^-20."""
    batch, n_scales, n_levels = share.shape
    holds = share.new_zeros(batch, n_scales, n_levels + 1)
    holds[..., :-1] = share.flip(-1).cumsum(-1).flip(-1)
    first = torch.arange(batch * n_scales, dtype=torch.int32, device=share.device) * (n_levels + 1)
    at = level_of.flatten(2).int() + first.view(batch, n_scales, 1)
    total = holds.view(-1).index_select(0, at.view(-1)).view(at.shape).sum(1)
    return (total * STEPS).round_().div_(STEPS).float().view(batch, *level_of.shape[-2:])


def boxes_of(lit: Tensor) -> Tensor:
    """First and last + 1 row and column of the lit pixels, (B, 4) int64; the middle pixel where none is lit."""
    bounds = []
    for axis, size in ((2, lit.shape[1]), (1, lit.shape[2])):
        line = lit.any(axis).to(torch.uint8)
        some = line.amax(1) > 0
        bounds.append(torch.where(some, line.argmax(1), size // 2))
        bounds.append(torch.where(some, size - line.flip(1).argmax(1), size // 2 + 1))
    return torch.stack(bounds, 1)
