"""Commands in forked copies of this process, disturbed at a moment of one's choice.

A copy has everything imported and all kernels loaded, so that a trial costs what its work costs; what a fresh
interpreter would do besides is to import. Workers of a pool, and the methods of `bench`, are fresh interpreters here
too.
"""

from __future__ import annotations

import atexit
import mmap
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

#: Operations on files that the interpreter tells of; a moment is before one of them.
OPERATIONS = frozenset(("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.symlink"))
_PAUSE_S = 0.002


class Child:
    """A forked copy of this process at some work, in a session of its own.

    Parameters
    ----------
    work : what it does; returns its exit code.
    before : called in the copy first.
    temporary : folder for its temporary files.

    Attributes
    ----------
    pid : its number, which is that of its session too.
    text : what it has written to its standard streams so far.
    """

    def __init__(self, work: Callable[[], int], temporary: Path, before: Callable[[], None] | None = None) -> None:
        if len(os.listdir("/proc/self/task")) > 1:
            raise RuntimeError("a process with threads is not forked: its copy could wait for ever")
        sys.stdout.flush()
        sys.stderr.flush()
        self.text = ""
        self._pipe, theirs = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._pipe)
            _be_child(work, theirs, temporary, before)
        os.close(theirs)
        os.set_blocking(self._pipe, False)
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, that of a signal below zero; None while it runs."""
        self._read()
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                self._read()
        return self._code

    def wait(self, seconds: float = 120) -> int | None:
        """Its exit code; None where it does not end in time, and it is killed then."""
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                os.killpg(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self._code = -signal.SIGKILL
                return None
            time.sleep(_PAUSE_S)
        return code

    def close_pipe(self) -> None:
        """Be the reader that has seen enough: what it writes from now on goes nowhere."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def others(self) -> list[int]:
        """Processes of its session but itself that are alive."""
        return [pid for pid, _ in _session(self.pid) if pid != self.pid]

    def workers(self) -> list[int]:
        """Those that a server of its own has forked for it, or that it has started and that are no server."""
        parents = dict(_session(self.pid))
        servers = {parent for parent in parents.values() if parent not in (self.pid, os.getpid())}
        return [pid for pid, parent in parents.items() if parent in servers and pid not in servers]

    def end_of_others(self, seconds: float = 20) -> list[int]:
        """Wait for the other processes of its session to end; those that do not."""
        end = time.monotonic() + seconds
        while (left := self.others()) and time.monotonic() < end:
            time.sleep(0.02)
        return left

    def _read(self) -> None:
        while self._pipe >= 0:
            try:
                data = os.read(self._pipe, 65536)
            except BlockingIOError:
                return
            if not data:
                self.close_pipe()
            self.text += data.decode(errors="replace")


def _be_child(work: Callable[[], int], pipe: int, temporary: Path, before: Callable[[], None] | None) -> None:
    code = 70
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for number, place in ((0, null), (1, pipe), (2, pipe)):
            os.dup2(place, number)
        os.close(pipe)
        # New ones, as those of this process may remember that theirs was a file.
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        if before is not None:
            before()
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        # As an interpreter ends: threads first, then what asked to be called.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        os._exit(code)


def command(words: Sequence[str]) -> Callable[[], int]:
    """The work of a command of `pointlabel`."""

    def work() -> int:
        from pointlabel.cli.main import main

        try:
            main.main(list(words), prog_name="pointlabel")
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        return 0

    return work


def _session(leader: int) -> list[tuple[int, int]]:
    """Number and parent of each living process of a session."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent, _, session = file.read().rpartition(b")")[2].split()[:4]
            except OSError:  # ended meanwhile
                continue
            if int(session) == leader and state not in (b"Z", b"X"):
                found.append((int(name), int(parent)))
    return found


def count_operations(places: Sequence[Path]) -> tuple[Callable[[], None], Callable[[], int]]:
    """What a copy calls first so that its operations on files below some places are counted; their number."""
    shared = mmap.mmap(-1, 8)

    def count() -> None:
        shared[:] = (int.from_bytes(shared[:], "little") + 1).to_bytes(8, "little")

    return lambda: _at_each(places, count), lambda: int.from_bytes(shared[:], "little")


def at_operation(number: int, places: Sequence[Path], act: Callable[[], None]) -> Callable[[], None]:
    """What a copy calls first so that `act` is called before the operation of this number, counted from 1."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            act()

    return lambda: _at_each(places, count)


def _at_each(places: Sequence[Path], count: Callable[[], None]) -> None:
    starts = tuple(map(str, places))
    own = os.getpid()
    inside = False

    def hook(event: str, arguments: tuple) -> None:
        nonlocal inside
        if event in OPERATIONS and not inside and os.getpid() == own:
            path = arguments[0]
            if isinstance(path, str) and path.startswith(starts):
                inside = True
                try:
                    count()
                finally:
                    inside = False

    sys.addaudithook(hook)
