"""Focal loss: cross entropy with little weight on pixels that are already right."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..params import param
from ._batch import Reduction, as_batch, log_probabilities, reduce_samples
from .base import Loss, LossOptions


@dataclass(frozen=True, kw_only=True)
class FocalOptions(LossOptions):
    """Options of `focal_loss`."""

    alpha: float = param(0.25, "weight of the target's pixels", low=0, high=1)
    gamma: float = param(2.0, "how fast easy pixels fade; 0 leaves the weighted cross entropy", low=0)


def focal_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Measure the focal loss, averaged over the pixels of each sample.

    With p the sigmoid of the logits and t the target,

        L = -mean( alpha t (1 - p)^gamma ln p + (1 - alpha) (1 - t) p^gamma ln(1 - p) )

    A soft target shares its pixel between both terms.

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    alpha : weight of the target's pixels, in [0, 1].
    gamma : how fast easy pixels fade, not negative; 0 leaves the weighted cross entropy.
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
    T.-Y. Lin et al.: Focal Loss for Dense Object Detection, ICCV 2017, eq. 5.
    """
    FocalOptions(alpha=alpha, gamma=gamma)
    values, mask = as_batch(logits, target)
    log_p, log_q = log_probabilities(values)
    # exp(gamma log q) rather than q ** gamma, whose slope at q = 0 is infinite for gamma below 1.
    hit = alpha * mask * (gamma * log_q).exp() * log_p
    miss = (1 - alpha) * (1 - mask) * (gamma * log_p).exp() * log_q
    return reduce_samples(-(hit + miss).mean((1, 2)), reduction)


class FocalLoss(Loss):
    """Module of `focal_loss`."""

    function = staticmethod(focal_loss)
    options_class = FocalOptions
