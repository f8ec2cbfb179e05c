"""Crops of windows around what matters, grouped by size: most votes cover a tenth of their window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..default.regions import SIDE

HEAT_MARGIN = 4  # heat spreads in the votes' box and so many pixels around it
#: Pixels that the crop holds around the box of the heat: the perceptron looks at pixels up to 2 px outside, reads 2 px
#: around each, and the ring that brightness is measured by lies up to 3 px outside.
INPUT_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Crops:
    """Targets of a batch whose crops have one size.

    Attributes
    ----------
    index : (n,) int64, which windows of the batch.
    origin : (n, 2) int64, the crop's first row and column in the window.
    domain : (n, 4) int64, the box that heat spreads in, in the crop: first and last + 1 row, then column.
    side : of the crops, in pixels.
    """

    index: Tensor
    origin: Tensor
    domain: Tensor
    side: int

    def cut(self, maps: Tensor) -> Tensor:
        """Crops (n, ..., side, side) of maps (B, ..., S, S)."""
        whole = maps.shape[-1]
        step = torch.arange(self.side, device=maps.device)
        rows, columns = (self.origin[:, k, None] + step for k in (0, 1))
        at = (rows[:, :, None] * whole + columns[:, None]).view(len(self.index), *[1] * (maps.ndim - 3), -1)
        chosen = maps.index_select(0, self.index).flatten(-2)
        return chosen.gather(-1, at.expand(*chosen.shape[:-1], -1)).unflatten(-1, (self.side, self.side))

    def inside_domain(self) -> Tensor:
        """Pixels of the crops in the box that heat spreads in, (n, side, side) bool."""
        step = torch.arange(self.side, device=self.domain.device)
        rows, columns = ((step >= self.domain[:, k, None]) & (step < self.domain[:, k + 1, None]) for k in (0, 2))
        return rows[:, :, None] & columns[:, None]


def crop_windows(boxes: Tensor, wide: Tensor, extra_px: int, sides: tuple[int, ...], most: int) -> Iterator[Crops]:
    """Group windows by the crops they need.

    Parameters
    ----------
    boxes : (B, 4) int64, from `voting.boxes_of`.
    wide : (B,) bool, windows that are needed whole.
    extra_px : pixels to add around each crop.
    sides : of crops, rising, the last one a whole window's; few, so that a batch falls into few groups.
    most : pixels of all crops of a group together, at most (one crop at least).

    The boxes come to the host once, because the groups' sizes decide which work is started.
    """
    start, stop = boxes[:, 0::2], boxes[:, 1::2]
    low, high = (start - HEAT_MARGIN).clamp(min=0), (stop + HEAT_MARGIN).clamp(max=SIDE)
    margin = INPUT_MARGIN + extra_px
    first, last = (low - margin).clamp(min=0), (high + margin).clamp(max=SIDE)
    needed = torch.where(wide, SIDE, (last - first).amax(1))
    kinds = torch.bucketize(needed, torch.tensor(sides, device=boxes.device))
    on_host = kinds.cpu()
    for kind, side in enumerate(sides):
        chosen = (on_host == kind).nonzero()[:, 0]
        for index in chosen.split(max(most // side**2, 1)):
            if not len(index):
                continue
            index = index.to(boxes.device)
            origin = torch.minimum(first[index], torch.full_like(first[index], SIDE - side))
            ends = torch.stack([low[index], high[index]], 2) - origin[:, :, None]
            yield Crops(index, origin, ends.flatten(1), side)
