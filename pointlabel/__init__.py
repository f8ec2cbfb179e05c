"""Pseudo-masks for infrared small targets from one point each.

    from pointlabel import annotate
    labels = annotate(image, points)      # points: (N, 2) as (row, column)
    labels.mask(), labels.soft(), labels.targets[0].quality

Names are loaded on first use, so that ``import pointlabel`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import InputError, PointLabelError
    from .labeling import annotate, annotate_images
    from .methods import METHODS, get_method
    from .types import ImageLabels, TargetLabel

__version__ = "0.1.0"

_HOMES = {
    "annotate": "labeling",
    "annotate_images": "labeling",
    "METHODS": "methods",
    "get_method": "methods",
    "ImageLabels": "types",
    "TargetLabel": "types",
    "InputError": "errors",
    "PointLabelError": "errors",
}

__all__ = [
    "METHODS",
    "ImageLabels",
    "InputError",
    "PointLabelError",
    "TargetLabel",
    "__version__",
    "annotate",
    "annotate_images",
    "get_method",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
