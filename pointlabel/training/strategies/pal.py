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
from ..data import Data, SampleSet
from ..evolution import Growth, Rule, admits, evolve_label, label_of_admitted, mark_points
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


@dataclass(frozen=True)
class PalOptions(Growth):
    """Parameters of progressive active learning.

    The defaults are the published ones but for `least_share` and `least_peak`, which are ours.
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
    anchor_px: int = param(1, "half side of the square around a point that its label has to meet, pixels", low=-1)
    decay: float = param(
        0.97,
        "factor of label values outside the update in each 1.25 % of the epochs",
        low=0,
        high=1,
        open_low=True,
    )
    least_peak: float = param(
        0.1, "a prediction that stays below it around a point leaves the label as it is", low=0, high=1
    )

    def check_together(self) -> None:
        """Raise where `easy_method` is no method."""
        if self.easy_method != EDGES:
            get_method(self.easy_method)

    def rule(self, every: float) -> Rule:
        """The rule of an update that follows the last one after the share `every` of the epochs."""
        decay = self.decay ** (every / DECAY_EVERY)
        return Rule(self.reach_px, self.base, self.growth, self.area_share, self.anchor_px, decay, self.least_peak)

    def tolerated(self, done: float, start: float) -> float:
        """Share of missed points that is let in after the share `done` of the epochs, updates beginning at `start`."""
        span = max(self.refine_from - start, 1e-9)
        return self.missed_share + (1 - self.missed_share) * float(np.clip((done - start) / span, 0, 1))


class Pal(Strategy):
    """Train on easy samples; from the first outer update on evolve their labels and let harder samples in.

    The labels of the held-out images are those of the config's label method and never change, as for `Lesps`.
    """

    options_class = PalOptions

    def __init__(self, config: TrainConfig, options: Any = None) -> None:
        super().__init__(config, options)
        self._pool: set[int] = set()

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

    def _easy_label(self, samples: SampleSet, index: int, labeller: Labeller) -> tuple[NDArray, float]:
        """Label of a sample before any training, and the share of its points that have a good one."""
        points, image = samples.points[index], samples.images[index]
        if self.options.easy_method == EDGES:
            mask, found = enclose_points(image, points, self.config.polarity)
        else:
            made = labeller.annotate(samples, index, method=self.options.easy_method)
            mask = made.mask() | (mark_points(points, made.shape) > 0)
            found = np.array([target.quality >= self.options.easy_quality for target in made.targets], bool)
        return mask, float(found.mean()) if len(points) else 1.0

    def pool(self) -> Collection[int]:
        """The easy samples, and those let in since."""
        return self._pool

    def on_epoch_end(self, trainer: Trainer) -> dict[str, float]:
        """Evolve the labels of the pool and let samples in, where the config asks for it."""
        config, options, samples = self.config, self.options, trainer.data.train
        if not config.is_outer(trainer.epoch):
            return {}
        start, before = perf_counter(), len(self._pool)
        done = trainer.epoch / config.epochs
        # Never more often than each epoch, whatever share of the epochs was asked for.
        rule = options.rule(max(config.outer_every, 1 / config.epochs))
        missed = options.tolerated(done, config.outer_start)
        for index, prediction in trainer.predict(samples):
            points = samples.points[index]
            if index in self._pool:
                samples.set_label(index, evolve_label(prediction, samples.labels[index], points, rule))
            elif done <= options.refine_from:
                mask = prediction > config.threshold
                if admits(mask, points, missed_share=missed, false_per_point=options.false_per_point):
                    samples.set_label(index, label_of_admitted(mask, points))
                    self._pool.add(index)
        return {
            "pool": float(len(self._pool)),
            "admitted": float(len(self._pool) - before),
            "label_px": label_size(samples),
            "update_seconds": perf_counter() - start,
        }

    def state_dict(self) -> dict[str, Any]:
        """The pool."""
        return {"pool": torch.tensor(sorted(self._pool), dtype=torch.int64)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the pool back."""
        self._pool = set(state["pool"].tolist())
