"""Points as a table: CSV with a header ``image,x,y`` and optionally ``label,id,tightness``."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...errors import InputError
from ..images import normal_id, strip_suffix
from ..messages import Note
from ..text import read_text
from .base import Bound, PointEntry, PointRow, PointSet
from .names import NameFinder

REQUIRED = ("image", "x", "y")
OPTIONAL = ("label", "id", "tightness")
#: Offset of a file's coordinates from pixel centres at whole numbers, by the name of its origin.
ORIGINS = {"center": 0.0, "corner": 0.5}
_SEPARATOR_LINE = re.compile(r'\s*"?sep=([,;\t])"?[ ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
#: How European spreadsheets write numbers, in tables that commas do not separate.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


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
    path : the file, UTF-8 or UTF-16; commas, semicolons or tabs; any line ends; a first line ``sep=;`` is understood.
    origin : "center" where pixel centres lie at whole numbers, "corner" where x = 0 is the left edge of the image.

    Raises
    ------
    InputError
        Where the header lacks a column, a row cannot be used, or all coordinates are shares of the image's size; the
        message names file, line and value.
    """

    names_images = True
    what = "names"

    def __init__(self, path: str, origin: str = "center") -> None:
        if origin not in ORIGINS:
            raise InputError(f"origin must be one of {', '.join(ORIGINS)}, got {origin!r}")
        self._path = path
        self._rows: dict[str, list[PointRow]] = {}
        self._lines: dict[str, int] = {}
        self.has_tightness = False
        self.notes: tuple[Note, ...] = ()
        offset = ORIGINS[origin]
        n, in_unit, any_fraction = 0, True, False
        for line, name, point in self._parse(offset):
            rows = self._rows.get(name)
            if rows is None:
                rows = self._rows[name] = []
                self._lines[name] = line
            if point is not None:
                rows.append(point)
                self.has_tightness |= point.tightness is not None
                if in_unit:
                    n += 1
                    x, y = point.column + offset, point.row + offset
                    in_unit = 0 <= x <= 1 and 0 <= y <= 1
                    any_fraction |= bool(x % 1 or y % 1)
        if n and in_unit and any_fraction:
            first = next(rows[0] for rows in self._rows.values() if rows)
            raise InputError(
                f"{path}: all {n} points lie in [0, 1], the first at {first.given}: shares of the image's size, not "
                "pixels; multiply x by the image's width and y by its height, for `origin=corner`"
            )

    def bind(self, ids: Collection[str], root: str | None = None) -> Bound:
        """Match the names of the column ``image`` with image ids.

        A name is the path of an image below `root`, with or without suffix. Where it is none, it may be a path that
        leads to one: from the root of the file system, from the current folder, from the folder of the table, or from
        a folder around `root`.
        """
        merged: dict[str, list[PointRow]] = {}
        unknown = []
        finder = NameFinder(self._path, ids, root)
        for name, rows in self._rows.items():
            found = finder.id_of(name)
            if found is not None:
                merged.setdefault(found, []).extend(rows)
                continue
            shown = name.lstrip("/")
            if ".." in shown.split("/"):
                raise InputError(f"{self._path}, line {self._lines[name]}: {name} leads to no image of the run")
            sentence = f"{self._path}, line {self._lines[name]}: there is no image {name}"
            unknown.append((normal_id(strip_suffix(shown)), sentence))
        entries: dict[str, PointEntry] = {key: TableEntry(self._path, tuple(rows)) for key, rows in merged.items()}
        return Bound(entries, unknown)

    def _parse(self, offset: float) -> Iterator[tuple[int, str, PointRow | None]]:
        """Yield (line, image name, point) for each row; the point is None where x and y are both empty."""
        path = self._path
        text, skipped, delimiter = _without_separator_line(read_text(path, "the table"))
        if delimiter is None:
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
                    others = [cell.strip() for at, cell in enumerate(cells) if at not in columns.values()]
                    named = ", ".join(cell for cell in others if cell)
                    if named:
                        self.notes = (Note("columns", f"{path}: these columns are left unused: {named}"),)
                    continue
                line = reader.line_num + skipped
                if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                    raise InputError(f"{path}, line {line}: {len(cells)} values, but the header names {width}")
                if len(cells) < width:
                    cells += [""] * (width - len(cells))
                yield line, *_row(path, line, cells, columns, offset, delimiter)
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num + skipped}: not a row of a table ({error})") from error
        if columns is None:
            raise InputError(f"{path}: the table is empty; its first line must name image, x and y")


def _without_separator_line(text: str) -> tuple[str, int, str | None]:
    """Take off Excel's first line ``sep=;``: the rest, how many lines went, and the separator or None."""
    found = _SEPARATOR_LINE.match(text)
    return (text[found.end() :], 1, found.group(1)) if found else (text, 0, None)


def _header(path: str, cells: list[str]) -> dict[str, int]:
    names = [" ".join(cell.split()).lower() for cell in cells]
    for name in REQUIRED:
        if name not in names:
            raise InputError(f"{path}: the header must name {', '.join(REQUIRED)}, got {', '.join(names)[:200]}")
    for name in REQUIRED + OPTIONAL:
        if names.count(name) > 1:
            raise InputError(f"{path}: the header names the column {name} twice")
    return {name: names.index(name) for name in REQUIRED + OPTIONAL if name in names}


def _row(
    path: str, line: int, cells: list[str], columns: dict[str, int], offset: float, delimiter: str
) -> tuple[str, PointRow | None]:
    def cell(name: str) -> str:
        return cells[columns[name]].strip() if name in columns else ""

    name = cell("image").replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    if not name.strip("/"):
        raise InputError(f"{path}, line {line}: the column image is empty")
    x_text, y_text, tightness_text = cell("x"), cell("y"), cell("tightness")
    if not x_text and not y_text:
        return name, None
    x, y = _number(path, line, "x", x_text, delimiter), _number(path, line, "y", y_text, delimiter)
    tightness = None
    if tightness_text:
        tightness = _number(path, line, "tightness", tightness_text, delimiter)
        if not 0 <= tightness <= 1:
            raise InputError(f"{path}, line {line}: tightness must lie in [0, 1], got {tightness_text}")
    given = f"(x, y) = ({x_text}, {y_text})"
    label, point_id = sys.intern(cell("label")), cell("id")
    return name, PointRow(y - offset, x - offset, f"line {line}", given, tightness, label, point_id)


def _number(path: str, line: int, column: str, text: str, delimiter: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if (value == value and "_" not in text) or (text.lower().lstrip("+-") == "nan" and column != "tightness"):
        return value
    if not _DECIMAL_COMMA.fullmatch(text):
        raise InputError(f"{path}, line {line}: {column} must be a number, got {text[:50]!r}")
    if delimiter == ",":
        raise InputError(f"{path}, line {line}: {column} must have a decimal point, got {text[:50]!r}")
    return float(text.replace(",", "."))
