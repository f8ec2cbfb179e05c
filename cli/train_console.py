"""What ``pointlabel train`` and ``predict`` say: bars and lines on standard error, scores on standard output."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from .standard import console, plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pointlabel.training.events import EpochDone, Event
    from pointlabel.training.loop import TrainResult

_SHOWN = 1  # notes of one kind that are said; the others are counted


class TrainConsole:
    """Says what happens in a run. Use as a context manager, and hand `report` to the run.

    Parameters
    ----------
    progress : whether to draw bars; there are none where standard error is no terminal, and a line an epoch instead.
    quiet : whether to say errors only.
    """

    def __init__(self, *, progress: bool = True, quiet: bool = False) -> None:
        self._quiet = quiet
        self._notes: Counter[str] = Counter()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self.epoch = self.epochs = 0
        if progress and not quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._progress = Progress(*columns, console=console(err=True), transient=True)

    def __enter__(self) -> TrainConsole:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        self._close_notes()

    def report(self, event: Event) -> None:
        """Take one event of the run."""
        from pointlabel.training.events import EpochDone, Note, StepDone, TrainingStarted, Working

        if isinstance(event, Note):
            self._notes[event.kind] += 1
            if self._notes[event.kind] <= _SHOWN:
                self.say(f"note: {event.text}")
        elif isinstance(event, Working):
            self._show(event.what, event.done, event.total)
        elif isinstance(event, TrainingStarted):
            self._close_notes()
            self.epoch, self.epochs, self._n_steps = event.epoch, event.epochs, event.n_steps
            self.say(
                f"{event.n_train} images to train on, {event.n_valid} to validate, {event.n_test} to test"
                + (f"; {event.epoch} epochs are done" if event.epoch else "")
            )
            self._last = ""
        elif isinstance(event, StepDone):
            done = (event.epoch - 1) * self._n_steps + event.step
            self._show(f"loss {event.loss:.3f}{self._last}", done, self.epochs * self._n_steps)
        elif isinstance(event, EpochDone):
            self._epoch_done(event)

    def _epoch_done(self, event: EpochDone) -> None:
        self.epoch = event.epoch
        metrics = event.metrics
        if "val_iou" in metrics:
            self._last = f", IoU {metrics['val_iou']:.3f}"
        left = _clock(event.seconds_left)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, left=f"{left} left")
            return
        best = ", best" if event.is_best else ""
        iou = f", IoU {metrics['val_iou']:.4f}" if "val_iou" in metrics else ""
        self.say(
            f"epoch {event.epoch} of {self.epochs}: loss {metrics['loss']:.4f}{iou}{best}; "
            f"{metrics['seconds']:.1f} s, {left} left"
        )

    def _show(self, what: str, done: int, total: int) -> None:
        if self._progress is None:
            return
        head = what.split(" ")[0]
        if self._task is None or head != self._what:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._what = self._progress.add_task(what, total=total, left=""), head
        self._progress.update(self._task, description=what, completed=done)

    def _close_notes(self) -> None:
        for kind, count in self._notes.items():
            if count > _SHOWN:
                self.say(f"note: {count - _SHOWN} more like it ({kind})")
        self._notes.clear()

    def say(self, text: str, *, always: bool = False) -> None:
        """One line on standard error."""
        if self._quiet and not always:
            return
        text = plain(text)
        if self._progress is None:
            click.echo(text, err=True)
        else:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_scores(result: TrainResult, protocol: str) -> None:
    """Print the scores on the test part, whole and each data set."""
    from rich.table import Table

    where = "256 x 256" if protocol == "paper" else "native size"
    click.echo(plain(f"best epoch {result.best_epoch}, IoU {result.best_score:.4f}; written to {result.folder}"))
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
