"""Soft IoU: intersection over union of probabilities and targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..params import param
from ._batch import Reduction, as_batch, measure_areas, reduce_samples
from .base import Loss, LossOptions


@dataclass(frozen=True, kw_only=True)
class SoftIoUOptions(LossOptions):
    """Options of `soft_iou_loss`."""

    smooth: float = param(1.0, "pixels added to intersection and union", low=1e-8)


def soft_iou(logits: torch.Tensor, target: torch.Tensor, *, smooth: float = 1e-6) -> torch.Tensor:
    """Measure the soft IoU of each sample.

    With p the sigmoid of the logits, t the target, sums over the pixels and s = `smooth`,

        IoU = (sum p t + s) / (sum p + sum t - sum p t + s)

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    smooth : pixels added to intersection and union, positive.

    Returns
    -------
    (B,) float32, or float64 where the logits are, in (0, 1].

    Raises
    ------
    InputError
        For other shapes, targets outside [0, 1] (looked for on the CPU), or a smooth that is not positive.
    """
    SoftIoUOptions(smooth=smooth)
    values, mask = as_batch(logits, target)
    return measure_areas(values.sigmoid(), mask).iou(smooth)


def soft_iou_loss(
    logits: torch.Tensor, target: torch.Tensor, *, smooth: float = 1.0, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Measure 1 - `soft_iou`.

    With the usual ``smooth=1`` the best prediction for a sample without a target is empty. With a much smaller one its
    loss is 1 whatever the prediction, and has no gradient.

    Parameters
    ----------
    logits, target : as in `soft_iou`.
    smooth : pixels added to intersection and union, positive.
    reduction : "mean" over the samples or "none".

    Returns
    -------
    () or (B,) in [0, 1).

    References
    ----------
    M. A. Rahman, Y. Wang: Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation, ISVC 2016.
    """
    return reduce_samples(1 - soft_iou(logits, target, smooth=smooth), reduction)


class SoftIoULoss(Loss):
    """Module of `soft_iou_loss`."""

    function = staticmethod(soft_iou_loss)
    options_class = SoftIoUOptions
