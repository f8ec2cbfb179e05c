"""Learn a data set's style of drawing from a few masks. Needs the extra ``pointlabel[train]``."""

from importlib import import_module
from typing import Any

_HOME = {
    "calibrate": "choose",
    "Calibration": "choose",
    "Case": "cases",
    "cases_of": "cases",
    "Examples": "examples",
    "read_examples": "examples",
    "Style": "styles",
    "write_style": "styles",
    "changes": "words",
    "heading": "words",
    "verdict": "words",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
