"""The scale family: soft IoU times a weight that says how well the areas agree, plus the location loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch

from ..params import param
from ._batch import Reduction, as_batch, measure_areas, reduce_samples
from .base import Loss, LossOptions
from .location import LocationOptions, location_loss

#: Epochs in which the loss looks at the IoU alone, and MSHNet trains its finest head alone: as published, where epochs
#: count from 0 and the warm-up is over in those above 5.
WARM_UP_EPOCHS = 6

Kind = Literal["variance", "ratio", "absolute", "signed"]


@dataclass(frozen=True, kw_only=True)
class ScaleOptions(LocationOptions):
    """Options of `scale_loss`."""

    kind: str = param("variance", "how the weight falls where the areas differ", choices=get_args(Kind))
    location: bool = param(True, "whether the location loss is added")
    smooth: float = param(1e-6, "pixels added to numerators and denominators", low=1e-8)
    warm_up_epochs: int = param(WARM_UP_EPOCHS, "first epochs in which the loss is 1 - IoU", low=0)


def scale_weight(
    predicted: torch.Tensor, target: torch.Tensor, *, kind: Kind = "variance", smooth: float = 1e-6
) -> torch.Tensor:
    """Weight the IoU by how well two areas agree: 1 where they are equal, smaller elsewhere.

    With the areas A_p and A_t and their signed difference d = A_p - A_t,

        w = (min(A_p, A_t) + delta) / (max(A_p, A_t) + delta)

        delta = (d / 2)^2     "variance", MSHNet's
                0             "ratio"
                |d|           "absolute"
                max(d, 0)     "signed"

    The variance grows faster than d, so its weight falls only up to |d| = 2 sqrt(A_t) and then returns to 1. The other
    three fall strictly with |d| on either side of 0, for any A_t > 0. The lowest weight of "absolute" is 1/2, that of
    "ratio" is 0; "signed" is as mild as "absolute" where the prediction is too large and as strict as "ratio" where it
    is too small. All four are equal for small d: w = 1 - |d| / A_t.

    Parameters
    ----------
    predicted, target : areas in pixels, not negative, of shapes that broadcast.
    kind : "variance", "ratio", "absolute" or "signed".
    smooth : pixels added to numerator and denominator, positive.

    Returns
    -------
    Tensor of the broadcast shape, in (0, 1].

    Raises
    ------
    InputError
        For another kind, or a smooth that is not positive.

    References
    ----------
    Q. Liu et al.: Infrared Small Target Detection with Scale and Location Sensitivity, CVPR 2024 (variance).
    """
    ScaleOptions(kind=kind, smooth=smooth)
    difference = predicted - target
    if kind == "variance":
        softening = (difference / 2).square()
    elif kind == "ratio":
        softening = torch.zeros_like(difference)
    elif kind == "absolute":
        softening = difference.abs()
    else:
        softening = difference.clamp_min(0)
    low, high = torch.minimum(predicted, target), torch.maximum(predicted, target)
    return (low + softening + smooth) / (high + softening + smooth)


def scale_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    kind: Kind = "variance",
    location: bool = True,
    centroid: bool = False,
    smooth: float = 1e-6,
    epoch: int | None = None,
    warm_up_epochs: int = WARM_UP_EPOCHS,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Measure a loss that is sensitive to scale and location; with its defaults the SLS loss of MSHNet.

        L = 1 - w(A_p, A_t) IoU + L_location

    with w from `scale_weight`, `soft_iou` and `location_loss`; up to the end of the warm-up 1 - IoU.

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    kind : "variance" (MSHNet's SLS), "ratio", "absolute" or "signed".
    location : whether the location loss is added.
    centroid : whether it compares centroids, see `location_loss`; as published it does not.
    smooth : pixels added to numerators and denominators, positive; the published loss has none, and 1e-6 gives
        its values without dividing by 0. See `soft_iou_loss` on samples without a target.
    epoch : int, optional
        The warm-up lasts while ``epoch <= warm_up_epochs``; ``None`` means that it is over.
    warm_up_epochs : not negative.
    reduction : "mean" over the samples or "none".

    Returns
    -------
    () or (B,) float32, or float64 where the logits are, in [0, 3].

    Raises
    ------
    InputError
        For other shapes, targets outside [0, 1] (looked for on the CPU), or options out of range.

    References
    ----------
    Q. Liu et al.: Infrared Small Target Detection with Scale and Location Sensitivity, CVPR 2024.
    """
    ScaleOptions(kind=kind, location=location, centroid=centroid, smooth=smooth, warm_up_epochs=warm_up_epochs)
    values, mask = as_batch(logits, target)
    areas = measure_areas(values.sigmoid(), mask)
    iou = areas.iou(smooth)
    if epoch is not None and epoch <= warm_up_epochs:
        return reduce_samples(1 - iou, reduction)
    loss = 1 - scale_weight(areas.predicted, areas.target, kind=kind, smooth=smooth) * iou
    if location:
        loss = loss + location_loss(logits, target, centroid=centroid, reduction="none")
    return reduce_samples(loss, reduction)


class ScaleLoss(Loss):
    """Module of `scale_loss`."""

    function: ClassVar[Callable[..., torch.Tensor]] = staticmethod(scale_loss)
    options_class: ClassVar[type[LossOptions]] = ScaleOptions

    def per_sample(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample, (B,)."""
        return self.measure(logits, target, epoch=epoch)
