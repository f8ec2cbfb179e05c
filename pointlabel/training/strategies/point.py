"""Points as masks: what a detector reaches when nothing is made of the points."""

from __future__ import annotations

from ..data import Data
from ..labels import Labeller
from .base import Strategy


class PointOnly(Strategy):
    """Train on a block of 3 x 3 pixels around each point, the masks of the method ``point``."""

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Draw the blocks."""
        labeller.label_all(data, method="point")
