"""The vote over candidates in torch: shares, expected region, expected relief and expectations."""

from __future__ import annotations

import torch
from torch import Tensor

from ..default.regions import FEATURES
from ..default.vote import SUMMARY, centred
from .conductance import safe_sqrt

LEVEL, LOG_AREA = FEATURES.index("level"), FEATURES.index("log_area")
_OF_FEATURE = {
    "log_area": "log_area", "level": "level", "log_noise": "log_noise", "log_spread": "log_spread",
    "stability": "stability", "step": "step", "growth_two": "growth_two",
}  # fmt: skip


def score_candidates(features: Tensor, centre: Tensor, deviation: Tensor, coefficients: Tensor) -> Tensor:
    """Score of every candidate, (B, K, L).

    sum_j z_j (w_j0 + w_j1 l + w_j2 s), z_j standardised and cut at 4 deviations, l and s from `default.vote.centred`.

    Parameters
    ----------
    features : (B, K, L, F).
    centre, deviation : (F,).
    coefficients : (F, 3), the learnable part.
    """
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
    batch, n_scales, _ = share.shape
    holds = share.flip(-1).cumsum(-1).flip(-1)
    holds = torch.cat([holds, holds.new_zeros(batch, n_scales, 1)], -1)
    return holds.gather(-1, level_of.flatten(2)).sum(1).view(batch, 1, *level_of.shape[-2:])


def expected_relief(share: Tensor, rest: Tensor) -> Tensor:
    """Expected height over the background as a share of the peak's, (B, 1, S, S) in [-1, 2].

    `rest` (B, K, S, S) is the image less each background; its centre is the peak.
    """
    contrast = peak_contrast(rest)
    weight = torch.where(contrast > 0, share.sum(-1) / torch.where(contrast > 0, contrast, 1.0), 0.0)
    return (weight[..., None, None] * rest).sum(1, keepdim=True).clamp(-1, 2)


def peak_contrast(rest: Tensor) -> Tensor:
    """The peak's height over each background, (B, K)."""
    return rest[..., rest.shape[-2] // 2, rest.shape[-1] // 2]


def expectations(share: Tensor, features: Tensor, score: Tensor, bad: Tensor) -> Tensor:
    """Expectations under the vote, (B, 10), in the order of `engine.default.vote.SUMMARY`."""
    weight = share.flatten(1)
    flat = features.flatten(1, 2)
    mean = {name: (weight * flat[..., FEATURES.index(feature)]).sum(1) for name, feature in _OF_FEATURE.items()}
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
