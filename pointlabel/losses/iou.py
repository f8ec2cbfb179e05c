"""Soft IoU: intersection over union of probabilities and targets."""

from __future__ import annotations

import torch

from ._batch import Reduction, as_batch, check_smooth, measure_areas, reduce_samples
from .base import Loss


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
    check_smooth(smooth)
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

    def __init__(self, *, smooth: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        check_smooth(smooth)
        self.smooth = smooth

    def per_sample(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample, (B,)."""
        return soft_iou_loss(logits, target, smooth=self.smooth, reduction="none")
