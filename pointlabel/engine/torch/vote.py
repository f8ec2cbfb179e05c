"""The vote over candidates in torch: shares, expected region, expected relief and expectations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..default._vote_kernels import LEAST_VOTE, STEPS
from ..default.regions import FEATURES
from ..default.vote import SUMMARY, centred
from .batch import WindowBatch
from .conductance import safe_sqrt

LEVEL, LOG_AREA = FEATURES.index("level"), FEATURES.index("log_area")
#: Expectations that are those of a feature.
_OF_FEATURE = sorted(set(SUMMARY) & set(FEATURES))


@dataclass(frozen=True, slots=True)
class Votes:
    """The candidates' votes in B windows.

    Attributes
    ----------
    share : (B, K, L), each candidate's share; all 0 where every candidate is bad.
    field : (B, 1, S, S) in [0, 1], the expected region.
    summary : (B, 10), expectations under the vote in the order of `engine.default.vote.SUMMARY`.
    boxes : (B, 4) int64, first and last + 1 row, first and last + 1 column of the votes; the peak where there are none.
    """

    share: Tensor
    field: Tensor
    summary: Tensor
    boxes: Tensor


def cast_votes(batch: WindowBatch, weights: Mapping[str, Any], temperature: float, *, rounded: bool) -> Votes:
    """Score the candidates and let them vote: twin of `engine.default.vote.cast_vote`.

    Parameters
    ----------
    batch : B windows; shares and expectations have the dtype of its features, the field that of its image.
    weights : from `differentiable.weights_as_tensors`.
    temperature : of the softmax.
    rounded : round the field as the compiled engine does, see `round_field`.
    """
    score = _scores(batch, weights)
    share = soft_vote(score, batch.bad, temperature)
    field = expected_region(share, batch.level_of)
    field = (round_field(field) if rounded else field).to(batch.image)
    return Votes(share, field, expectations(share, batch.features, score, batch.bad), boxes_of(field))


def shares_of(batch: WindowBatch, weights: Mapping[str, Any], temperature: float) -> Tensor:
    """The shares of `cast_votes` alone, (B, K, L)."""
    return soft_vote(_scores(batch, weights), batch.bad, temperature)


def _scores(batch: WindowBatch, weights: Mapping[str, Any]) -> Tensor:
    fitted = (weights[name] for name in ("score_centre", "score_deviation", "score"))
    return score_candidates(batch.features, *fitted)


def score_candidates(features: Tensor, centre: Tensor, deviation: Tensor, coefficients: Tensor) -> Tensor:
    """Score of every candidate, (B, K, L); see `engine.default._feature_kernels.score_kernel` for the formula.

    Parameters
    ----------
    features : (B, K, L, F).
    centre, deviation : (F,).
    coefficients : (F, 3), the learnable part.
    """
    centre, deviation, coefficients = (each.to(features) for each in (centre, deviation, coefficients))
    z = ((features - centre) / deviation).clamp(-4, 4)
    level, size = centred(features[..., LEVEL], features[..., LOG_AREA])
    parts = z @ coefficients
    return parts[..., 0] + parts[..., 1] * level + parts[..., 2] * size


def soft_vote(score: Tensor, bad: Tensor, temperature: Tensor | float = 0.5) -> Tensor:
    """Share of each candidate, (B, K, L): a softmax over those that are not bad; all 0 where every one is."""
    flat = (score / temperature).masked_fill(bad, -torch.inf).flatten(1)
    alive = (~bad).flatten(1).any(1, keepdim=True)
    share = torch.softmax(torch.where(alive, flat, 0.0), 1)
    return torch.where(alive, share, 0.0).view_as(score)


def expected_region(share: Tensor, level_of: Tensor) -> Tensor:
    """Sum of the shares of all candidates that hold a pixel, (B, 1, S, S)."""
    batch, n_scales, n_levels = share.shape
    holds = pad(share.flip(-1).cumsum(-1).flip(-1), (0, 1))
    first = torch.arange(batch * n_scales, dtype=torch.int32, device=share.device) * (n_levels + 1)
    at = level_of.flatten(2).int() + first.view(batch, n_scales, 1)
    total = holds.view(-1).index_select(0, at.view(-1)).view(at.shape).sum(1)
    return total.view(batch, 1, *level_of.shape[-2:])


def expected_relief(share: Tensor, contrast: Tensor, residual: Tensor) -> Tensor:
    """Expected height over the background as a share of the peak's, (B, 1, H, W) in [-1, 2].

    `residual` (B, K, H, W) is the image less each background, `contrast` (B, K) its value at the peak.
    """
    weight = torch.where(contrast > 0, share.sum(-1) / torch.where(contrast > 0, contrast, 1.0), 0.0)
    return (weight.to(residual)[..., None, None] * residual).sum(1, keepdim=True).clamp(-1, 2)


def expectations(share: Tensor, features: Tensor, score: Tensor, bad: Tensor) -> Tensor:
    """Expectations under the vote, (B, 10), in the order of `engine.default.vote.SUMMARY`."""
    weight = share.flatten(1)
    flat = features.flatten(1, 2)
    mean = {name: (weight * flat[..., FEATURES.index(name)]).sum(1) for name in _OF_FEATURE}
    square = (weight * flat[..., LOG_AREA] ** 2).sum(1)
    best = score.masked_fill(bad, -torch.inf).flatten(1).amax(1)
    found = {
        **mean,
        "log_area_deviation": safe_sqrt((square - mean["log_area"] ** 2).clamp(min=0)),
        "best_score": torch.where(best.isfinite(), best, 0.0),
        # xlogy(0, 0) is 0, its derivative is not a number: shares of 0 are those of candidates without a vote
        "entropy": -(weight * weight.clamp(min=torch.finfo(weight.dtype).tiny).log()).sum(1),
    }
    return torch.stack([found[name] for name in SUMMARY], 1)


def round_field(field: Tensor) -> Tensor:
    """Round to whole 2^-20 as the compiled engine does, with the gradient of the identity."""
    whole = (field.detach() * STEPS).round_().div_(STEPS)
    return field + (whole - field.detach()) if field.requires_grad else whole


def reaches(field: Tensor, least: float) -> Tensor:
    """Pixels whose vote, rounded to whole 2^-20, is at least `least`: a decision, the same rounded or not."""
    return field.detach() >= (math.ceil(least * STEPS) - 0.5) / STEPS


def boxes_of(field: Tensor) -> Tensor:
    """First and last + 1 row and column of the votes (B, 1, S, S), (B, 4) int64; the middle pixel where none is."""
    lit, bounds = reaches(field[:, 0], float(LEAST_VOTE)), []
    for axis, size in ((2, lit.shape[1]), (1, lit.shape[2])):
        line = lit.any(axis).to(torch.uint8)
        some = line.amax(1) > 0
        bounds.append(torch.where(some, line.argmax(1), size // 2))
        bounds.append(torch.where(some, size - line.flip(1).argmax(1), size // 2 + 1))
    return torch.stack(bounds, 1)
