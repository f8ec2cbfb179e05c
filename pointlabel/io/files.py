"""Files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import re
import socket
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

from ..errors import InputError, OutputError
from .lock import is_at, lock_file
from .remote import refuse_uri

#: Most bytes of a file that is read as a whole, where a reader names no other limit.
MAX_FILE_BYTES = 512 << 20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_TEMPORARY = re.compile(r"\.pointlabel-\d+(?:-(?P<host>[0-9a-f]{6})[0-9a-f]{6})?-\d+\.tmp")
# Several machines can write to one folder, and numbers of processes are those of one of them.
_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
_TOKEN = f"{_HOST}{os.urandom(3).hex()}"
_OLD_S = 3600.0  # where a file cannot be locked, its age shows whether it was left behind
_numbers = itertools.count()
_known_folders: set[str] = set()


def read_bytes(path: str, *, most: int = MAX_FILE_BYTES, may_be_empty: bool = False) -> bytes:
    """Return the bytes of the file at `path`; one sentence where that fails, there are none, or more than `most`.

    Only regular files are read: a pipe, a socket or a device could give no bytes, or no end of them. `may_be_empty` is
    for files that say something by having no bytes.
    """
    with open_regular(path) as file:
        check_size(file, path, most)
        data = file.read()
    if not data and not may_be_empty:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    return data


def check_size(file: io.FileIO, path: str, most: int = MAX_FILE_BYTES) -> None:
    """Raise `InputError` where an open file has more than `most` bytes."""
    size = os.fstat(file.fileno()).st_size
    if size > most:
        raise InputError(f"{path}: the file has {size / 1e6:,.0f} MB, more than the limit of {most / 1e6:,.0f} MB")


@contextmanager
def open_regular(path: str) -> Iterator[io.FileIO]:
    """Open a regular file to read its bytes; any error of it is one sentence, also those of reading it."""
    try:
        # Without the flag, opening a pipe that has no writer would never return.
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
                raise InputError(f"{path}: cannot be read (it is {kind}, not a file)")
            yield file
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read ({_reason(error)})") from error


def check_regular(path: str) -> os.stat_result:
    """What is known of a regular file; one sentence where there is none, it is no such file, or it is empty."""
    try:
        about = os.stat(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({_reason(error)})") from error
    if not stat.S_ISREG(about.st_mode):
        raise InputError(f"{path}: cannot be read (it is {_KINDS.get(stat.S_IFMT(about.st_mode), 'no regular file')})")
    if not about.st_size:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    return about


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def make_folder(path: str) -> None:
    """Create the folder `path` and those above it where they are missing."""
    refuse_uri(path)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {path} ({_reason(error)})") from error


class FileWrite:
    """A file being written: its bytes are in a locked file with a temporary name, until `place` moves them to `path`.

    A reader of `path` sees the old bytes or all of the new ones. If a step fails, `path` is unchanged and the temporary
    file is removed. Temporary files of killed processes are removed when a process first writes to the folder.

    Raises
    ------
    OutputError
        Where the bytes could not be written.
    """

    def __init__(self, path: str, data: bytes) -> None:
        refuse_uri(path)
        self.path = path
        folder = os.path.dirname(path) or "."
        self._temporary = ""
        self._file: io.FileIO | None = None
        self._synced: Future[None] | None = None
        with self._cleaned():
            if folder not in _known_folders:
                make_folder(folder)
                remove_temporaries(folder, of_all=False)
                _known_folders.add(folder)
            try:
                self._open(folder)
            except FileNotFoundError:  # somebody removed the folder since it was made
                make_folder(folder)
                self._open(folder)
            self._write(data)

    def append(self, data: bytes) -> None:
        """Write more bytes, for files that are too large to be made in memory."""
        with self._cleaned():
            self._write(data)

    def _open(self, folder: str) -> None:
        while True:
            self._temporary = _temporary_name(folder)
            self._file = io.FileIO(self._temporary, "x")
            # Locked, so that nobody takes it for a leftover; before that, somebody may have.
            if lock_file(self._file.fileno()) is not False and is_at(self._file.fileno(), self._temporary):
                return
            self._file.close()

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def start_sync(self) -> None:
        """Force the bytes to the disk, in a thread, while this one goes on; `place` waits for it."""
        assert self._file is not None
        if self._synced is None:
            self._synced = _syncers().submit(os.fsync, self._file.fileno())

    def place(self) -> None:
        """Move the file to its place, after its bytes are on the disk where `start_sync` was called."""
        assert self._file is not None
        with self._cleaned():
            if self._synced is not None:
                self._synced.result()
            os.replace(self._temporary, self.path)
            self._file.close()

    def discard(self) -> None:
        """Leave `path` as it is, and remove the temporary file."""
        if self._file is None or self._file.closed:
            return
        if self._synced is not None:
            self._synced.cancel()
            wait([self._synced])
        remove_file(self._temporary)
        self._file.close()

    @contextmanager
    def _cleaned(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError) and not isinstance(error, OutputError):
                raise OutputError(f"cannot write {self.path} ({_reason(error)})") from error
            raise


@cache
def _syncers() -> ThreadPoolExecutor:
    # One thread: more of them take time from the work beside them, and the disk is not what a run waits for.
    return ThreadPoolExecutor(1, "pointlabel-sync")


def write_whole(path: str, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path`, whole or not at all (`FileWrite`).

    With `durable` that holds for a loss of power too: the bytes are on the disk before the rename.

    Raises
    ------
    OutputError
        Where the bytes could not be written.
    """
    written = FileWrite(path, data)
    if durable:
        written.start_sync()
    written.place()


