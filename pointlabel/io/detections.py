"""The table of detections that ``pointlabel predict`` writes."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import InputError
from .text import as_written, encode_text, harmless, read_text

TABLE = "detections.csv"


class Detection(NamedTuple):
    """One row: centroid, box and area in pixels, the largest and the mean probability in the detection."""

    x: float
    y: float
    left: float
    top: float
    width: float
    height: float
    area: float
    peak: float
    mean_score: float


COLUMNS = ("image", *Detection._fields)


def encode_detections(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The table of rows with the keys `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "image": harmless(row["image"])} for row in rows)
    return encode_text(text.getvalue())


def read_detections(path: str | os.PathLike[str]) -> dict[str, list[Detection]]:
    """Read a table of detections: image id -> its detections in the order of the table.

    Raises
    ------
    InputError
        Where a column is missing, or a cell is no finite number, a box has no extent, or a score lies outside [0, 1].
    """
    name = os.fspath(path)
    table = csv.DictReader(io.StringIO(read_text(name, "detections", "surrogateescape"), newline=""), strict=True)
    out: dict[str, list[Detection]] = defaultdict(list)
    try:
        missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
        if missing:
            raise InputError(
                f"{name}: the first line must name the columns {', '.join(COLUMNS)}; {missing[0]} is missing"
            )
        for row in table:
            where = f"{name}, line {table.line_num}"
            found = Detection(*(_number(row[column], column, where) for column in Detection._fields))
            if not (found.width > 0 and found.height > 0):
                raise InputError(
                    f"{where}: width and height must be positive, got {found.width:g} and {found.height:g}"
                )
            if not (0 <= found.peak <= 1 and 0 <= found.mean_score <= 1):
                got = f"{found.peak:g} and {found.mean_score:g}"
                raise InputError(f"{where}: peak and mean_score must lie in [0, 1], got {got}")
            out[as_written(row["image"] or "")].append(found)
    except csv.Error as error:
        raise InputError(f"{name}, line {table.line_num}: no CSV ({error})") from error
    return dict(out)


def _number(cell: str | None, column: str, where: str) -> float:
    try:
        value = float(cell or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column} must be a finite number, got {cell!r}")
    return value
