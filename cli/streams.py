"""Where a command's result goes: a file, or standard output where its path is ``-``."""

from __future__ import annotations

import sys

from pointlabel.errors import OutputError
from pointlabel.io.files import check_writable, write_whole
from pointlabel.io.text import harmless

__all__ = ["STDOUT", "check_output", "harmless", "write_bytes"]

#: The path that means standard output.
STDOUT = "-"


def write_bytes(path: str, data: bytes) -> None:
    """Write to the file at path, or to standard output where it is -."""
    if path != STDOUT:
        write_whole(path, data)
        return
    if sys.stdout is None:
        raise OutputError("cannot write to standard output (it is closed)")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        raise OutputError(f"cannot write to standard output ({error.strerror or error})") from error


def check_output(path: str) -> None:
    """Raise where the file at path could not be written, before the work; standard output is not tried."""
    if path != STDOUT:
        check_writable(path)
