"""Where a command's result goes: a file, or standard output where its path is ``-``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

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


def check_outputs(paths: Mapping[str, str | None]) -> None:
    """Check the files that options name, before the work: only one of them may be standard output."""
    on_stdout = [f"{option} -" for option, path in paths.items() if path == STDOUT]
    if len(on_stdout) > 1:
        raise click.UsageError(
            f"{' and '.join(on_stdout)} exclude each other: standard output takes one of them",
        )
    for path in paths.values():
        if path is not None:
            check_output(path)


def write_json(path: str | None, value: Any, *, indent: int | None = None) -> None:
    """Write a value as JSON; nothing without a path."""
    import json

    if path is not None:
        write_bytes(path, (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode())


def write_page(path: str, text: str) -> None:
    """Write a page of HTML."""
    from pointlabel.report.page import encode_page

    write_bytes(path, encode_page(text))


def write_csv(path: str | None, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of the same columns, at least one, as CSV; nothing without a path."""
    import csv
    import io

    from pointlabel.io.text import encode_text

    if path is None:
        return
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, encode_text(text.getvalue()))
