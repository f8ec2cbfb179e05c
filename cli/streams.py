"""Where a command's result goes: a file, or standard output where its path is ``-``."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import click
from click.core import ParameterSource

from pointlabel.errors import OutputError

#: The path that means standard output.
STDOUT = "-"
_HEAD_BYTES = 8000


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


def check_output(path: str, *, kind: Literal["text", "picture", "model"] = "text") -> None:
    """Raise where path could not be written, before the work whose result goes there.

    Text replaces text alone, and a picture one that was drawn here.
    """
    if path != STDOUT:
        from pointlabel.errors import InputError
        from pointlabel.io.files import check_writable

        check_writable(path)
        if kind == "text" and os.path.isfile(path):
            with open(path, "rb") as file:
                held = file.read(_HEAD_BYTES)
            if b"\0" in held:  # an image, a mask, an archive: nothing that a report or a style has replaced before
                raise InputError(f"{path}: holds no text, and would be replaced; choose another file")
        if kind == "picture" and os.path.isfile(path) and not _is_own_picture(path):
            raise InputError(f"{path}: is no picture of this program, and would be replaced; choose another file")
    elif sys.stdout is None or getattr(sys.stdout, "was_closed", False):
        raise OutputError("cannot write to standard output (it is closed)")


def check_new(path: str, overwrite: bool) -> None:
    """Raise where a file that may hold somebody's work would be replaced without being asked for."""
    from pointlabel.errors import InputError

    if path != STDOUT and os.path.isfile(path) and not overwrite:
        raise InputError(f"{path} is there already; --overwrite replaces it")


def check_outputs(paths: Mapping[str, str | None], *, pictures: Collection[str] = ()) -> None:
    """Check the files that options name, those of `pictures` among them, before the work.

    Only one of them may be standard output, and none of them a file that the command is given to read, or that lies
    in a folder which it reads. There only pages of HTML are replaced, and what ``--json`` names.
    """
    on_stdout = [f"{option} -" for option, path in paths.items() if path == STDOUT]
    if len(on_stdout) > 1:
        raise click.UsageError(
            f"{' and '.join(on_stdout)} exclude each other: standard output takes one of them",
        )
    inputs = _given_places(paths)
    for option, path in paths.items():
        if path is not None:
            if path != STDOUT and _is_read(path, inputs, option):
                raise click.UsageError(f"{option} {path} would replace what the command reads; choose another file")
            check_output(path, kind="picture" if option in pictures else "text")


def _is_own_picture(path: str) -> bool:
    """Whether a file is a picture that a command drew, or empty; plots are known by the library that draws them."""
    from pointlabel.io.files import read_bytes
    from pointlabel.io.seal import state_of_bytes

    data = read_bytes(path)
    return state_of_bytes(data) != "foreign" or b"atplotlib" in data


def _is_read(path: str, inputs: set[str], option: str) -> bool:
    """Whether a file is one of `inputs`, or lies in one of them and is no report."""
    place = os.path.realpath(path)
    if place in inputs:
        return True
    if (
        option == "--json"
        or not os.path.isfile(place)
        or not any(place.startswith(os.path.join(each, "")) for each in inputs)
    ):
        return False
    with open(place, "rb") as file:
        return not file.read(_HEAD_BYTES).lstrip().lower().startswith(b"<!doctype html")


def _given_places(outputs: Mapping[str, str | None]) -> set[str]:
    """Real paths of files and folders that the running command is given, but by the options of `outputs` and OUT."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return set()
    names = [param.name for param in ctx.command.params if not {*outputs, "--out"} & {*param.opts}]
    given = [str(name) for name in names if ctx.get_parameter_source(str(name)) is not ParameterSource.DEFAULT]
    values = [ctx.params.get(name) for name in given]
    words = [word for value in values for word in (value if isinstance(value, tuple) else (value,))]
    return {os.path.realpath(word) for word in words if isinstance(word, str) and os.path.exists(word)}


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
