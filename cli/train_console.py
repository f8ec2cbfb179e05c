"""What ``pointlabel train`` and ``predict`` say: bars and lines on standard error, scores on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .console import Console, say
from .standard import console, plain

if TYPE_CHECKING:
    from pointlabel.training.events import EpochDone, Event
    from pointlabel.training.loop import TrainResult


class TrainConsole(Console):
    """Says what happens in a run, a line per epoch where no bar is drawn; hand `report` to the run."""

    epoch = epochs = 0

    def report(self, event: Event) -> None:
        """Take one event of the run."""
        from pointlabel.training.events import EpochDone, Note, StepDone, TrainingStarted, Working

        if isinstance(event, Note):
            self.note(event.kind, event.text)
        elif isinstance(event, Working):
            self.show(event.what, event.done, event.total)
        elif isinstance(event, TrainingStarted):
            self.close_notes()
            self.epoch, self.epochs, self._n_steps = event.epoch, event.epochs, event.n_steps
            self.say(
                f"{event.n_train} images to train on, {event.n_valid} to validate, {event.n_test} to test"
                + (f"; {event.epoch} epochs are done" if event.epoch else "")
            )
            self._last = ""
        elif isinstance(event, StepDone):
            done = (event.epoch - 1) * self._n_steps + event.step
            self.show(f"loss {event.loss:.3f}{self._last}", done, self.epochs * self._n_steps)
        elif isinstance(event, EpochDone):
            self._epoch_done(event)

    def _epoch_done(self, event: EpochDone) -> None:
        self.epoch = event.epoch
        metrics = event.metrics
        if "val_iou" in metrics:
            self._last = f", IoU {metrics['val_iou']:.3f}"
        if self.has_bar:
            return
        best = ", best" if event.is_best else ""
        iou = f", IoU {metrics['val_iou']:.4f}" if "val_iou" in metrics else ""
        self.say(
            f"epoch {event.epoch} of {self.epochs}: loss {metrics['loss']:.4f}{iou}{best}; "
            f"{metrics['seconds']:.1f} s, {_clock(event.seconds_left)} left"
        )


def print_scores(result: TrainResult, protocol: str) -> None:
    """Print the scores on the test part, whole and each data set."""
    from rich.table import Table

    where = "256 x 256" if protocol == "paper" else "native size"
    click.echo(plain(f"best epoch {result.best_epoch}, IoU {result.best_score:.4f}; written to {result.folder}"))
    if result.best_score == 0:
        say("warning: no target of the held-out images is met; a lower --lr or --target-share 1 may help")
    if result.test is None:
        return
    chosen = "the test part itself" if protocol == "paper" else "the validation labels"
    click.echo(f"protocol {protocol}: scored at {where}, epoch chosen by {chosen}")
    table = Table(box=None, pad_edge=False)
    for name in ("test part", "images", "IoU %", "nIoU %", "Pd %", "Fa 1e-6"):
        table.add_column(name, justify="left" if name == "test part" else "right")
    parts: dict[str, dict[str, Any]] = result.test["parts"]
    rows = dict(parts) if len(parts) == 1 else {"whole": result.test["whole"], **parts}
    for name, row in rows.items():
        shares = [_percent(row[key]) for key in ("iou", "niou", "pd")]
        table.add_row(plain(name), str(row["images"]), *shares, "-" if row["fa"] is None else f"{1e6 * row['fa']:.1f}")
    console().print(table)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
