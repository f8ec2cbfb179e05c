"""What happens in a run, as objects for a callback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know, in one sentence; notes of one kind are alike and may be counted rather than shown."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Working:
    """A step before or after the epochs: `done` of `total` images are through."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """The epochs begin; `epoch` of them are done already."""

    epoch: int
    epochs: int
    n_steps: int
    n_train: int
    n_valid: int
    n_test: int


@dataclass(frozen=True, slots=True)
class StepDone:
    """One batch: its place in the epoch, both counted from 1, and the mean loss of the epoch so far."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One epoch, with its line of ``metrics.jsonl`` and the seconds that the rest will take."""

    epoch: int
    metrics: Mapping[str, Any]
    is_best: bool
    seconds_left: float


Event = Note | Working | TrainingStarted | StepDone | EpochDone
Report = Callable[[Event], None]
