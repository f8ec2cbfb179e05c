"""REEM: MSHNet's loss minus a reward, the soft IoU weighted by how dim the target is."""

from __future__ import annotations

import torch

from ..errors import InputError
from ._batch import Reduction, as_batch, check_option, measure_areas, reduce_samples
from .scale import WARM_UP_EPOCHS, Kind, ScaleLoss, scale_loss
from .scr import local_scr, scr_weight

_TINY = 1e-6  # as published


def reem_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    image: torch.Tensor,
    *,
    reward_weight: float = 1.0,
    kind: Kind = "variance",
    location: bool = True,
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
    kind, location, smooth, epoch, warm_up_epochs : as in `scale_loss`; the published loss is "variance" with location.
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
    _check(reward_weight, reward_delay_epochs)
    loss = scale_loss(
        logits,
        target,
        kind=kind,
        location=location,
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

    def __init__(
        self,
        *,
        reward_weight: float = 1.0,
        kind: Kind = "variance",
        location: bool = True,
        smooth: float = 1e-6,
        warm_up_epochs: int = WARM_UP_EPOCHS,
        reward_delay_epochs: int = 5,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            kind=kind, location=location, smooth=smooth, warm_up_epochs=warm_up_epochs, reduction=reduction
        )
        _check(reward_weight, reward_delay_epochs)
        self.reward_weight, self.reward_delay_epochs = reward_weight, reward_delay_epochs

    def per_sample(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample, (B,)."""
        if image is None:
            raise InputError("the loss reem needs image=, what the detector saw, got None")
        return reem_loss(
            logits,
            target,
            image,
            reward_weight=self.reward_weight,
            kind=self.kind,
            location=self.location,
            smooth=self.smooth,
            epoch=epoch,
            warm_up_epochs=self.warm_up_epochs,
            reward_delay_epochs=self.reward_delay_epochs,
            reduction="none",
        )


def _check(reward_weight: float, reward_delay_epochs: int) -> None:
    check_option("reward_weight", reward_weight, 0)
    check_option("reward_delay_epochs", reward_delay_epochs, 0)
