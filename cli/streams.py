"""Where a command's result goes: a file, or standard output where its path is ``-``."""

from __future__ import annotations

import sys

from pointlabel.errors import OutputError

#: The path that means standard output.
STDOUT = "-"


def write_bytes(path: str, data: bytes) -> None:
    """Write to the file at path, or to standard output where it is -."""
    if path != STDOUT:
        from pointlabel.io.files import write_whole  # not at the top, for a quick --help

        write_whole(path, data)
        return
    check_output(path)
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def check_output(path: str) -> None:
    """Raise where path could not be written, before the work whose result goes there."""
    if path != STDOUT:
        from pointlabel.io.files import check_writable

        check_writable(path)
    elif sys.stdout is None or getattr(sys.stdout, "was_closed", False):
        raise OutputError("cannot write to standard output (it is closed)")
