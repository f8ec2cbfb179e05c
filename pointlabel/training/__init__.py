"""Train detectors from points, pseudo-masks or true masks; predict with them. Needs the extra ``pointlabel[train]``.

    from pointlabel.training import TrainConfig, train
    result = train(TrainConfig(model="tiny", strategy="offline"), ["SIRST-v1"], "runs/first")

Names are loaded on first use; `TrainConfig` and the table `STRATEGIES` do not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import TrainConfig
    from .loop import TrainResult, train
    from .predict import predict_images
    from .run import load_run
    from .splits import make_split
    from .strategies import STRATEGIES

_HOMES = {
    "STRATEGIES": "strategies",
    "TrainConfig": "config",
    "TrainResult": "loop",
    "load_run": "run",
    "make_split": "splits",
    "predict_images": "predict",
    "train": "loop",
}

__all__ = ["STRATEGIES", "TrainConfig", "TrainResult", "load_run", "make_split", "predict_images", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
