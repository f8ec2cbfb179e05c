"""The three standard streams of a command: closed ones, full ones, names that are no UTF-8."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pointlabel.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Make the standard streams safe to write to while a command runs.

    A stream that was closed before the start (``2>&-``, daemons) is opened on the null device: its number would go to
    the next file that is opened, and what libraries say to it into that file. What cannot be said on standard error is
    dropped, since the work counts. What cannot be written to standard output is an `OutputError`; where whoever reads
    it has seen enough (``| head -1``), the command ends without a word. Letters that a stream cannot encode are
    escaped.
    """
    _fill_closed()
    before = sys.stdout, sys.stderr
    streams = _Stream(_open(sys.stdout, 1), True, sys.stdout is None), _Stream(_open(sys.stderr, 2), False)
    sys.stdout, sys.stderr = streams
    try:
        try:
            yield
        finally:
            if streams[0].is_sound:  # else the command has said so
                sys.stdout.flush()  # here and not at the end of the program, where it would fail aloud
    except OutputError as error:
        sys.stderr.write(f"Error: {plain(str(error))}\n")
        raise SystemExit(1) from error
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class _Stream:
    """A text stream, or the bytes under it, whose writes fail in the way that `guarded_streams` says."""

    def __init__(self, stream: Any, is_output: bool, was_closed: bool = False) -> None:
        self._stream, self._is_output, self.was_closed = stream, is_output, was_closed
        self._failure: BaseException | None = None  # once it has failed it fails again, whoever passes over that

    @property
    def is_sound(self) -> bool:
        """Whether nothing has failed yet."""
        return self._failure is None

    def write(self, data: Any) -> int:
        """Write text."""
        return self._try(lambda: self._stream.write(data)) or len(data)

    def flush(self) -> None:
        """Write what waits in the buffer."""
        self._try(self._stream.flush)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _Bytes:
        """The bytes under a text stream."""
        return _Bytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, act: Callable[[], Any]) -> Any:
        if self._failure is not None:
            raise self._failure
        try:
            return act()
        except OSError as error:
            _to_null(self._stream)  # what waits in the buffer would fail again, and at the end of the program aloud
            if self._is_output:
                reason = f"cannot write to standard output ({error.strerror or error})"
                self._failure = SystemExit(1) if isinstance(error, BrokenPipeError) else OutputError(reason)
                raise self._failure from error
            return None


class _Bytes:
    """The bytes under a guarded text stream."""

    def __init__(self, text: _Stream) -> None:
        self._text, self._bytes = text, text._stream.buffer

    def write(self, data: Any) -> int:
        return self._text._try(lambda: self._bytes.write(data)) or len(data)

    def flush(self) -> None:
        self._text._try(self._bytes.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bytes, name)


#: A parameter that a message of the library names, perhaps with a value: `mask_threshold`, `mode=resume`.
_NAMED = re.compile(
    "`(mode|overwrite|resume|engine|polarity|origin|points_format|allow_pickle|size_prior|checkpoint|style|labels|mask_threshold|"
    "out|split|shard|overlay|points|masks|true_masks|tensorboard|seed|form|images|place_images|polygons)"
    r"(?:=([\w.+-]+))?`"
)


#: Options that are called otherwise than the parameter.
_OTHER_NAMES = {"true_masks": "masks", "form": "from"}


def name_options(text: str) -> str:
    """Name the option of the command line where a message of the library names a parameter."""

    def option(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name == "mode":
            return f"--{value}"
        return f"--{_OTHER_NAMES.get(name, name.replace('_', '-'))}" + (f" {value}" if value else "")

    return _NAMED.sub(option, text)


def plain(text: str) -> str:
    """One line for people: white space in one piece, and control characters, which a terminal acts on, escaped."""
    text = name_options(" ".join(text.split()))
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def console(*, err: bool = False, **options: Any) -> Console:
    """A console of rich that prints names as they are: brackets and colons in them are no markup."""
    from rich.console import Console

    return Console(stderr=err, markup=False, emoji=False, highlight=False, **options)


def _fill_closed() -> None:
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def _open(stream: Any, number: int) -> Any:
    if stream is None:
        return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _to_null(stream: Any) -> None:
    try:
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
    except (OSError, ValueError):  # a stream of a test, without a number
        return
