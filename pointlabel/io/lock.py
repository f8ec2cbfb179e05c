"""One run at a time in an output folder, or the shards of one run, each once.

The lock is the kernel's, on a small file in the folder: it ends with the process that holds it, however that ends, so
nothing is stale after a kill or a loss of power. The file says which run it is. Worker processes share the lock, so
a killed run counts as ended only when its last worker has stopped writing.

A shard holds a lock of its own. A whole run needs that none of them is held, and a shard that no whole run is at work.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from ..errors import InputError, OutputError

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".pointlabel.lock"
_PART_LOCK = re.compile(r"\.pointlabel\.\d+-of-\d+\.lock")
_TIMEOUT_S = 10.0  # how long the workers of a killed run may take to end
_PAUSE_S = 0.05
_MOST_BYTES = 10_000


def lock_file(descriptor: int, shared: bool = False) -> bool | None:
    """Take the kernel's lock on an open file without waiting: whether it was free, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def lock_name(part: str = "") -> str:
    """Name of the lock file of a whole run, or of the part of one, such as "2-of-8"."""
    return f".pointlabel.{part}.lock" if part else LOCK_NAME


@contextmanager
def hold_folder(folder: str, command: str, detail: str = "", part: str = "") -> Iterator[None]:
    """Hold an output folder for one run, or for one part of a run, beside its other parts.

    The folder is made where it is missing, and removed again at the end where it is empty then.

    Parameters
    ----------
    folder : the output folder.
    command, detail : what the message of a second run says about this one, for example "annotate" and "with method
        diffusion".
    part : name of the part, such as "2-of-8"; empty for a whole run.

    Raises
    ------
    InputError
        Where another run, or the same part of this one, holds the folder; the message says which.
    OutputError
        Where the folder cannot be made or written.
    """
    is_new = not os.path.isdir(folder)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {folder} ({error.strerror or error})") from error
    path = os.path.join(folder, lock_name(part))
    descriptor = -1
    try:
        descriptor = _take(path, folder)
        about = {"pid": os.getpid(), "host": socket.gethostname(), "started": _started_at(os.getpid())}
        about |= {"command": command, "detail": detail, "since": datetime.now().isoformat(" ", "seconds")}
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(about).encode() + b"\n", 0)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror or error})") from error
        if lock_file(descriptor, shared=True) is False:  # between the two locks, another run took it
            os.close(descriptor)
            descriptor = -1
            raise InputError(_refusal(folder, path))
        # Each side takes its own lock first and looks for the other's then, so that never both go on.
        if part:
            _pass(os.path.join(folder, LOCK_NAME), folder)
        else:
            for name in filter(_PART_LOCK.fullmatch, sorted(os.listdir(folder))):
                _pass(os.path.join(folder, name), folder)
        yield
    finally:
        if descriptor >= 0:
            _remove(path, descriptor)
        if is_new:
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def share_folder(folder: str, part: str = "") -> None:
    """Share the lock of the run, or the part of one, that this worker process belongs to, until the process ends."""
    with contextlib.suppress(OSError):
        lock_file(os.open(os.path.join(folder, lock_name(part)), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), shared=True)


def _pass(path: str, folder: str) -> None:
    """Take the lock at `path` and let it go at once; raise `InputError` where a run holds it."""
    descriptor = _take(path, folder)
    try:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)  # so that who waits for it does not read of a run that was killed
    finally:
        _remove(path, descriptor)


def _take(path: str, folder: str) -> int:
    """Open the lock file and lock it, alone."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror or error})") from error
        is_free: bool | None = False
        try:
            is_free = lock_file(descriptor)
            if is_free is None:  # a file system without locks: whether the process lives has to do
                is_free = not _is_alive(_read(descriptor))
            if is_free and is_at(descriptor, path):
                return descriptor
            about = _read(descriptor)
        except BaseException:  # Ctrl-C
            if is_free and is_at(descriptor, path):
                _remove(path, descriptor)
            else:
                os.close(descriptor)
            raise
        os.close(descriptor)
        if is_free:  # the run that held it removed the file just now
            continue
        if _is_alive(about) or time.monotonic() > deadline:
            raise InputError(_refusal(folder, path))
        time.sleep(_PAUSE_S)


def _remove(path: str, descriptor: int) -> None:
    """Remove a lock file that this process holds, and let it go; also where Ctrl-C comes just then."""
    try:
        with contextlib.suppress(OSError):
            os.unlink(path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: str) -> bool:
    """Whether an open file is the one that lies at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _read(descriptor: int) -> dict[str, Any]:
    """What the lock file says; nothing where it is empty or damaged."""
    try:
        about = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _refusal(folder: str, path: str) -> str:
    about: dict[str, Any] = {}
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        about = _read(descriptor)
        os.close(descriptor)
    name = " ".join(str(about[key]) for key in ("command", "detail") if about.get(key)) or "another command"
    return (
        f"{folder} is in use by another run: {name}, started {about.get('since', 'just now')}, "
        f"process {about.get('pid', 'unknown')} on {about.get('host', 'an unknown host')}; "
        "wait for it, or choose another folder"
    )


def _is_alive(about: dict[str, Any]) -> bool:
    """Whether the process that wrote this still runs; those of other hosts count as alive."""
    pid, host = about.get("pid"), about.get("host")
    if not isinstance(pid, int) or not isinstance(host, str):
        return False
    if host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return about.get("started") == _started_at(pid)


def _started_at(pid: int) -> str | None:
    """What distinguishes a process from a later one of the same number, also after a reboot; None without /proc."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        with open(f"/proc/{pid}/stat", "rb") as stat:
            after_name = stat.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if after_name[0] in (b"Z", b"X"):  # dead, and not yet fetched by its parent
        return "ended"
    return f"{boot} {after_name[19].decode()}"
