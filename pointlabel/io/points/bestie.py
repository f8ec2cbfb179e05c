"""Points in the text files of BESTIE, one an image: ``center_x center_y category_id confidence`` in pixels."""

from __future__ import annotations

from functools import partial

from ...errors import InputError
from ..text import decode_text
from .base import PointRow
from .folder import FileFolder, Parsed
from .given import Given
from .table import ORIGINS
from .values import at, parse_float
from .yolo import least_numbers

#: Numbers of a row.
_ROW = 4


def is_bestie(given: Given) -> bool:
    """Whether some text file holds rows of four numbers."""
    return any(least_numbers(path) == _ROW for path in given.some(".txt"))


def read_bestie(given: Given, origin: str = "center") -> FileFolder:
    """List the text files of a folder, or one; each is read when its image is.

    Raises
    ------
    InputError
        Where there is no such file.
    """
    files = given.with_suffix(".txt")
    if not files:
        raise InputError(f"{given.path}: there is no text file of BESTIE")
    return FileFolder(given.path, files, partial(parse_bestie, offset=ORIGINS[origin]))


def parse_bestie(path: str, data: bytes, offset: float) -> Parsed:
    """Read the rows of one image; `offset` is that of the coordinates from the centres of pixels."""
    rows = []
    text = decode_text(data, path, "BESTIE's text") if data else ""
    for line, row in enumerate(text.splitlines(), start=1):
        words = row.split()
        if not words:
            continue
        with at(path, f"line {line}"):
            if len(words) != _ROW:
                raise ValueError(f"a row must hold x, y, category and confidence, got {len(words)} values")
            x, y, _, _ = (parse_float(word, "a value") for word in words)
            given = f"(x, y) = ({words[0]}, {words[1]})"
            rows.append(PointRow(y - offset, x - offset, f"line {line}", given, label=words[2]))
    return Parsed(tuple(rows))
