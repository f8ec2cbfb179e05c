"""What a run says on standard error: a progress bar, warnings, errors, a closing table."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING

import click

from .standard import console as open_console
from .standard import plain

if TYPE_CHECKING:
    from rich.progress import Progress

    from pointlabel.folder import Event, RunSummary
    from pointlabel.io.messages import Note

_SHOWN = 10  # warnings of one kind that are said; the rest is counted and stands in the manifest
_SHOWN_ONCE = ("channels", "tightness")


class RunConsole:
    """Says on standard error what happens in a run. Use as a context manager, and hand `report` to the run.

    Parameters
    ----------
    progress : whether to draw a progress bar; there is none where standard error is no terminal.
    quiet : whether to say errors only.
    """

    def __init__(self, *, progress: bool = True, quiet: bool = False) -> None:
        self._wants_progress = progress and not quiet and sys.stderr.isatty()
        self._quiet = quiet
        self._progress: Progress | None = None
        self._notes: Counter[str] = Counter()
        self.n_images = 0
        self.n_done = 0

    def __enter__(self) -> RunConsole:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        for name, count in self._notes.items():
            hidden = count - _limit(name)
            if hidden > 0:
                self._say(f"warning: {hidden} more like it ({name}), all in the manifest")

    def report(self, event: Event) -> None:
        """Take one event of the run."""
        from pointlabel.folder import ImageDone, RunStarted

        if isinstance(event, RunStarted):
            self.n_images = event.n_images
            if self._wants_progress:
                self._progress = _start_progress(event.n_images)
        elif isinstance(event, ImageDone):
            self.n_done += event.status != "error"
            for note in event.notes:
                self._warn(note)
            if event.error is not None:
                self._say(f"error: {event.image_id}: {event.error}", always=True)
            if self._progress is not None:
                self._progress.advance(self._progress.task_ids[0])
        else:
            self._warn(event.note)

    def _warn(self, note: Note) -> None:
        self._notes[note.kind] += 1
        if self._notes[note.kind] <= _limit(note.kind):
            self._say(f"warning: {note.text}")

    def _say(self, text: str, always: bool = False) -> None:
        if self._quiet and not always:
            return
        text = plain(text)
        if self._progress is None:
            click.echo(text, err=True)
        else:  # above the bar
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self, summary: RunSummary) -> None:
        """Print the closing table."""
        if self._quiet:
            return
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column()
        table.add_column(justify="right")
        for name, value in _rows(summary):
            table.add_row(name, value)
        open_console(err=True).print(table)


def _limit(kind: str) -> int:
    return 1 if kind in _SHOWN_ONCE else _SHOWN


def _rows(summary: RunSummary) -> list[tuple[str, str]]:
    rows = [("images", str(summary.n_images))]
    if summary.n_skipped:
        rows.append(("  done before", str(summary.n_skipped)))
    rows.append(("targets", str(summary.n_targets)))
    rows += [(f"  {flag}", str(count)) for flag, count in sorted(summary.flags.items())]
    rows += [("warnings", str(summary.n_warnings)), ("errors", str(summary.n_errors))]
    rows.append(("seconds", f"{summary.seconds:.1f}"))
    if summary.n_new_targets and summary.seconds:
        rows.append(("targets per second", f"{summary.n_new_targets / summary.seconds:.1f}"))
    return rows


def _start_progress(n_images: int) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Images per second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} images/s" if task.speed else "- images/s")

    columns = (BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=open_console(err=True), redirect_stdout=False, redirect_stderr=False)
    progress.add_task("", total=n_images)
    progress.start()
    return progress
