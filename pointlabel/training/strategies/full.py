"""True masks: what a detector reaches when nothing is missing."""

from __future__ import annotations

from ..data import Data
from ..labels import Labeller
from .base import Strategy


class Full(Strategy):
    """Train on the true masks of the training images; the held-out ones choose the best epoch by theirs."""

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Take the true masks."""
        labeller.use_true_masks(data)
