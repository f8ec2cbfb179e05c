"""Focal loss of heat maps: pixels at 1 are demanded, those near 1 are penalised little."""

from __future__ import annotations

import torch

from ._batch import Reduction, as_batch, check_option, log_probabilities, reduce_samples
from .base import Loss


def heatmap_focal_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    gamma: float = 2.0,
    leniency: float = 4.0,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Measure the focal loss of a heat map: only pixels of 1 in the target are demanded.

    With p the sigmoid of the logits, t the target and n the number of its pixels that are 1 (at least 1),

        L = -1/n sum( [t = 1] (1 - p)^gamma ln p + [t < 1] (1 - t)^leniency p^gamma ln(1 - p) )

    A pixel of 0.9 is thus neither demanded nor penalised: the detector is free there, which suits labels that grow from
    points. A target whose pixels are all below 1 is not demanded at all: resizing a crop softens single pixels, so
    train without it (``zoom = 0``).

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    gamma : how fast easy pixels fade, not negative.
    leniency : how fast the penalty of a pixel falls as its target nears 1, not negative.
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
    H. Law, J. Deng: CornerNet, ECCV 2018, eq. 1. The loss of the published LESPS (Ying et al., CVPR 2023), which
    divides by the pixels of the whole batch.
    """
    _check(gamma, leniency)
    values, mask = as_batch(logits, target)
    log_p, log_q = log_probabilities(values)
    wanted = mask == 1
    hit = (gamma * log_q).exp() * log_p
    miss = (1 - mask) ** leniency * (gamma * log_p).exp() * log_q
    number = wanted.sum((1, 2)).clamp(min=1)
    return reduce_samples(-torch.where(wanted, hit, miss).sum((1, 2)) / number, reduction)


class HeatmapFocalLoss(Loss):
    """Module of `heatmap_focal_loss`."""

    def __init__(self, *, gamma: float = 2.0, leniency: float = 4.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        _check(gamma, leniency)
        self.gamma, self.leniency = gamma, leniency

    def per_sample(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample, (B,)."""
        return heatmap_focal_loss(logits, target, gamma=self.gamma, leniency=self.leniency, reduction="none")


def _check(gamma: float, leniency: float) -> None:
    check_option("gamma", gamma, 0)
    check_option("leniency", leniency, 0)
