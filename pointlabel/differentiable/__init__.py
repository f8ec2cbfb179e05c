"""The engine in torch: functions first, thin modules second. Needs the extra ``pointlabel[train]``.

Names load lazily, so that importing the package costs nothing before one of them is used.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "soft_conductance": "conductance",
    "local_entropy": "conductance",
    "diffuse": "diffusion",
    "solve_steady": "diffusion",
    "fuse": "diffusion",
    "soft_diffusion": "diffusion",
    "SoftDiffusion": "diffusion",
    "WindowBatch": "windows",
    "batch_windows": "windows",
    "label_windows": "engine",
    "SoftLabels": "engine",
    "DifferentiableEngine": "engine",
    "border_field": "boundary",
    "soft_mask": "boundary",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
