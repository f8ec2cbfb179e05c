"""Networks that turn an infrared image into a map of target logits, built by name.

    from pointlabel.detectors import build
    net = build("dnanet", in_channels=1)      # an nn.Module: (B, 1, H, W) in, logits (B, 1, H, W) out

Names are loaded on first use; listing `DETECTORS` does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Detector
    from .registry import DETECTORS, build

_HOMES = {
    "DETECTORS": "registry",
    "Detector": "base",
    "build": "registry",
}

__all__ = ["DETECTORS", "Detector", "build"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
