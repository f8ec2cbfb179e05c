"""Focal loss of heat maps: pixels at 1 are demanded, those near 1 are penalised little."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..params import param
from ._batch import Reduction, as_batch, log_probabilities, reduce_samples
from .base import Loss, LossOptions


@dataclass(frozen=True, kw_only=True)
class HeatmapFocalOptions(LossOptions):
    """Options of `heatmap_focal_loss`."""

    gamma: float = param(2.0, "how fast easy pixels fade", low=0)
    leniency: float = param(4.0, "how fast a pixel stops being unwanted as its target nears 1", low=0)


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
    HeatmapFocalOptions(gamma=gamma, leniency=leniency)
    values, mask = as_batch(logits, target)
    log_p, log_q = log_probabilities(values)
    wanted = mask == 1
    hit = (gamma * log_q).exp() * log_p
    miss = (1 - mask) ** leniency * (gamma * log_p).exp() * log_q
    number = wanted.sum((1, 2)).clamp(min=1)
    return reduce_samples(-torch.where(wanted, hit, miss).sum((1, 2)) / number, reduction)


class HeatmapFocalLoss(Loss):
    """Module of `heatmap_focal_loss`."""

    function = staticmethod(heatmap_focal_loss)
    options_class = HeatmapFocalOptions
