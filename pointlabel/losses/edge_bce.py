"""Cross entropy that counts the edges of targets more, over the harder half of the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from ..params import param
from ._batch import Reduction, as_batch, log_probabilities, reduce_samples
from .base import Loss, LossOptions


@dataclass(frozen=True, kw_only=True)
class EdgeBCEOptions(LossOptions):
    """Options of `edge_bce_loss`."""

    edge_weight: float = param(4.0, "how often a pixel on either side of a target's border counts", low=0)
    easy_share: float = param(0.5, "share of the pixels, the easiest, that are left out", low=0, high=1, open_high=True)


def edge_bce_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    edge_weight: float = 4.0,
    easy_share: float = 0.5,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Measure the mean weighted cross entropy of each sample's hard pixels.

    Edges are the pixels with a neighbour (4) on the other side of the border of {t > 0.5}. Of all pixels, sorted by
    their weighted cross entropy, the first ``easy_share`` are left out.

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    edge_weight : weight of the edges, not negative.
    easy_share : in [0, 1).
    reduction : "mean" over the samples or "none".

    Returns
    -------
    () or (B,) float32, or float64 where the logits are, not negative.

    Raises
    ------
    InputError
        For other shapes, targets outside [0, 1] (looked for on the CPU), or options out of range.

    References
    ----------
    C. Yu et al.: From Easy to Hard: Progressive Active Learning Framework for Infrared Small Target Detection with
    Single Point Supervision, ICCV 2025, and the code of the authors, where pixels are sorted over the whole batch.
    """
    EdgeBCEOptions(edge_weight=edge_weight, easy_share=easy_share)
    values, mask = as_batch(logits, target)
    log_p, log_q = log_probabilities(values)
    entropy = -(mask * log_p + (1 - mask) * log_q)
    weighted = (entropy * torch.where(_edges(mask), edge_weight, 1.0)).flatten(1)
    least = weighted.detach().sort(1).values[:, int(easy_share * weighted.shape[1]), None]
    hard = (weighted.detach() >= least).to(weighted.dtype)
    return reduce_samples((weighted * hard).sum(1) / hard.sum(1), reduction)


def _edges(mask: torch.Tensor) -> torch.Tensor:
    """Pixels with a neighbour of the other kind, (B, H, W) bool; beyond the border all is as at the border."""
    wide = functional.pad((mask > 0.5).to(mask.dtype)[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    inner = wide[:, 1:-1, 1:-1]
    beside = (wide[:, :-2, 1:-1], wide[:, 2:, 1:-1], wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
    return torch.stack([each != inner for each in beside]).any(0)


class EdgeBCELoss(Loss):
    """Module of `edge_bce_loss`."""

    function = staticmethod(edge_bce_loss)
    options_class = EdgeBCEOptions
