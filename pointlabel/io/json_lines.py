"""Files to which one line of JSON after the other is appended, each whole or not at all."""

from __future__ import annotations

import json
import os
from io import FileIO
from typing import Any

from ..errors import OutputError
from .text import decode_json


def encode_line(entry: dict[str, Any]) -> bytes:
    """An object as a line, with its end."""
    return json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode_line(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None where the line is torn, damaged, or holds something else."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = decode_json(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def append_to(path: str, entry: dict[str, Any]) -> None:
    """Append an object to the file at `path`, which is made where there is none; errors as `append_line`."""
    try:
        file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error})") from error
    with file:
        append_line(file, encode_line(entry), path)


def append_line(file: FileIO, line: bytes, path: str) -> None:
    """Append a line; where the disk is full, what was written of it is taken back.

    Parameters
    ----------
    file : opened for appending, without a buffer.
    line : of `encode_line`.
    path : of the file, for messages.

    Raises
    ------
    OutputError
        Where it could not be written.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        view = memoryview(line)
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        os.ftruncate(file.fileno(), size)
        raise OutputError(f"cannot write {path} ({error.strerror or error})") from error
