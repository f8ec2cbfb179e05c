"""Curves for TensorBoard, an extra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ..errors import MissingExtraError


class Curves:
    """Writes the numbers of each epoch as TensorBoard reads them."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Add the line of an epoch."""
        for name, value in metrics.items():
            if name != "epoch" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, metrics["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def check_curves() -> None:
    """Raise `MissingExtraError` where tensorboard is not installed."""
    if find_spec("tensorboard") is None:
        raise MissingExtraError("`tensorboard` needs tensorboard: pip install 'pointlabel[tensorboard]'")


def open_curves(folder: str, epoch: int) -> Curves:
    """Open curves in `folder`; what an earlier, killed run wrote after `epoch` is left out."""
    from torch.utils.tensorboard import SummaryWriter

    return Curves(SummaryWriter(folder, purge_step=epoch + 1))
