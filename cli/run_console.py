"""What ``pointlabel annotate`` says of a run: warnings, errors, a closing table."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from .console import Console
from .standard import console as open_console

if TYPE_CHECKING:
    from pointlabel.folder import Event, RunSummary
    from pointlabel.io.messages import Note

_SHOWN = 10  # warnings of one kind that are said; all are in the manifest
_SHOWN_ONCE = ("channels", "tightness")


class RunConsole(Console):
    """Says what happens in a run; hand `report` to the run."""

    def __init__(self, *, progress: bool = True) -> None:
        super().__init__(progress=progress, shown=_SHOWN, word="warning", rest=", all in the manifest")
        self.n_images = self.n_done = self._n_seen = 0

    def report(self, event: Event) -> None:
        """Take one event of the run."""
        from pointlabel.folder import ImageDone, RunStarted

        if isinstance(event, RunStarted):
            self.n_images, self._start = event.n_images, perf_counter()
            self.show("images", 0, event.n_images)
        elif isinstance(event, ImageDone):
            self._n_seen += 1
            self.n_done += event.status != "error"
            for note in event.notes:
                self._warn(note)
            if event.error is not None:
                self.say(f"error: {event.image_id}: {event.error}", always=True)
            rate = self._n_seen / (perf_counter() - self._start)
            self.show("images", self._n_seen, self.n_images, f"{rate:.1f} images/s")
        else:
            self.of_run.add(event.note.kind)
            self._warn(event.note)

    def _warn(self, note: Note) -> None:
        self.note(note.kind, note.text, 1 if note.kind in _SHOWN_ONCE else None)

    def close(self, summary: RunSummary) -> None:
        """Print the closing table."""
        if self.is_quiet:
            return
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column()
        table.add_column(justify="right")
        for name, value in _rows(summary):
            table.add_row(name, value)
        open_console(err=True).print(table)


def _rows(summary: RunSummary) -> list[tuple[str, str]]:
    rows = [("images", str(summary.n_images))]
    if summary.n_skipped:
        rows.append(("  done before", str(summary.n_skipped)))
    rows.append(("targets", str(summary.n_targets)))
    rows += [(f"  {flag}", str(count)) for flag, count in sorted(summary.flags.items())]
    if summary.n_doubtful:
        rows.append(("  doubtful: quality or presence below 0.5, or empty", str(summary.n_doubtful)))
    rows.append(("warnings", str(summary.n_warnings)))
    if summary.n_warnings > summary.n_new_warnings:
        rows.append(("  of images done before, in the manifest", str(summary.n_warnings - summary.n_new_warnings)))
    rows.append(("errors", str(summary.n_errors)))
    rows.append(("seconds", f"{summary.seconds:.1f}"))
    if summary.n_new_targets and summary.seconds:
        rows.append(("targets per second", f"{summary.n_new_targets / summary.seconds:.1f}"))
    return rows
