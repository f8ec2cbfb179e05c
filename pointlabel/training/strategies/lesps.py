"""Label evolution: points grow into masks along with what the detector sees around them (LESPS)."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ...params import param
from ..data import Data, SampleSet
from ..evolution import Growth, Rule, evolve_label, mark_points
from ..labels import Labeller
from .base import Strategy

if TYPE_CHECKING:
    from ..trainer import Trainer


@dataclass(frozen=True)
class LespsOptions(Growth):
    """Parameters of label evolution; the defaults are the published ones but for `least_peak`, which is ours."""

    least_peak: float = param(
        0.1,
        "a prediction that stays below it around a point leaves the label as it is; 0 is the published rule",
        low=0,
        high=1,
    )

    def rule(self) -> Rule:
        """The rule of the update."""
        return Rule(self.reach_px, self.base, self.growth, self.area_share, least_peak=self.least_peak)


class Lesps(Strategy):
    """Start from one pixel per target; after each outer update's epoch move the labels towards the predictions.

    The labels of the held-out images are those of the config's label method and never change, so that the scores of
    different epochs can be compared.
    """

    options_class = LespsOptions

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Mark the points; label the held-out images."""
        labeller.label_part(data.valid)
        labeller.label_part(data.train, lambda index: mark_points(data.train.points[index], _shape(data.train, index)))

    def on_epoch_end(self, trainer: Trainer) -> dict[str, float]:
        """Evolve the labels where the config asks for it."""
        if not self.config.is_outer(trainer.epoch):
            return {}
        start, rule = perf_counter(), self.options.rule()
        samples = trainer.data.train
        for index, prediction in trainer.predict(samples):
            samples.set_label(index, evolve_label(prediction, samples.labels[index], samples.points[index], rule))
        return {"label_px": label_size(samples), "update_seconds": perf_counter() - start}


def label_size(samples: SampleSet) -> float:
    """Mean number of pixels above one half in the labels, per point."""
    return sum(int(np.count_nonzero(label > 0.5)) for label in samples.labels) / max(samples.n_points, 1)


def _shape(samples: SampleSet, index: int) -> tuple[Any, ...]:
    return samples.images[index].shape
