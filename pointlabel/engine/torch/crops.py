"""Crops of windows around what matters, grouped by size: most votes cover a tenth of their window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..default.regions import SIDE
from .batch import WindowBatch
from .vote import Votes

HEAT_MARGIN = 4  # heat spreads in the votes' box and so many pixels around it
#: Pixels that a crop holds around the box of the heat: the perceptron looks at pixels up to 2 px outside, reads 2 px
#: around each, and the ring that brightness is measured by lies up to 3 px outside.
INPUT_MARGIN = 4


@dataclass(frozen=True)
class Crops:
    """Windows of a batch whose crops have one size.

    Attributes
    ----------
    batch, votes : of B windows.
    index : (n,) int64, which windows of the batch.
    origin : (n, 2) int64, the crop's first row and column in the window.
    box : (n, 4) int64, the box that heat spreads in, in the crop: first and last + 1 row, then column.
    side : of the crops, in pixels.
    """

    batch: WindowBatch
    votes: Votes
    index: Tensor
    origin: Tensor
    box: Tensor
    side: int

    @cached_property
    def image(self) -> Tensor:
        """Intensity in window units, (n, 1, side, side)."""
        return self.cut(self.batch.image)

    @cached_property
    def inside(self) -> Tensor:
        """Pixels of the image that are finite, (n, 1, side, side) bool."""
        return self.cut(self.batch.inside)

    @cached_property
    def field(self) -> Tensor:
        """The vote, (n, 1, side, side)."""
        return self.cut(self.votes.field)

    def cut(self, maps: Tensor) -> Tensor:
        """Crops (n, C, side, side) of maps (B, C, S, S)."""
        chosen = maps.index_select(0, self.index)
        if self.side == SIDE:
            return chosen
        step = torch.arange(self.side, device=maps.device)
        rows, columns = (self.origin[:, k, None] + step for k in (0, 1))
        at = (rows[:, :, None] * SIDE + columns[:, None]).view(len(self.index), 1, -1)
        return chosen.flatten(2).gather(2, at.expand(-1, maps.shape[1], -1)).unflatten(2, (self.side, self.side))

    def domain(self) -> Tensor:
        """Pixels of the crops in the box that heat spreads in, (n, 1, side, side) bool."""
        step = torch.arange(self.side, device=self.box.device)
        rows, columns = ((step >= self.box[:, k, None]) & (step < self.box[:, k + 1, None]) for k in (0, 2))
        return (rows[:, :, None] & columns[:, None])[:, None]

    def peak(self) -> tuple[Tensor, Tensor, Tensor]:
        """Index of each crop and row and column of the peak in it, (n,) int64 each."""
        row, column = (SIDE // 2 - self.origin).unbind(1)
        return torch.arange(len(self.index), device=self.index.device), row, column


def whole_windows(batch: WindowBatch, votes: Votes) -> Crops:
    """Crops that are the windows of a batch."""
    index = torch.arange(len(batch), device=votes.boxes.device)
    return Crops(batch, votes, index, index.new_zeros(len(batch), 2), _heated(votes).flatten(1), SIDE)


def _heated(votes: Votes) -> Tensor:
    """First and last + 1 (second axis) of rows and columns (first axis) of the box that heat spreads in, (B, 2, 2)."""
    start, stop = votes.boxes.view(-1, 2, 2).unbind(2)
    return torch.stack([(start - HEAT_MARGIN).clamp(min=0), (stop + HEAT_MARGIN).clamp(max=SIDE)], 2)


def crop_windows(
    batch: WindowBatch, votes: Votes, whole: Tensor, *, extra_px: int, sides: tuple[int, ...], n_pixels: int
) -> Iterator[Crops]:
    """Group windows by the crops they need.

    Parameters
    ----------
    batch, votes : of B windows.
    whole : (B,) bool, windows that are needed whole.
    extra_px : pixels to add around each crop.
    sides : of crops, rising, the last one a whole window's; few, so that a batch falls into few groups.
    n_pixels : of all crops of a group together, at most (one crop at least).

    The boxes come to the host once, because the groups' sizes decide which work is started.
    """
    heated, margin = _heated(votes), INPUT_MARGIN + extra_px
    first, last = (heated[..., 0] - margin).clamp(min=0), (heated[..., 1] + margin).clamp(max=SIDE)
    needed = torch.where(whole, SIDE, (last - first).amax(1))
    kinds = torch.bucketize(needed, torch.tensor(sides, device=needed.device)).cpu()
    for kind, side in enumerate(sides):
        chosen = (kinds == kind).nonzero()[:, 0]
        for part in chosen.split(max(n_pixels // side**2, 1)) if len(chosen) else ():
            index = part.to(needed.device)
            origin = first[index].clamp(max=SIDE - side)
            yield Crops(batch, votes, index, origin, (heated[index] - origin[:, :, None]).flatten(1), side)
