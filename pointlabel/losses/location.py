"""Location loss: where the probabilities lie, as angle and length seen from the image's first pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..params import param
from ._batch import Reduction, as_batch, reduce_samples
from .base import Loss, LossOptions

_TINY = 1e-8  # as published


@dataclass(frozen=True, kw_only=True)
class LocationOptions(LossOptions):
    """Options of `location_loss`."""

    centroid: bool = param(False, "whether places are centroids, divided by the mass; as published they are not")


def location_loss(
    logits: torch.Tensor, target: torch.Tensor, *, centroid: bool = False, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Measure how far apart prediction and target lie, in polar coordinates.

    With x = column / W and y = row / H in [0, 1), and means over all pixels, a map m of probabilities or targets has

        X = mean(x m),   Y = mean(y m),   length d = sqrt(X^2 + Y^2),   angle a = arctan(Y / X)

        L = 1 - min(d_p, d_t) / max(d_p, d_t) + 4 / pi^2 (a_p - a_t)^2

    The means are not divided by the area, so the length depends on the area too; as published, 1e-8 is added to both
    denominators and under the root. An answer that is too wide has too long a vector then, and the loss is least where
    the answer lies nearer to the first pixel than the target. With `centroid`

        X = sum(x m) / (sum(m) + 1e-8),   Y likewise

    and it is least where the centroids meet. Low probabilities all over the image count, too: they draw the centroid of
    an answer to the middle of the image until the detector has learned the background.

    A target without pixels has no angle, so only the lengths count for it: with the angle 0, false alarms along the
    image's first row would cost less than others. It has no centroid either: there, the loss with `centroid` is 0.

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    centroid : whether places are centroids; the published ones are not.
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
    place = _centroid if centroid else _mean
    length_p, angle_p = _polar(*place(values.sigmoid()))
    length_t, angle_t = _polar(*place(mask))
    length = 1 - torch.minimum(length_p, length_t) / (torch.maximum(length_p, length_t) + _TINY)
    angle = 4 / math.pi**2 * (angle_p - angle_t).square()
    present = mask.amax((1, 2)) > 0
    return reduce_samples((length + angle) * present if centroid else length + angle * present, reduction)


def _mean(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means of x m and y m of each mask, both (B,)."""
    height, width = mask.shape[-2:]
    x, y = (torch.arange(size, dtype=mask.dtype, device=mask.device) / size for size in (width, height))
    return (mask.sum(1) * x).sum(1) / (height * width), (mask.sum(2) * y).sum(1) / (height * width)


def _centroid(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centroid of each mask as x and y, both (B,); 0 where the mask is."""
    size, mass = mask.shape[-2] * mask.shape[-1], mask.sum((1, 2))
    x, y = _mean(mask)
    return x * size / (mass + _TINY), y * size / (mass + _TINY)


def _polar(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Length and angle of each place, both (B,)."""
    return (x.square() + y.square() + _TINY).sqrt(), (y / (x + _TINY)).atan()


class LocationLoss(Loss):
    """Module of `location_loss`."""

    function = staticmethod(location_loss)
    options_class = LocationOptions
