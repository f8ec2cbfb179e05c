"""Weights of a detector as one safetensors file, which says which detector they belong to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import safetensors
import safetensors.torch
from torch import nn

from ..convolutions.replace import find_replaced, replace_convolutions
from ..errors import InputError
from .base import Detector
from .registry import build

_KEY = "pointlabel_detector"


def weights_to_bytes(detector: Detector) -> bytes:
    """Return the bytes of a safetensors file with the weights of a detector made by `build`, ready to be written.

    The file also says which convolutions `replace_convolutions` has turned, and whether the detector warms up.
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
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as safetensors ({error})") from None
    if not isinstance(about, dict):
        raise InputError(f"{path}: the file does not say which detector it belongs to; was it written by pointlabel?")
    detector = build(about["name"], in_channels=about["in_channels"], deep_supervision=about["deep_supervision"])
    detector.warming_up = about.get("warming_up", False)
    kinds: dict[str, str] = about.get("convolutions", {})
    for kind in sorted(set(kinds.values())):
        replace_convolutions(detector, kind, where=_one_of({name for name, held in kinds.items() if held == kind}))
    try:
        detector.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise InputError(f"{path}: does not fit the detector {detector.name}: {reason}") from None
    return detector.eval()


def _one_of(names: set[str]) -> Callable[[str, nn.Conv2d], bool]:
    return lambda name, _: name in names
