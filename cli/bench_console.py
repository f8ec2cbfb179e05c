"""What ``pointlabel bench`` says on standard error while it works."""

from __future__ import annotations

import sys
from collections import Counter
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

import click

from .standard import console, plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pointlabel.bench.methods import Survey

_SHOWN = 3  # images that are named where several are left out


class BenchConsole:
    """A bar for the step at work, a line for each that is done. Use as a context manager.

    Parameters
    ----------
    progress : whether to draw a bar; there is none where standard error is no terminal.
    quiet : whether to say errors only.
    """

    def __init__(self, *, progress: bool = True, quiet: bool = False) -> None:
        self._quiet = quiet
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._what, self._n, self._start = "", 0, 0.0
        if progress and not quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=console(err=True), transient=True)

    def __enter__(self) -> BenchConsole:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def start(self, what: str, n_images: int) -> None:
        """Begin a step."""
        self._what, self._n, self._start = what, n_images, perf_counter()
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=n_images)

    def advance(self) -> None:
        """One image of the step is done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    def survey_done(self, survey: Survey) -> None:
        """A data set was read."""
        name = survey.dataset.name
        self.say(f"{name}: {len(survey.dataset)} images, {survey.n_points} points")
        for sentence in survey.left_out[:_SHOWN]:
            self.say(f"warning: left out: {sentence}")
        if len(survey.left_out) > _SHOWN:
            self.say(f"warning: {name}: {len(survey.left_out)} images are left out, all named in the JSON file")
        first: dict[str, str] = {}
        counts = Counter(note.kind for note in survey.notes)
        for note in survey.notes:
            first.setdefault(note.kind, note.text)
        for kind, text in first.items():
            more = f" ({counts[kind] - 1} more like it)" if counts[kind] > 1 else ""
            self.say(f"warning: {text}{more}")
        off = int(sum(survey.features[:, 0] != survey.features[:, 0]))
        if off:
            self.say(f"warning: {name}: {off} points have no true target within 3 px")

    def job_done(self, error: str | None) -> None:
        """A method is through with a data set."""
        if error is not None:
            self.say(f"error: {self._what}: {error}", always=True)
        else:
            self.say(f"{self._what}: {self._n} images in {perf_counter() - self._start:.1f} s")

    def say(self, text: str, *, always: bool = False) -> None:
        """One line."""
        if self._quiet and not always:
            return
        text = plain(text)
        if self._progress is None:
            click.echo(text, err=True)
        else:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
