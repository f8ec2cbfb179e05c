"""Progressive active learning: easy samples first, harder ones once the detector finds their targets (PAL)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...methods.table import get_method
from ...params import param
from ..config import TrainConfig
from ..data import Data, SampleSet, pack_maps, unpack_maps
from ..evolution import Growth, admits, evolve_and_decay, label_of_admitted, mark_points
from ..labels import Labeller
from .base import Strategy
from .edges import enclose_points
from .lesps import label_size

if TYPE_CHECKING:
    from ..trainer import Trainer

#: The start by closed edges, as published; other names are those of label methods.
EDGES = "edges"
#: Share of the epochs between two updates that the published decay belongs to: 5 of 400.
DECAY_EVERY = 5 / 400
#: The published tolerance counts one of the 400 epochs more than have passed since the updates were allowed to begin.
AHEAD = 1 / 400


@dataclass(frozen=True)
class PalOptions(Growth):
    """Parameters of progressive active learning.

    The defaults are the published ones but for `least_share`, which is ours.
    """

    easy_method: str = param(EDGES, "makes the labels of the easy samples: edges, or a method of labelling")
    easy_share: float = param(
        0.8, "share of an image's points that must have a good label for the image to be easy", low=0, high=1
    )
    easy_quality: float = param(
        0.5, "quality from which on the label of a method is good; edges are good where they close", low=0, high=1
    )
    least_share: float = param(
        0.1,
        "share of the images that training starts with at least, those with the most good labels",
        low=0,
        high=1,
        open_low=True,
    )
    missed_share: float = param(
        0.2,
        "largest share of missed points to let an image in at the first update; rises to 1 at refine_from",
        low=0,
        high=1,
    )
    false_per_point: float = param(
        5.0, "largest number of false components per point with which an image is let in", low=0
    )
    refine_from: float = param(0.8, "share of the epochs after which no image is let in any more", low=0, high=1)
    decay: float = param(
        0.97,
        "factor of label values outside the update in each 1.25 % of the epochs",
        low=0,
        high=1,
        open_low=True,
    )
    least_peak: float = param(
        0.0,
        "where a prediction stays below it around a region the label does not move there; 0 is the published rule",
        low=0,
        high=1,
    )

    def check_together(self) -> None:
        """Raise where `easy_method` is no method."""
        if self.easy_method != EDGES:
            get_method(self.easy_method)

    def decay_after(self, every: float) -> float:
        """Factor of label values in an update that follows the last one after the share `every` of the epochs."""
        return float(self.decay ** (every / DECAY_EVERY))

    def tolerated(self, done: float, start: float) -> float:
        """Share of missed points that is let in after the share `done` of the epochs; the pre-start ends at `start`."""
        span = max(self.refine_from - start, 1e-9)
        return self.missed_share + (1 - self.missed_share) * float(np.clip((done + AHEAD - start) / span, 0, 1))


class Pal(Strategy):
    """Train on easy samples; after the pre-start evolve their labels and let harder samples in.

    Labels are soft, and training sees them cut at one half: a pixel at .6 is a full positive. Those of the held-out
    images are the config's label method's and never change, as for `Lesps`.
    """

    options_class = PalOptions

    def __init__(self, config: TrainConfig, options: Any = None) -> None:
        super().__init__(config, options)
        self._pool: set[int] = set()
        self._soft: list[NDArray] = []

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Choose the easy samples; label the held-out images."""
        good: dict[int, float] = {}

        def label_of(index: int) -> NDArray:
            label, good[index] = self._easy_label(data.train, index, labeller)
            return label

        labeller.label_part(data.valid)
        labeller.label_part(data.train, label_of)
        easiest_first = sorted(good, key=lambda index: -good[index])
        n_least = int(np.ceil(self.options.least_share * len(good)))
        self._pool = {index for index, share in good.items() if share >= self.options.easy_share}
        self._pool |= set(easiest_first[:n_least])
        self._soft = list(data.train.labels)

    def start(self, trainer: Trainer) -> None:
        """Have soft labels of the right sizes, for a run that is resumed."""
        self._soft = list(trainer.data.train.labels)

    def _easy_label(self, samples: SampleSet, index: int, labeller: Labeller) -> tuple[NDArray, float]:
        """Label of a sample before any training, and the share of its points that have a good one."""
        points, image = samples.points[index], samples.images[index]
        if self.options.easy_method == EDGES:
            mask, found = enclose_points(image, points, samples.polarities[index] or self.config.polarity)
        else:
            made = labeller.annotate(samples, index, method=self.options.easy_method)
            mask = made.mask() | (mark_points(points, made.shape) > 0)
            found = np.array([target.quality >= self.options.easy_quality for target in made.targets], bool)
        return mask, float(found.mean()) if len(points) else 1.0

    def pool(self) -> Collection[int]:
        """The easy samples, and those let in since."""
        return self._pool

    def on_epoch_end(self, trainer: Trainer) -> dict[str, float]:
        """Evolve the labels of the pool and let samples in, where an update is due."""
        config, options, samples = self.config, self.options, trainer.data.train
        if not self._is_due(trainer.epoch):
            return {}
        start, before = perf_counter(), len(self._pool)
        done = trainer.epoch / config.epochs
        # Never more often than each epoch, whatever share of the epochs was asked for.
        decay = options.decay_after(max(config.outer_every, 1 / config.epochs))
        missed = options.tolerated(done, config.outer_start)
        for index, prediction in trainer.predict(samples):
            if index in self._pool:
                soft = evolve_and_decay(
                    prediction, self._soft[index], options, decay=decay, least_peak=options.least_peak
                )
                self._set_label(samples, index, soft)
            elif done <= options.refine_from:
                mask, points = prediction > config.threshold, samples.points[index]
                if admits(mask, points, missed_share=missed, false_per_point=options.false_per_point):
                    self._set_label(samples, index, label_of_admitted(mask, points))
                    self._pool.add(index)
        return {
            "pool": float(len(self._pool)),
            "admitted": float(len(self._pool) - before),
            "label_px": label_size(samples),
            "update_seconds": perf_counter() - start,
        }

    def _is_due(self, epoch: int) -> bool:
        """Whether an update follows an epoch: the first one interval after the pre-start, as published."""
        return self.config.is_outer(epoch) and epoch > self.config.outer_from()

    def _set_label(self, samples: SampleSet, index: int, soft: NDArray) -> None:
        """Keep a soft label, and train on it cut at one half."""
        self._soft[index] = soft.astype(np.float16)
        samples.set_label(index, self._soft[index] > 0.5)

    def state_dict(self) -> dict[str, Any]:
        """The pool and the soft labels."""
        return {"pool": torch.tensor(sorted(self._pool), dtype=torch.int64), "soft": pack_maps(self._soft)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._pool = set(state["pool"].tolist())
        self._soft = list(unpack_maps(state["soft"], [label.shape for label in self._soft]))
