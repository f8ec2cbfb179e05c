"""Nested states as one safetensors file: tensors by path, everything else as JSON in its header."""

from __future__ import annotations

import json
from typing import Any

import safetensors
import safetensors.torch
import torch

from ..errors import InputError, shown
from ..io.files import read_bytes, write_whole

_KEY = "pointlabel_state"
# Weights, moments of the optimiser and maps of labels of the largest detectors fit many times over.
_MAX_BYTES = 16 << 30
_TENSOR = "__tensor__"


def encode_state(state: dict[str, Any]) -> bytes:
    """Bytes of a safetensors file that holds dicts, lists, tensors, numbers, words and None, nested as they are.

    Keys of dicts are words or whole numbers; tuples come back as lists. Equal states give equal bytes.
    """
    tensors: dict[str, torch.Tensor] = {}
    skeleton = _take_apart(state, "", tensors)
    return safetensors.torch.save(tensors, {_KEY: json.dumps(skeleton)})


def decode_state(data: bytes, name: str) -> dict[str, Any]:
    """Put a state together again from `encode_state`.

    Raises
    ------
    InputError
        Where the bytes are no such file, or are cut short.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        skeleton = json.loads(header["__metadata__"][_KEY])
        state = _put_together(skeleton, safetensors.torch.load(data))
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,
        OverflowError,
        safetensors.SafetensorError,
    ) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"{name}: not a checkpoint of this program, or damaged ({reason})") from None
    if not isinstance(state, dict):
        raise InputError(f"{name}: a checkpoint must hold a table, got {shown(state)}")
    return state


def write_checkpoint(path: str, state: dict[str, Any]) -> None:
    """Write a state; a process that is killed meanwhile leaves the old file, and a loss of power keeps the new one."""
    write_whole(path, encode_state(state), durable=True)


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote."""
    return decode_state(read_bytes(path, most=_MAX_BYTES), path)


def _take_apart(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        # A copy, since safetensors refuses tensors that share memory, as those of tied weights do.
        tensors[path] = value.detach().to("cpu", copy=True).contiguous()
        return {_TENSOR: path}
    if isinstance(value, dict):
        pairs = [
            [key, _take_apart(each, f"{path}/{key}", tensors)] for key, each in value.items()
        ]  # pairs, because keys of JSON objects would all become words
        return {"pairs": pairs}
    if isinstance(value, list | tuple):
        return [_take_apart(each, f"{path}/{k}", tensors) for k, each in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(f"a state may hold tensors, numbers, words, dicts and lists, got {type(value).__name__} at {path}")


def _put_together(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {key: _put_together(each, tensors) for key, each in value["pairs"]}
    if isinstance(value, list):
        return [_put_together(each, tensors) for each in value]
    return value
