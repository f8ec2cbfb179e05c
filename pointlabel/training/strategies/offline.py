"""Pseudo-masks made once: by any method of labelling, or given as a folder."""

from __future__ import annotations

from ..data import Data
from ..labels import Labeller
from .base import Strategy


class Offline(Strategy):
    """Train on the masks of the config's `label_method`, or of its folder `labels`; they never change."""

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Make or read the masks."""
        labeller.label_all(data)
