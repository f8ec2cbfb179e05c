"""Focal loss of heat maps: a pixel is demanded by its value, and hardly penalised where that is near 1."""

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
    """Measure the focal loss of a heat map: each pixel is demanded as much as its target says.

    With p the sigmoid of the logits, t the target and n the number of its pixels that are 1 (at least 1),

        L = -1/n sum( t (1 - p)^gamma ln p + (1 - t)^leniency p^gamma ln(1 - p) )

    Both terms count at every pixel. With the default leniency a pixel of one half is demanded by one half and penalised
    by a sixteenth, which suits labels that grow from points: those are 1 at the points alone, so that n stays the
    number of targets. A resized crop has no pixel at 1, and n = 1 then.

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
    The loss of the published LESPS (Ying et al., CVPR 2023), made of that of H. Law, J. Deng: CornerNet, ECCV 2018,
    eq. 1, in which pixels below 1 are not demanded. There n is counted over the whole batch and the sum is not averaged
    over the samples: the same up to a factor where all samples have as many targets. Its logarithms are those of
    p + 1e-12 and 1 - p + 1e-12; here they are exact.
    """
    HeatmapFocalOptions(gamma=gamma, leniency=leniency)
    values, mask = as_batch(logits, target)
    log_p, log_q = log_probabilities(values)
    hit = mask * (gamma * log_q).exp() * log_p
    miss = (1 - mask) ** leniency * (gamma * log_p).exp() * log_q
    number = (mask == 1).sum((1, 2)).clamp(min=1)
    return reduce_samples(-(hit + miss).sum((1, 2)) / number, reduction)


class HeatmapFocalLoss(Loss):
    """Module of `heatmap_focal_loss`."""

    function = staticmethod(heatmap_focal_loss)
    options_class = HeatmapFocalOptions
