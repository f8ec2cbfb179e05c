"""Batches of augmented crops of a set of images."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from .augment import GreyChange, View, bring, draw_grey_change, draw_numbers, view_around, view_of
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """A batch before it is cut: its samples, where each crop lies, and how grey levels change."""

    indices: tuple[int, ...]
    views: tuple[View, ...]
    grey: GreyChange | None

    def without_noise(self) -> _Plan:
        """What a worker has to know."""
        return replace(self, grey=None)

    def crops(self, samples: SampleSet) -> tuple[torch.Tensor, torch.Tensor]:
        """Image and label (B, 1, S, S) as they lie in the samples."""
        image, label = (
            torch.stack([view.cut(maps[k]) for k, view in zip(self.indices, self.views, strict=True)])[:, None]
            for maps in (samples.inputs, samples.labels)
        )
        return image, label.clamp_(0, 1)

    def batch(self, image: torch.Tensor, label: torch.Tensor) -> Batch:
        """The batch of the crops."""
        assert self.grey is not None
        return Batch(torch.tensor(self.indices), self.grey.apply(image), label, self.views)


class _Crops(Dataset):
    """Cuts what a plan says, in a worker."""

    def __init__(self, samples: SampleSet) -> None:
        self.samples = samples

    def __getitem__(self, plan: _Plan) -> tuple[torch.Tensor, torch.Tensor]:
        return plan.crops(self.samples)


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
        """Every sample once, or every one of those chosen, in an order drawn anew.

        The config's `workers` cut the crops. All that is drawn is drawn here, in the same order without them.
        """
        order = [index for index in self._shuffled() if chosen is None or index in chosen]
        parts = [order[k : k + self.config.batch_size] for k in range(0, len(order), self.config.batch_size)]
        if not self.config.workers:
            yield from map(self.cut, parts)
            return
        plans: deque[_Plan] = deque()  # of the batches that are being cut

        def planned() -> Iterator[_Plan]:
            for part in parts:
                plans.append(self._plan(part))
                yield plans[-1].without_noise()

        # Workers are forked anew, so that they see the labels of this epoch. The generator keeps the loader from
        # drawing a seed of torch's own stream.
        loader = DataLoader(
            _Crops(self.samples),
            batch_size=None,
            sampler=planned(),
            num_workers=self.config.workers,
            multiprocessing_context="fork",
            generator=torch.Generator(),
        )
        for image, label in loader:
            yield plans.popleft().batch(image, label)

    def next(self, *, whole: bool = False) -> Batch:
        """The next batch of an endless stream; `whole` brings images and labels to the size of the protocol "paper"."""
        while len(self._queue) < self.config.batch_size:
            self._queue += self._shuffled()
        chosen, self._queue = self._queue[: self.config.batch_size], self._queue[self.config.batch_size :]
        return self._whole(chosen) if whole else self.cut(chosen)

    def cut(self, indices: Sequence[int]) -> Batch:
        """Cut a batch out of the samples with the given indices."""
        plan = self._plan(indices)
        return plan.batch(*plan.crops(self.samples))

    def _plan(self, indices: Sequence[int]) -> _Plan:
        """Draw all that is random of a batch."""
        drawn = [self._draw(k) for k in indices]
        grey = draw_grey_change(len(drawn), self.config, self.generator)
        return _Plan(tuple(k for k, _ in drawn), tuple(view for _, view in drawn), grey)

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
