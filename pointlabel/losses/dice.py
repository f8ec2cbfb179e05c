"""Dice loss: twice the intersection over the sum of the areas."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..params import param
from ._batch import Reduction, as_batch, measure_areas, reduce_samples
from .base import Loss, LossOptions


@dataclass(frozen=True, kw_only=True)
class DiceOptions(LossOptions):
    """Options of `dice_loss`."""

    smooth: float = param(1.0, "pixels added to numerator and denominator", low=1e-8)


def dice_loss(
    logits: torch.Tensor, target: torch.Tensor, *, smooth: float = 1.0, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Measure one minus the soft Dice coefficient.

    With p the sigmoid of the logits, t the target, sums over the pixels and s = `smooth`,

        L = 1 - (2 sum p t + s) / (sum p + sum t + s)

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    smooth : pixels added to numerator and denominator, positive; see `soft_iou_loss` on samples without a target.
    reduction : "mean" over the samples or "none".

    Returns
    -------
    () or (B,) float32, or float64 where the logits are, in [0, 1).

    Raises
    ------
    InputError
        For other shapes, targets outside [0, 1] (looked for on the CPU), or options out of range.

    References
    ----------
    F. Milletari, N. Navab, S.-A. Ahmadi: V-Net, 3DV 2016.
    """
    DiceOptions(smooth=smooth)
    values, mask = as_batch(logits, target)
    areas = measure_areas(values.sigmoid(), mask)
    return reduce_samples(1 - (2 * areas.both + smooth) / (areas.predicted + areas.target + smooth), reduction)


class DiceLoss(Loss):
    """Module of `dice_loss`."""

    function = staticmethod(dice_loss)
    options_class = DiceOptions
