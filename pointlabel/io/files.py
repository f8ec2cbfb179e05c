"""Files that are written whole or not at all."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Collection

from ..errors import InputError, OutputError

_PREFIX, _SUFFIX = ".pointlabel-", ".tmp"
#: Most bytes of a file that is read as a whole, where a reader names no other limit.
MAX_FILE_BYTES = 512 << 20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_numbers = itertools.count()
_known_folders: set[str] = set()


def read_bytes(path: str, *, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of the file at `path`; one sentence where that fails, there are none, or more than `most`.

    Only regular files are read: a pipe, a socket or a device could give no bytes, or no end of them.
    """
    try:
        # A pipe without a writer would wait for one for ever, but for the flag.
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                kind = _KINDS.get(stat.S_IFMT(about.st_mode), "no regular file")
                raise InputError(f"{path}: cannot be read (it is {kind}, not a file)")
            if about.st_size > most:
                size, limit = about.st_size / 1e6, most / 1e6
                raise InputError(f"{path}: the file has {size:,.0f} MB, more than the limit of {limit:,.0f} MB")
            data = file.read()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read ({_reason(error)})") from error
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    return data


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def make_folder(path: str) -> None:
    """Create the folder `path` and those above it where they are missing."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {path} ({_reason(error)})") from error


def write_whole(path: str, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path`: a temporary name in the same folder, then a rename.

    Whoever reads `path` sees the old bytes or all of the new ones. Where the write fails, is interrupted or
    the disk is full, `path` is as before, and the temporary file is removed. With `durable` that holds for a loss of
    power too: the bytes are on the disk before the rename.

    Raises
    ------
    OutputError
        Where the bytes could not be written.
    """
    folder = os.path.dirname(path) or "."
    temporary = os.path.join(folder, f"{_PREFIX}{os.getpid()}-{next(_numbers)}{_SUFFIX}")
    try:
        if folder not in _known_folders:
            make_folder(folder)
            _known_folders.add(folder)
        try:
            _write_all(temporary, data, durable)
        except FileNotFoundError:  # somebody removed the folder since it was made
            make_folder(folder)
            _write_all(temporary, data, durable)
        os.replace(temporary, path)
    except BaseException as error:
        remove_file(temporary)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"cannot write {path} ({_reason(error)})") from error
        raise


def check_writable(path: str) -> None:
    """Raise where `path` could not be written, before the work whose result goes there; folders above it are made.

    Raises
    ------
    OutputError
        Where it is a folder, or its folder cannot be written.
    """
    if os.path.isdir(path):
        raise OutputError(f"cannot write {path} (it is a folder)")
    folder = os.path.dirname(path) or "."
    make_folder(folder)
    temporary = os.path.join(folder, f"{_PREFIX}{os.getpid()}-{next(_numbers)}{_SUFFIX}")
    try:
        _write_all(temporary, b"")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({_reason(error)})") from error
    finally:
        remove_file(temporary)


def _write_all(path: str, data: bytes, durable: bool = False) -> None:
    with open(path, "xb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        if durable:
            os.fsync(file.fileno())


def remove_file(path: str) -> None:
    """Remove the file at `path` if there is one that can be removed."""
    try:
        os.unlink(path)
    except OSError:
        return


def remove_temporaries(folder: str, trees: Collection[str] = ()) -> int:
    """Remove what killed runs left under temporary names in `folder` and anywhere below `trees`; return how many."""
    count = 0
    places = [(folder, os.listdir(folder))] if os.path.isdir(folder) else []
    places += [(parent, names) for tree in trees for parent, _, names in os.walk(tree)]
    for parent, names in places:
        for name in names:
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                remove_file(os.path.join(parent, name))
                count += 1
    return count


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
