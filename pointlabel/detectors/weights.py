"""Weights of a detector as one safetensors file, which says which detector they belong to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import nn

from ..convolutions.replace import find_replaced, replace_convolutions
from ..errors import InputError, shown
from .base import Detector
from .registry import build

_KEY = "pointlabel_detector"


def weights_to_bytes(detector: Detector) -> bytes:
    """Return the bytes of a safetensors file with the weights of a detector made by `build`, ready to be written.

    The file also says which convolutions `replace_convolutions` has replaced, and whether the detector warms up.
    """
    about = {
        "name": detector.name,
        "in_channels": detector.in_channels,
        "deep_supervision": detector.deep_supervision,
        "warming_up": detector.warming_up,
        "convolutions": find_replaced(detector),
    }
    tensors = {name: tensor.detach().contiguous() for name, tensor in detector.state_dict().items()}
    return safetensors.torch.save(tensors, {_KEY: json.dumps(about)})


def load_weights(path: str | Path) -> Detector:
    """Build the detector that the file at `path` was written from, with its weights, in evaluation mode.

    Raises
    ------
    InputError
        Where the file cannot be read, is no file of `weights_to_bytes`, or does not fit its detector.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file of weights")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, safetensors.SafetensorError, ValueError, RuntimeError, TypeError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as safetensors ({error})") from None
    if not isinstance(about, dict):
        raise InputError(f"{path}: the file does not say which detector it belongs to; was it written by pointlabel?")
    bad = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
    if bad is not None:
        raise InputError(f"{path}: {bad} holds values that are not finite")
    try:
        detector = _build_described(about)
    except InputError as error:
        raise InputError(f"{path}: damaged, or of another version of pointlabel: {error}") from None
    try:
        detector.load_state_dict(tensors)
    except RuntimeError as error:
        lines = str(error).splitlines()
        reason = (lines[1:] or lines)[0].strip()
        raise InputError(f"{path}: does not fit the detector {detector.name}: {reason}") from None
    return detector.eval()


def _build_described(about: dict[str, Any]) -> Detector:
    """The detector that a file describes, with new random weights."""
    flags = {"deep_supervision": about.get("deep_supervision"), "warming_up": about.get("warming_up", False)}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise InputError(f"{name} must be true or false, got {shown(value)}")
    kinds = about.get("convolutions", {})
    if not isinstance(kinds, dict) or not all(isinstance(kind, str) for kind in kinds.values()):
        raise InputError(f"convolutions must be a table of names, got {shown(kinds)}")
    detector = build(
        about.get("name"),  # type: ignore[arg-type]
        in_channels=about.get("in_channels"),  # type: ignore[arg-type]
        deep_supervision=flags["deep_supervision"],
    )
    detector.warming_up = flags["warming_up"]
    for kind in sorted(set(kinds.values())):
        replace_convolutions(detector, kind, where=_one_of({name for name, held in kinds.items() if held == kind}))
    return detector


def _one_of(names: set[str]) -> Callable[[str, nn.Conv2d], bool]:
    return lambda name, _: name in names
