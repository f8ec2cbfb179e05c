"""Batches of augmented crops of a set of images."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .augment import View, bring, change_grey_levels, draw_numbers, view_around, view_of
from .config import TrainConfig
from .data import SampleSet
from .mining import MINED_SHARE, Clutter


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of B samples.

    Attributes
    ----------
    index : (B,) int64, the samples' indices in their set.
    image : (B, 1, S, S) float32, scaled and augmented.
    label : (B, 1, S, S) float32 in [0, 1].
    views : where each crop lies, to cut the same out of other maps by `cut`; none for whole images.
    """

    index: torch.Tensor
    image: torch.Tensor
    label: torch.Tensor
    views: tuple[View, ...]

    def __len__(self) -> int:
        return len(self.index)

    def cut(self, maps: Sequence[NDArray]) -> torch.Tensor:
        """Cut the crops out of other maps, one (H, W) for each sample of the set; (B, 1, S, S) float32."""
        crops = [view.cut(maps[k]) for k, view in zip(self.index.tolist(), self.views, strict=True)]
        return torch.stack(crops)[:, None].to(self.image.device)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("index", "image", "label")}
        return replace(self, **moved)


class BatchStream:
    """Batches of augmented crops of a set, from a generator of its own.

    Parameters
    ----------
    samples : the set; its labels are looked up when a batch is cut.
    config : for the size of crops and batches and the augmentation.
    seed : of the generator.

    Attributes
    ----------
    clutter : places that a share of the crops which lie on no target are put on, whatever their image; None for none.
    """

    def __init__(self, samples: SampleSet, config: TrainConfig, seed: int) -> None:
        self.samples, self.config = samples, config
        self.generator = torch.Generator().manual_seed(seed)
        self._queue: list[int] = []
        self.clutter: Clutter | None = None

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.samples) // self.config.batch_size)

    def epoch(self, chosen: Collection[int] | None = None) -> Iterator[Batch]:
        """Every sample once, or every one of those chosen, in an order drawn anew."""
        order = [index for index in self._shuffled() if chosen is None or index in chosen]
        for start in range(0, len(order), self.config.batch_size):
            yield self.cut(order[start : start + self.config.batch_size])

    def next(self, *, whole: bool = False) -> Batch:
        """The next batch of an endless stream; `whole` brings images and labels to the size of the protocol "paper"."""
        while len(self._queue) < self.config.batch_size:
            self._queue += self._shuffled()
        chosen, self._queue = self._queue[: self.config.batch_size], self._queue[self.config.batch_size :]
        return self._whole(chosen) if whole else self.cut(chosen)

    def cut(self, indices: Sequence[int]) -> Batch:
        """Cut a batch out of the samples with the given indices."""
        samples = self.samples
        drawn = [self._draw(k) for k in indices]
        indices, views = [k for k, _ in drawn], tuple(view for _, view in drawn)
        image = torch.stack([view.cut(samples.inputs[k]) for k, view in zip(indices, views, strict=True)])
        label = torch.stack([view.cut(samples.labels[k]) for k, view in zip(indices, views, strict=True)])
        image = change_grey_levels(image[:, None], self.config, self.generator)
        return Batch(torch.tensor(indices), image, label[:, None].clamp_(0, 1), views)

    def _whole(self, indices: Sequence[int]) -> Batch:
        """Whole images, neither cropped nor augmented."""
        samples = self.samples
        image, label = (
            torch.from_numpy(np.stack([bring(maps[k], mode) for k in indices]))[:, None]
            for maps, mode in ((samples.inputs, "bilinear"), (samples.labels, "nearest-exact"))
        )
        return Batch(torch.tensor(indices), image, label, ())

    def _draw(self, index: int) -> tuple[int, View]:
        """A view of a sample, or of clutter in any sample."""
        draws = draw_numbers(self.generator)
        images, share = self.samples.images, self.config.target_share
        if self.clutter and share <= draws[0] < share + (1 - share) * MINED_SHARE:
            which = int(draws[1] * len(self.clutter))
            index = int(self.clutter.index[which])
            place = self.clutter.place[which].astype(float)
            return index, view_around(images[index].shape[:2], place, self.config, draws[2:])
        return index, view_of(images[index].shape[:2], self.samples.points[index], self.config, draws)

    def state_dict(self) -> dict[str, Any]:
        """State of the generator, and what is left of the endless stream's order."""
        return {"generator": self.generator.get_state(), "queue": torch.tensor(self._queue, dtype=torch.int64)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.generator.set_state(state["generator"])
        self._queue = state["queue"].tolist()

    def _shuffled(self) -> list[int]:
        return torch.randperm(len(self.samples), generator=self.generator).tolist()
