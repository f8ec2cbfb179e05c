"""REEM: MSHNet's loss minus a reward, the soft IoU weighted by how dim the target is."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from ..errors import InputError
from ..params import param
from ._batch import Reduction, as_batch, measure_areas, reduce_samples
from .scale import WARM_UP_EPOCHS, Kind, ScaleLoss, ScaleOptions, scale_loss
from .scr import local_scr, scr_weight

_TINY = 1e-6  # as published


@dataclass(frozen=True, kw_only=True)
class REEMOptions(ScaleOptions):
    """Options of `reem_loss`."""

    reward_weight: float = param(1.0, "weight of the reward; the authors choose 0.8 to 1.5 per data set", low=0)
    reward_delay_epochs: int = param(5, "epochs after the warm-up before the reward starts", low=0)


def reem_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    image: torch.Tensor,
    *,
    reward_weight: float = 1.0,
    kind: Kind = "variance",
    location: bool = True,
    centroid: bool = False,
    smooth: float = 1e-6,
    epoch: int | None = None,
    warm_up_epochs: int = WARM_UP_EPOCHS,
    reward_delay_epochs: int = 5,
    reduction: Reduction = "mean",
) -> torch.Tensor:
    """Measure the scale loss minus a reward that is larger for targets near clutter level.

        L = L_scale - lambda w(SCR) IoU,   w = 1 + 2 (1 - SCR / (SCR + 2))

    with `scale_loss`, `local_scr` of image and target, and `scr_weight`, through which no gradient flows. With labels
    from points the target is the current pseudo-label, and SCR changes with each of its updates.

    Parameters
    ----------
    logits : (B, 1, H, W) or (B, H, W) floating point.
    target : real in [0, 1] or bool, same shape.
    image : (B, C, H, W) or (B, H, W), what the detector saw.
    reward_weight : lambda, not negative; the authors choose it between 0.8 and 1.5 for each data set.
    kind, location, centroid, smooth, epoch, warm_up_epochs : as in `scale_loss`; the published loss is "variance" with
        location.
    reward_delay_epochs : the reward starts when ``epoch > warm_up_epochs + reward_delay_epochs``, or at once where
        `epoch` is ``None``.
    reduction : "mean" over the samples or "none".

    Returns
    -------
    () or (B,) float32, or float64 where the logits are; negative where the reward is larger than the loss.

    Raises
    ------
    InputError
        For other shapes, targets outside [0, 1] (looked for on the CPU), or options out of range.

    References
    ----------
    Y. Sevim, B. U. Töreyin: SCR-Guided Difficulty-Aware Optimization for Infrared Small Target Detection, CVPR
    Workshops 2026, arXiv 2606.18783.
    """
    REEMOptions(reward_weight=reward_weight, reward_delay_epochs=reward_delay_epochs)
    loss = scale_loss(
        logits,
        target,
        kind=kind,
        location=location,
        centroid=centroid,
        smooth=smooth,
        epoch=epoch,
        warm_up_epochs=warm_up_epochs,
        reduction="none",
    )
    if epoch is None or epoch > warm_up_epochs + reward_delay_epochs:
        values, mask = as_batch(logits, target)
        areas = measure_areas(values.sigmoid(), mask)
        weight = scr_weight(local_scr(image, mask)).to(loss.dtype)
        loss = loss - reward_weight * weight * areas.both / (areas.union + _TINY)
    return reduce_samples(loss, reduction)


class REEMLoss(ScaleLoss):
    """Module of `reem_loss`; it has to be called with ``image=``."""

    function = staticmethod(reem_loss)
    options_class = REEMOptions

    def per_sample(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample, (B,)."""
        if image is None:
            raise InputError("the loss reem needs image=, what the detector saw, got None")
        return self.measure(logits, target, image, epoch=epoch)

    def per_sample_of_side(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """The scale loss alone, as published: the reward is for the map that is used in evaluation."""
        options = {item.name: getattr(self, item.name) for item in fields(ScaleOptions)}
        return scale_loss(logits, target, epoch=epoch, reduction="none", **options)
