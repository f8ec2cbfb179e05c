"""Label evolution: points grow into masks along with what the detector sees around them (LESPS)."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...params import param
from ..batches import Batch
from ..config import TrainConfig
from ..data import Data, SampleSet
from ..evolution import Growth, evolve_regions, mark_points
from ..labels import Labeller
from .base import Strategy

if TYPE_CHECKING:
    from ..trainer import Step, Trainer


@dataclass(frozen=True)
class LespsOptions(Growth):
    """Parameters of label evolution."""

    start_loss: float = param(
        10.0, "updates start with the first epoch from outer_start on whose mean loss is below it", low=0, open_low=True
    )
    least_peak: float = param(
        0.0,
        "a prediction that stays below it around a region leaves the label there as it is; 0 is the published rule",
        low=0,
        high=1,
    )


class Lesps(Strategy):
    """Start from one pixel per target; once the detector has learned the background, move labels towards predictions.

    The labels of the held-out images are those of the config's label method and never change, so that the scores of
    different epochs can be compared.
    """

    options_class = LespsOptions

    def __init__(self, config: TrainConfig, options: Any = None) -> None:
        super().__init__(config, options)
        #: Epoch of the first update, 0 before it.
        self._first = 0
        self._loss, self._n_seen = 0.0, 0

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Mark the points; label the held-out images."""
        labeller.label_part(data.valid)
        labeller.label_part(data.train, lambda index: mark_points(data.train.points[index], _shape(data.train, index)))

    def after_step(self, batch: Batch, step: Step, trainer: Trainer) -> None:
        """Keep the loss, which decides when updates start."""
        self._loss += float(step.losses.sum())
        self._n_seen += len(step.losses)

    def on_epoch_end(self, trainer: Trainer) -> dict[str, float]:
        """Evolve the labels where an update is due."""
        loss = self._loss / max(self._n_seen, 1)
        self._loss, self._n_seen = 0.0, 0
        if not self._is_due(trainer.epoch, loss):
            return {}
        start, options, samples = perf_counter(), self.options, trainer.data.train
        for index, prediction in trainer.predict(samples):
            label = evolve_regions(prediction, samples.labels[index], options, least_peak=options.least_peak)
            samples.set_label(index, label)
        return {"label_px": label_size(samples), "update_seconds": perf_counter() - start}

    def _is_due(self, epoch: int, loss: float) -> bool:
        """Whether labels are updated after an epoch: the first time by its loss, then at whole intervals.

        Never before the config's start: a detector that starts from low probabilities has a low loss before it sees a
        target, and its predictions are flat then.
        """
        if epoch >= self.config.epochs:
            return False
        if self._first == 0:
            if loss >= self.options.start_loss or epoch < self.config.outer_from():
                return False
            self._first = epoch
            return True
        return epoch % self.config.outer_epochs() == 0

    def state_dict(self) -> dict[str, Any]:
        """The epoch of the first update."""
        return {"first": torch.tensor(self._first)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self._first = int(state["first"])


def label_size(samples: SampleSet) -> float:
    """Mean number of pixels above one half in the labels, per point."""
    return sum(int(np.count_nonzero(label > 0.5)) for label in samples.labels) / max(samples.n_points, 1)


def _shape(samples: SampleSet, index: int) -> tuple[Any, ...]:
    return samples.images[index].shape
