"""The device of a run, and what to say where its memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import InputError, TrainingError
from .config import check_device
from .processes import Processes


def pick_device(name: str, processes: Processes | None = None) -> torch.device:
    """``auto`` or the name of a device -> the device.

    Parameters
    ----------
    name : auto, cpu, cuda or cuda:N.
    processes : of the run; several take a GPU each.

    Raises
    ------
    InputError
        Where there is no such device, or not one for each process.
    """
    if check_device(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and processes is not None and processes.n > 1:
        if device.index is not None:
            raise InputError(f"device {name} is one GPU, and {processes.n} processes need one each; leave it out")
        if processes.n_local > torch.cuda.device_count():
            raise InputError(
                f"{processes.n_local} processes need a GPU each, and torch sees {torch.cuda.device_count()}; start "
                "fewer, or set device cpu"
            )
        device = torch.device("cuda", processes.local_rank)
        torch.cuda.set_device(device)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name} is not there; this machine has {torch.cuda.device_count()} GPUs for torch")
    return device


@contextmanager
def out_of_memory_as(sentence: str) -> Iterator[None]:
    """Raise `TrainingError` with a sentence where the memory of the machine or of a GPU runs out.

    torch has no exception of its own for the first.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
            raise TrainingError(f"out of memory {sentence}") from error
        raise
