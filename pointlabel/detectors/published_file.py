"""Read the weights in a file that others have published, without running what it holds.

Such files are pickles, which can run code when they are opened. Here only tensors, plain containers and numbers are
read; a file that needs more is refused.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import warnings
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..io.files import read_bytes

STATE_KEYS = ("state_dict", "model_state_dict", "net", "model", "weights")
PREFIXES = ("module.", "net.", "model.")
COUNTERS = ("total_ops", "total_params")  # left in the file by a counter of operations that many training scripts use
#: What a checkpoint may take in memory whatever its own size; beyond that, twice its size.
SMALL_BYTES = 256 << 20
#: Most bytes of a file; those of the published detectors have a hundredth.
MAX_BYTES = 4 << 30


class _Skipped:
    """Stands in for a number or an array of numpy: scores that training scripts store beside the weights."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_NUMPY_NAMES = (
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)


def read_published(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the named tensors of a checkpoint, without the prefixes that wrappers add.

    Parameters
    ----------
    path : a file of `torch.save`, whatever its suffix: a state dict, or a dict with one under one of `STATE_KEYS`.

    Raises
    ------
    InputError
        Where the file cannot be read, is cut short, would run code, or holds no state dict.
    """
    data = read_bytes(str(path), most=MAX_BYTES)
    largest = max(SMALL_BYTES, 2 * len(data))
    sizes = _member_sizes(data, path, largest)
    recent = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)
    # Older torch refuses a file with numbers of numpy.
    stand_ins: list[Any] = [(_Skipped, name) for name in _NUMPY_NAMES]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins) if recent else nullcontext():
            warnings.simplefilter("ignore")  # about old kinds of files: they are read or refused
            held = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it asks for {found[1]}" if found else "it holds more than tensors"
        raise InputError(f"{path}: not opened, since unpickling it could run code: {what}") from None
    except Exception:  # torch raises whatever a damaged file makes it stumble over
        raise InputError(f"{path}: no whole checkpoint of torch: cut short, or a file of another kind") from None
    tensors = _find_state(held, path)
    _check_tensors(tensors, path, largest, sizes)
    return tensors


def _member_sizes(data: bytes, path: str | Path, largest: int) -> set[int] | None:
    """Sizes of the members of a checkpoint that is a zip file, as it claims; None for one of the old kind.

    Torch inflates members as far as they claim to go: a file of a few kilobytes can fill the memory.
    """
    if not data.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            sizes = [member.file_size for member in file.infolist()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error, EOFError, OverflowError):
        raise InputError(f"{path}: no whole checkpoint of torch: cut short, or a file of another kind") from None
    if sum(sizes) > largest:
        raise InputError(
            f"{path}: not opened, since its {len(data)} bytes would take {sum(sizes)}; weights do not pack so well"
        )
    return set(sizes)


def _check_tensors(tensors: dict[str, torch.Tensor], path: str | Path, largest: int, sizes: set[int] | None) -> None:
    """Refuse tensors that claim more than the file holds, or hold what no weight is; none is read before."""
    total = 0
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise InputError(f"{path}: {name} is no plain tensor of numbers")
        if tensor.is_complex():
            raise InputError(f"{path}: {name} holds complex numbers")
        stored = tensor.untyped_storage().nbytes()
        total += max(stored, tensor.numel() * tensor.element_size())
        if total > largest or (sizes is not None and stored not in sizes):
            raise InputError(f"{path}: {name} of shape {tuple(tensor.shape)} claims more than the file holds")
    bad = next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)
    if bad is not None:
        raise InputError(f"{path}: {bad} holds values that are not finite")


def _find_state(held: Any, path: str | Path) -> dict[str, torch.Tensor]:
    def is_state(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and bool(value)
            and all(isinstance(key, str) and isinstance(part, torch.Tensor) for key, part in value.items())
        )

    candidates = [held, *(held.get(key) for key in STATE_KEYS)] if isinstance(held, dict) else [held]
    state = next((value for value in candidates if is_state(value)), None)
    if state is None:
        words = [key for key in held if isinstance(key, str)] if isinstance(held, dict) else []
        what = f"keys {', '.join(words[:6])}" if words else type(held).__name__
        raise InputError(f"{path}: holds no weights by name, neither bare nor as {', '.join(STATE_KEYS)}; got {what}")
    names = list(state)
    while shared := next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in names)), None):
        names = [name.removeprefix(shared) for name in names]
    pairs = zip(names, state.values(), strict=True)
    return {name: tensor for name, tensor in pairs if name.rpartition(".")[2] not in COUNTERS}
