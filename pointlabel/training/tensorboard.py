"""Curves for TensorBoard, an extra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ..errors import MissingExtraError


def check_curves() -> None:
    """Raise `MissingExtraError` where tensorboard is not installed."""
    if find_spec("tensorboard") is None:
        raise MissingExtraError("`tensorboard` needs tensorboard: pip install 'pointlabel[tensorboard]'")


class Curves:
    """Writes the numbers of each epoch as TensorBoard reads them.

    Parameters
    ----------
    folder : to write to.
    epoch : what an earlier, killed run wrote after it is left out.
    """

    def __init__(self, folder: str, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(folder, purge_step=epoch + 1)

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Add the line of an epoch."""
        for name, value in metrics.items():
            if name != "epoch" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, metrics["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
