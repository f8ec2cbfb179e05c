"""Convolutions shaped for small targets, and their way into any network that has plain ones.

    from pointlabel.convolutions import replace_convolutions
    replace_convolutions(net, "gaussian")      # every 3 x 3 convolution of an nn.Module; returns how many

Names are loaded on first use; listing `KINDS` does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gaussian import GaussianConv2d
    from .pinwheel import PinwheelGaussianConv2d
    from .replace import find_replaced, fold_convolutions, replace_convolutions

#: What `replace_convolutions` takes.
KINDS = ("gaussian", "pinwheel")

_HOMES = {
    "GaussianConv2d": "gaussian",
    "PinwheelGaussianConv2d": "pinwheel",
    "find_replaced": "replace",
    "fold_convolutions": "replace",
    "replace_convolutions": "replace",
}

__all__ = [
    "KINDS",
    "GaussianConv2d",
    "PinwheelGaussianConv2d",
    "find_replaced",
    "fold_convolutions",
    "replace_convolutions",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
