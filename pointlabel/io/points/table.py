"""Points as a table: CSV with a header ``image,x,y`` and, where wanted, ``label,id,tightness``."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...errors import InputError
from ..files import read_bytes
from ..images import strip_suffix
from .base import Bound, PointEntry, PointRow, PointSet

REQUIRED = ("image", "x", "y")
OPTIONAL = ("label", "id", "tightness")
#: Offset of a file's coordinates from pixel centres at whole numbers, by the name of its origin.
ORIGINS = {"center": 0.0, "corner": 0.5}


@dataclass(frozen=True, slots=True)
class TableEntry:
    """The rows of one image."""

    file: str
    rows: tuple[PointRow, ...]

    def load(self) -> PointSet:
        """Hash the rows. Their places in the file do not count, so other images' rows may come and go."""
        text = repr([(row.row, row.column, row.tightness, row.label, row.id) for row in self.rows])
        return PointSet(self.file, self.rows, None, hashlib.sha256(text.encode()).hexdigest())


class PointTable:
    """A CSV file with a row for each point.

    Parameters
    ----------
    path : the file, UTF-8 with or without byte order mark; commas, semicolons or tabs; any line ends.
    origin : "center" where pixel centres lie at whole numbers, "corner" where x = 0 is the left edge of the image.

    Raises
    ------
    InputError
        Where the header lacks a column or a row cannot be used; the message names file, line and value.
    """

    names_images = True

    def __init__(self, path: str, origin: str = "center") -> None:
        if origin not in ORIGINS:
            raise InputError(f"origin must be one of {', '.join(ORIGINS)}, got {origin!r}")
        self._path = path
        self._rows: dict[str, list[PointRow]] = {}
        self._lines: dict[str, int] = {}
        self.has_tightness = False
        for line, name, point in _parse(path, ORIGINS[origin]):
            self._lines.setdefault(name, line)
            rows = self._rows.setdefault(name, [])
            if point is not None:
                rows.append(point)
                self.has_tightness |= point.tightness is not None

    def bind(self, ids: Collection[str]) -> Bound:
        """Match the names of the column ``image``, with or without suffix, with image ids."""
        merged: dict[str, list[PointRow]] = {}
        unknown = []
        for name, rows in self._rows.items():
            found = name if name in ids else strip_suffix(name)
            if found in ids:
                merged.setdefault(found, []).extend(rows)
            else:
                sentence = f"{self._path}, line {self._lines[name]}: there is no image {name}"
                unknown.append((found, sentence))
        entries: dict[str, PointEntry] = {key: TableEntry(self._path, tuple(rows)) for key, rows in merged.items()}
        return Bound(entries, unknown)


def _parse(path: str, offset: float) -> Iterator[tuple[int, str, PointRow | None]]:
    """Yield (line, image name, point) for each row; the point is None where x and y are both empty."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the table must be UTF-8, got byte {error.object[error.start]:#04x}") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns: dict[str, int] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns, width = _header(path, cells), len(cells)
                continue
            if any(cell.strip() for cell in cells[width:]):
                raise InputError(f"{path}, line {reader.line_num}: {len(cells)} values, but the header names {width}")
            values = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
            yield reader.line_num, *_row(f"{path}, line {reader.line_num}", reader.line_num, values, offset)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not a row of a table ({error})") from error
    if columns is None:
        raise InputError(f"{path}: the table is empty; its first line must name image, x and y")


def _header(path: str, cells: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in cells]
    for name in REQUIRED:
        if name not in names:
            raise InputError(f"{path}: the header must name {', '.join(REQUIRED)}, got {', '.join(names)}")
    for name in REQUIRED + OPTIONAL:
        if names.count(name) > 1:
            raise InputError(f"{path}: the header names the column {name} twice")
    return {name: names.index(name) for name in REQUIRED + OPTIONAL if name in names}


def _row(where: str, line: int, values: dict[str, str], offset: float) -> tuple[str, PointRow | None]:
    name = values["image"].replace("\\", "/").removeprefix("./").lstrip("/")
    if not name:
        raise InputError(f"{where}: the column image is empty")
    x_text, y_text = values["x"], values["y"]
    if not x_text and not y_text:
        return name, None
    x, y = _number(where, "x", x_text), _number(where, "y", y_text)
    tightness = None
    if values.get("tightness"):
        tightness = _number(where, "tightness", values["tightness"])
        if not 0 <= tightness <= 1:
            raise InputError(f"{where}: tightness must lie in [0, 1], got {values['tightness']}")
    given = f"(x, y) = ({x_text}, {y_text})"
    label, point_id = values.get("label", ""), values.get("id", "")
    return name, PointRow(y - offset, x - offset, f"line {line}", given, tightness, label, point_id)


def _number(where: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {column} must be a number, got {text!r}") from None
    if "_" in text or (column == "tightness" and math.isnan(value)):
        raise InputError(f"{where}: {column} must be a number, got {text!r}")
    return value
