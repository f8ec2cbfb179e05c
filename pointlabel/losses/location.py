"""Location loss: where the probabilities lie, as angle and length seen from the image's first pixel."""

from __future__ import annotations

import math

import torch

from ._batch import Reduction, as_batch, reduce_samples
from .base import Loss

_TINY = 1e-8  # as published


def location_loss(logits: torch.Tensor, target: torch.Tensor, *, reduction: Reduction = "mean") -> torch.Tensor:
    """Measure how far apart prediction and target lie, in polar coordinates.

    With x = column / W and y = row / H in [0, 1), and means over all pixels, a map m of probabilities or targets has

        X = mean(x m),   Y = mean(y m),   length d = sqrt(X^2 + Y^2),   angle a = arctan(Y / X)

        L = 1 - min(d_p, d_t) / max(d_p, d_t) + 4 / pi^2 (a_p - a_t)^2

    The means are not divided by the area, so the length depends on the area too; as published, 1e-8 is added to both
    denominators and under the root. A target without pixels has no angle, so only the lengths count for it:
    with the angle 0, false alarms along the image's first row would cost less than others.

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    reduction : "mean" over the samples or "none".

    Returns
    -------
    () or (B,) float32, or float64 where the logits are, in [0, 2].

    Raises
    ------
    InputError
        For other shapes, targets outside [0, 1] (looked for on the CPU), or another reduction.

    References
    ----------
    Q. Liu et al.: Infrared Small Target Detection with Scale and Location Sensitivity, CVPR 2024.
    """
    values, mask = as_batch(logits, target)
    length_p, angle_p = _polar(values.sigmoid())
    length_t, angle_t = _polar(mask)
    length = 1 - torch.minimum(length_p, length_t) / (torch.maximum(length_p, length_t) + _TINY)
    angle = 4 / math.pi**2 * (angle_p - angle_t).square() * (mask.amax((1, 2)) > 0)
    return reduce_samples(length + angle, reduction)


def _polar(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Length and angle of each mask's place, both (B,)."""
    height, width = mask.shape[-2:]
    x, y = (torch.arange(size, dtype=mask.dtype, device=mask.device) / size for size in (width, height))
    mean_x = (mask.sum(1) * x).sum(1) / (height * width)
    mean_y = (mask.sum(2) * y).sum(1) / (height * width)
    return (mean_x.square() + mean_y.square() + _TINY).sqrt(), (mean_y / (mean_x + _TINY)).atan()


class LocationLoss(Loss):
    """Module of `location_loss`."""

    function = staticmethod(location_loss)
