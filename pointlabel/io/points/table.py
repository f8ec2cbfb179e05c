"""Points as a table: CSV with a header such as ``image,x,y``, see `columns`."""

from __future__ import annotations

import csv
import io
import math
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from ...errors import InputError
from ..messages import Note
from ..text import as_written
from .base import PointRow
from .columns import Columns, find_columns, has_points
from .given import Given
from .named import NamedImage, NamedPoints, PackedImages
from .values import as_polarity, as_tightness, at

#: Offset of a file's coordinates from pixel centres at whole numbers, by the name of its origin.
ORIGINS = {"center": 0.0, "corner": 0.5}
#: A file of such a name is taken as a table where no other reader claims it.
SUFFIXES = (".csv", ".tsv", ".txt")
_SEPARATOR_LINE = re.compile(r'\s*"?sep=([,;\t])"?[ ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
#: How European spreadsheets write numbers, in tables that commas do not separate.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def is_table(given: Given) -> bool:
    """Whether a file has the header of a table of points, or the suffix of one."""
    if given.is_folder:
        return False
    if given.path.lower().endswith(SUFFIXES):
        return True
    if b"\0" in given.head:
        return False
    first = first_line(given.head)
    return has_points(first.split(separator_of(first)))


def first_line(head: bytes) -> str:
    """The first line of a text that is not blank, without Excel's line ``sep=;``."""
    text, _, _ = _without_separator_line(head.decode("utf-8", "replace"))
    return next((line for line in text.splitlines() if line.strip()), "")


def separator_of(line: str) -> str:
    """What separates the cells of a header."""
    return max(",;\t", key=line.count)


def read_table(given: Given, origin: str = "center") -> NamedPoints:
    """Read a table with a row for each point.

    Parameters
    ----------
    given : the file, UTF-8 or UTF-16; commas, semicolons or tabs; any line ends; a first line ``sep=;`` is understood.
    origin : "center" where pixel centres lie at whole numbers, "corner" where x = 0 is the left edge of the image.

    Raises
    ------
    InputError
        Where the header lacks a column, a row cannot be used, or all coordinates are shares of the image's size; the
        message names file, line and value.
    """
    if origin not in ORIGINS:
        raise InputError(f"origin must be one of {', '.join(ORIGINS)}, got {origin!r}")
    path, offset, notes = given.path, ORIGINS[origin], list[Note]()
    images = PackedImages(path)
    place_of: dict[tuple[str, int] | str, int] = {}
    again: dict[int, list[int]] = {}  # where the rows of an image are not all together: its first place -> the others
    n, in_unit, any_fraction, first = 0, True, False, ""
    for (name, frame), group in groupby(_parse(given, offset, notes), key=itemgetter(1, 2)):
        rows = list(group)
        points = tuple(point for *_, point in rows if point is not None)
        place = place_of.setdefault(name if frame is None else (name, frame), len(images))
        if place < len(images):
            again.setdefault(place, []).append(len(images))
        images.append(NamedImage(path, (name,), points, place=f"line {rows[0][0]}", frame=frame))
        n, first = n + len(points), first or (points[0].value if points else "")
        if in_unit:
            places = [(point.column + offset, point.row + offset) for point in points]
            in_unit = all(0 <= x <= 1 and 0 <= y <= 1 for x, y in places)
            any_fraction |= any(x % 1 or y % 1 for x, y in places)
    if again:
        groups = ([images[k] for k in (place, *again.get(place, ()))] for place in place_of.values())
        images = PackedImages(path, map(_joined, groups))
    if n and in_unit and any_fraction:
        raise InputError(
            f"{path}: all {n} points lie in [0, 1], the first at {first}: shares of the image's size, not "
            "pixels; multiply x by the image's width and y by its height, for `origin=corner`"
        )
    return NamedPoints(path, images, names_images=True, notes=notes)


def _joined(images: list[NamedImage]) -> NamedImage:
    """One image whose rows stand in several places of the table."""
    return images[0]._replace(rows=tuple(row for image in images for row in image.rows))


def _parse(given: Given, offset: float, notes: list[Note]) -> Iterator[tuple[int, str, int | None, PointRow | None]]:
    """Yield (line, image name, frame, point) for each row; the point is None where its cells are all empty."""
    path = given.path
    text, skipped, delimiter = _without_separator_line(given.text("the table"))
    if delimiter is None:
        delimiter = separator_of(next((line for line in text.splitlines() if line.strip()), ""))
    # Not `StringIO`, which takes four bytes for each character.
    lines = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass")), "utf-8", "surrogatepass", newline="")
    reader = csv.reader(lines, delimiter=delimiter)
    columns: Columns | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns, width = find_columns(path, cells), len(cells)
                notes += _notes_on(path, cells, columns)
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


def _notes_on(path: str, cells: list[str], columns: Columns) -> Iterator[Note]:
    used = {*columns.at.values(), *columns.places}
    named = ", ".join(cell.strip() for at, cell in enumerate(cells) if at not in used and cell.strip())
    if named:
        yield Note("columns", f"{path}: these columns are left unused: {named}")
    if columns.kind != "point":
        yield Note("boxes", f"{path}: points are the centres of the boxes {', '.join(columns.names)}")


def _without_separator_line(text: str) -> tuple[str, int, str | None]:
    """Take off Excel's first line ``sep=;``: the rest, how many lines went, and the separator or None."""
    found = _SEPARATOR_LINE.match(text)
    return (text[found.end() :], 1, found.group(1)) if found else (text, 0, None)


def _row(
    path: str, line: int, cells: list[str], columns: Columns, offset: float, delimiter: str
) -> tuple[str, int | None, PointRow | None]:
    places = columns.at

    def cell(name: str) -> str:
        return cells[places[name]].strip() if name in places else ""

    frame = _frame(path, line, cell("frame"), delimiter) if "frame" in places else None
    # With frames, an image's name is that of its sequence, unless the two have columns of their own.
    name = as_written(cell("image" if frame is None or "sequence" not in places else "sequence")).replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    if frame is None and not name.strip("/"):
        raise InputError(f"{path}, line {line}: the column image is empty")
    texts = [cells[place].strip() for place in columns.places]
    if not any(texts):
        return name, frame, None
    numbers = [_number(path, line, column, text, delimiter) for column, text in zip(columns.names, texts, strict=True)]
    x, y = numbers[:2]
    if columns.kind == "edges":
        x, y = (x + numbers[2]) / 2, (y + numbers[3]) / 2
    elif columns.kind == "size":  # the box covers the pixels from x to x + w - 1, or the stretch from x to x + w
        x, y = x + numbers[2] / 2 - 0.5 + offset, y + numbers[3] / 2 - 0.5 + offset
    tightness = polarity = None
    if cell("tightness"):
        with at(path, f"line {line}"):
            tightness = as_tightness(_point_for_comma(cell("tightness"), delimiter))
    if cell("polarity"):
        with at(path, f"line {line}"):
            polarity = as_polarity(cell("polarity"))
    label, point_id = sys.intern(as_written(cell("label"))), as_written(cell("id"))
    row = PointRow(y - offset, x - offset, f"line {line}", "", tightness, label, point_id, polarity)
    given = f"({', '.join(columns.names)}) = ({', '.join(texts)})"
    return name, frame, row if given == row.value else row._replace(given=given)  # millions of rows may be held


def _frame(path: str, line: int, text: str, delimiter: str) -> int | None:
    """Number of a frame; None where the cell is empty, which leaves the image its own name."""
    if not text:
        return None
    number = _number(path, line, "frame", text, delimiter)
    if not (number >= 0 and number % 1 == 0):
        raise InputError(f"{path}, line {line}: frame must be a whole number from 0, got {text[:50]!r}")
    return int(number)


def _point_for_comma(text: str, delimiter: str) -> str:
    """A number with its decimal comma replaced, in a table that commas do not separate."""
    return text.replace(",", ".") if delimiter != "," and _DECIMAL_COMMA.fullmatch(text) else text


def _number(path: str, line: int, column: str, text: str, delimiter: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if (value == value and "_" not in text) or text.lower().lstrip("+-") == "nan":
        return value
    if not _DECIMAL_COMMA.fullmatch(text):
        raise InputError(f"{path}, line {line}: {column} must be a number, got {text[:50]!r}")
    if delimiter == ",":
        raise InputError(f"{path}, line {line}: {column} must have a decimal point, got {text[:50]!r}")
    return float(text.replace(",", "."))
