"""What commands say on standard error: one bar for the work in progress, and lines above it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from pointlabel.errors import MissingExtraError

from .standard import console as open_console
from .standard import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pointlabel.io.messages import Note


def is_quiet() -> bool:
    """Whether only errors are to be said: the option -q of the whole program."""
    return bool(click.get_current_context().find_root().params.get("quiet"))


def say(text: str, *, always: bool = False) -> None:
    """Print one line on standard error; `always` even with -q."""
    if always or not is_quiet():
        click.echo(plain(text), err=True)


def say_when_kernels_compile(method: str = "default") -> None:
    """Print a line where the first images take longer, because this installation has no compiled kernels yet."""
    from pointlabel.engine.default.ahead import missing_kernels
    from pointlabel.kernel_cache import kernel_note

    if not is_quiet() and (note := kernel_note(missing=method == "default" and bool(missing_kernels()))):
        say(note)


def compile_in_background() -> None:
    """Compile what the first click needs while the user looks at the page; a click before that waits for it."""
    from threading import Thread

    from pointlabel.engine.default.ahead import compile_ahead

    say_when_kernels_compile()
    Thread(target=compile_ahead, daemon=True).start()


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Say which extra brings a package that the command cannot import."""
    try:
        yield
    except ModuleNotFoundError as error:
        what = click.get_current_context().command_path.split()[1]
        raise MissingExtraError(f"{what} needs {error.name}: pip install 'pointlabel[{extra}]'") from error


class Console:
    """A bar for the work in progress and lines above it. Use as a context manager.

    Parameters
    ----------
    progress : whether to draw a bar; there is none where standard error is no terminal.
    quiet : whether to say errors only, as with -q.
    shown : notes of one kind that are said; the others are counted at the end.
    word : what notes begin with.
    rest : the end of the line that counts the others.
    """

    def __init__(
        self, *, progress: bool = True, quiet: bool = False, shown: int = 1, word: str = "note", rest: str = ""
    ) -> None:
        self.is_quiet = quiet or is_quiet()
        self._shown, self._word, self._rest = shown, word, rest
        self._notes: Counter[str] = Counter()
        self._hidden: dict[str, int] = {}
        self.of_run: set[str] = set()  # kinds of notes that are of no image, so that no manifest has them
        self._what = ""
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if progress and not self.is_quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[more]}"),
                TimeRemainingColumn(),
            )
            out = open_console(err=True)
            self._progress = Progress(
                *columns, console=out, transient=True, redirect_stdout=False, redirect_stderr=False
            )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        self.close_notes()

    @property
    def has_bar(self) -> bool:
        """Whether a bar is drawn."""
        return self._progress is not None and self._task is not None

    def show(self, what: str, done: int, total: int | None, more: str = "") -> None:
        """Move the bar: `done` of `total`; another first word of `what` begins another bar."""
        if self._progress is None:
            return
        head = what.split(" ")[0]
        if self._task is None or head != self._what:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._what = self._progress.add_task(plain(what), total=total, more=""), head
        self._progress.update(self._task, description=plain(what), completed=done, total=total, more=more)

    def stage(self, what: str) -> Callable[[int, int], None]:
        """What moves a bar of that name, called with (done, of all)."""
        return lambda done, total: self.show(what, done, total)

    def say(self, text: str, *, always: bool = False) -> None:
        """One line; `always` even with -q."""
        if self.is_quiet and not always:
            return
        if self._progress is None:
            click.echo(plain(text), err=True)
        else:
            self._progress.console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def note(self, kind: str, text: str, shown: int | None = None) -> None:
        """Say a note, unless `shown` of its kind have been said."""
        self._notes[kind] += 1
        limit = self._shown if shown is None else shown
        if self._notes[kind] <= limit:
            self.say(f"{self._word}: {text}")
        else:
            self._hidden[kind] = self._notes[kind] - limit

    def close_notes(self) -> None:
        """Count the notes that were not said."""
        for kind, count in self._hidden.items():
            self.say(f"{self._word}: {count} more like it ({kind}){'' if kind in self.of_run else self._rest}")
        self._notes.clear()
        self._hidden.clear()


def note_lines(notes: Iterable[Note]) -> list[str]:
    """A warning for each kind of note: the first of the kind, and how many more there are."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for note in notes:
        counts[note.kind] += 1
        first.setdefault(note.kind, note.text)
    more = {kind: f" ({counts[kind] - 1} more like it)" if counts[kind] > 1 else "" for kind in first}
    return [f"warning: {text}{more[kind]}" for kind, text in first.items()]