def check_writable(path: str) -> None:
    """Raise where `path` could not be written, before the work whose result goes there; folders above it are made.

    Raises
    ------
    OutputError
        Where it is a folder, or its folder cannot be written.
    """
    if os.path.isdir(path) or not os.path.basename(path):
        raise OutputError(f"cannot write {path} (it is a folder)")
    make_folder(os.path.dirname(path) or ".")
    FileWrite(path, b"").discard()


def check_distinct(paths: Sequence[str], noun: str) -> None:
    """Raise `InputError` where two paths are one place; `noun` says what they hold."""
    seen: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        if place in seen:
            raise InputError(f"{path}: this {noun} is given twice")
        seen.add(place)


def _temporary_name(folder: str) -> str:
    return os.path.join(folder, f".pointlabel-{os.getpid()}-{_TOKEN}-{next(_numbers)}.tmp")


def remove_file(path: str) -> None:
    """Remove the file at `path` if there is one that can be removed."""
    try:
        os.unlink(path)
    except OSError:
        return


def remove_temporaries(folder: str, trees: Collection[str] = (), *, of_all: bool = True) -> int:
    """Remove what killed processes left under temporary names in `folder` and below `trees`; return how many.

    Files that a process still writes stay, and no link is followed. Without `of_all`, fresh files of other machines
    stay too: on some file systems each machine has locks of its own, and does not see what others write.
    """
    places = [folder, *(parent for tree in trees if not os.path.islink(tree) for parent, _, _ in os.walk(tree))]
    return sum(_remove_abandoned(place, of_all) for place in places)


def _remove_abandoned(folder: str, of_all: bool) -> int:
    try:
        with os.scandir(folder) as entries:
            found = [(entry, match["host"]) for entry in entries if (match := _TEMPORARY.fullmatch(entry.name))]
    except OSError:
        return 0
    count = 0
    for entry, host in found:
        try:
            if not entry.is_file(follow_symlinks=False):
                continue
            place = os.open(entry.path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            continue
        try:
            is_free = lock_file(place)
            if is_free is None or (is_free and not of_all and host not in (None, _HOST)):
                is_free = time.time() - os.fstat(place).st_mtime > _OLD_S
            if is_free:
                remove_file(entry.path)
                count += 1
        finally:
            os.close(place)
    return count


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
