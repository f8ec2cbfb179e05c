"""Which devices torch can use here; one sentence where it cannot."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda")


def open_device(name: str) -> torch.device:
    """Return the device called `name`, "cpu", "cuda" or "cuda:N".

    Raises
    ------
    InputError
        Where there is no such device; `MissingExtraError` where torch is not installed.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("backend torch needs torch, not installed; pip install 'pointlabel[train]'")
    kind, _, number = name.partition(":")
    if kind not in DEVICES or (number and (kind == "cpu" or not number.isdecimal())):
        raise InputError(f"device must be cpu, cuda or cuda:N, got {name!r}")
    import torch

    if kind == "cuda":
        if not torch.cuda.is_available():
            raise InputError(f"device {name}: torch finds no CUDA device on this machine; leave it out or take cpu")
        if number and int(number) >= torch.cuda.device_count():
            n = torch.cuda.device_count()
            raise InputError(f"device {name}: this machine has {n} CUDA devices, numbered from 0")
    return torch.device(name)
