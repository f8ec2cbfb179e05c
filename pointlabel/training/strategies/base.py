"""What every strategy can decide: the labels, the loss of a step, what happens between steps and epochs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch

from ...params import Params, check_values, default_of
from ..batches import Batch
from ..config import TrainConfig
from ..data import Data
from ..labels import Labeller
from ..trainer import Step, Trainer


@dataclass(frozen=True)
class NoOptions(Params):
    """Parameters of a strategy that has none."""


class Strategy:
    """Base of the strategies; without changes it trains on labels that never change, all samples alike.

    A run calls, in this order: `prepare` (not when it is resumed, the checkpoint holds the labels), `start`,
    `load_state_dict` when resumed, then in each epoch `on_epoch_start`, for each batch `objective` and after the
    detector's step `after_step`, and `on_epoch_end`; at last `finish`. Labels are replaced through
    ``trainer.data.train.set_label`` and are part of the checkpoint. Everything else that changes in a run goes through
    `state_dict`; random numbers come from ``trainer.generator``.

    Parameters
    ----------
    config : of the run.
    options : of `options_class`, the strategy's own parameters.
    """

    options_class: ClassVar[type] = NoOptions

    def __init__(self, config: TrainConfig, options: Any = None) -> None:
        self.config = config
        self.options = self.options_class() if options is None else options

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Set the labels of the training and validation images."""
        raise NotImplementedError

    def start(self, trainer: Trainer) -> None:
        """Make what needs the detector or the device: own networks, own optimisers."""

    def parameters(self) -> list[torch.nn.Parameter]:
        """Parameters of its own that the detector's optimiser shall descend too."""
        return []

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Before the first batch of ``trainer.epoch``, counted from 1."""

    def pool(self) -> Collection[int] | None:
        """Indices of the training samples that the next epoch takes; None for all."""
        return None

    def objective(self, batch: Batch, trainer: Trainer) -> Step:
        """Loss of a training batch: the mean of the samples' losses times `sample_weights`."""
        logits = trainer.forward(batch.image)
        losses = trainer.sample_losses(logits, batch)
        weights = self.sample_weights(batch, trainer)
        objective = losses.mean() if weights is None else (weights * losses).mean()
        return Step(objective, losses.detach(), tuple(each.detach() for each in logits))

    def sample_weights(self, batch: Batch, trainer: Trainer) -> torch.Tensor | None:
        """Weight of each sample, (B,), with mean 1; None for all alike."""
        return None

    def after_step(self, batch: Batch, step: Step, trainer: Trainer) -> None:
        """After the detector's step on `batch`."""

    def on_epoch_end(self, trainer: Trainer) -> dict[str, float]:
        """After the last batch of an epoch: update labels where ``config.is_outer(trainer.epoch)``.

        Returns numbers for the epoch's line of ``metrics.jsonl``.
        """
        return {}

    def finish(self, trainer: Trainer) -> None:
        """After the last epoch: write files to ``trainer.folder``. Called in the first process of several alone."""

    def state_dict(self) -> dict[str, Any]:
        """All that changes in a run but labels, as `checkpoint.encode_state` takes it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""


def build_options(name: str, options_class: type, values: Mapping[str, Any]) -> Any:
    """Build the parameters of a strategy from values by name; whole numbers may stand for real ones.

    Raises
    ------
    InputError
        For an unknown name, a value of another type than the default's, or out of range.
    """
    defaults = {item.name: default_of(item) for item in fields(options_class)}
    return options_class(**check_values(values, defaults, f"strategy {name}"))
