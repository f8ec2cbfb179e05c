"""Losses between a detector's logits and a mask or pseudo-mask, by name or one by one.

    from pointlabel.losses import build_loss
    loss = build_loss("sls", reduction="none")
    loss(logits, target, image=image, epoch=epoch)      # (B,): one number a sample

Every loss is called alike, so that a trainer needs to know none of them; see `Loss`. Names are loaded on first use;
listing `LOSSES` does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Loss
    from .dice import DiceLoss, dice_loss
    from .focal import FocalLoss, focal_loss
    from .heatmap_focal import HeatmapFocalLoss, heatmap_focal_loss
    from .iou import SoftIoULoss, soft_iou, soft_iou_loss
    from .location import LocationLoss, location_loss
    from .reem import REEMLoss, reem_loss
    from .registry import LOSSES, build_loss
    from .scale import ScaleLoss, SLSLoss, scale_loss, scale_weight, sls_loss
    from .scr import local_scr, scr_weight

_HOMES = {
    "LOSSES": "registry",
    "DiceLoss": "dice",
    "FocalLoss": "focal",
    "HeatmapFocalLoss": "heatmap_focal",
    "LocationLoss": "location",
    "Loss": "base",
    "REEMLoss": "reem",
    "SLSLoss": "scale",
    "ScaleLoss": "scale",
    "SoftIoULoss": "iou",
    "build_loss": "registry",
    "dice_loss": "dice",
    "focal_loss": "focal",
    "heatmap_focal_loss": "heatmap_focal",
    "local_scr": "scr",
    "location_loss": "location",
    "reem_loss": "reem",
    "scale_loss": "scale",
    "scale_weight": "scale",
    "scr_weight": "scr",
    "sls_loss": "scale",
    "soft_iou": "iou",
    "soft_iou_loss": "iou",
}

__all__ = [
    "LOSSES",
    "DiceLoss",
    "FocalLoss",
    "HeatmapFocalLoss",
    "LocationLoss",
    "Loss",
    "REEMLoss",
    "SLSLoss",
    "ScaleLoss",
    "SoftIoULoss",
    "build_loss",
    "dice_loss",
    "focal_loss",
    "heatmap_focal_loss",
    "local_scr",
    "location_loss",
    "reem_loss",
    "scale_loss",
    "scale_weight",
    "scr_weight",
    "sls_loss",
    "soft_iou",
    "soft_iou_loss",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
