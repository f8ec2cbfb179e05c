"""Points layers of napari: CSV with ``index,axis-0,axis-1``, one file an image, under the name of the image.

The axes are y and x, with the centres of pixels at whole numbers; of three axes the first is the frame.
"""

from __future__ import annotations

import csv
import io
import os
import re

from ...errors import InputError
from ..files import read_bytes
from ..text import decode_text
from .base import PointRow
from .folder import id_of_file
from .given import Given, head_of
from .named import NamedImage, NamedPoints
from .values import as_polarity, as_tightness, at, parse_float

_HEADER = re.compile(rb"(\xef\xbb\xbf)?\s*\"?index\"?,\s*\"?axis-0\"?,\s*\"?axis-1\"?", re.IGNORECASE)


def is_napari(given: Given) -> bool:
    """Whether a file, or some CSV file of a folder, has the header of napari."""
    if not given.is_folder:
        return _HEADER.match(given.head) is not None
    return any(_HEADER.match(head_of(path)) for path in given.some(".csv"))


def read_napari(given: Given, origin: str = "center") -> NamedPoints:
    """Read the CSV files of a folder, or one; one file, for one image, belongs to it whatever their names.

    Raises
    ------
    InputError
        Where a row is damaged; it names file, line and value.
    """
    images = []
    if given.is_folder:
        for path in given.with_suffix(".csv"):
            if _HEADER.match(head_of(path)):
                text = decode_text(read_bytes(path), path, "napari's CSV")
                images += _read(path, text, id_of_file(path, given.path))
    else:
        images = _read(given.path, given.text("napari's CSV"), given.stem)
    return NamedPoints(
        os.path.join(given.path, "") if given.is_folder else given.path,
        images,
        merges=False,
        is_single=not given.is_folder,
        what="files of napari",
    )


def _read(path: str, text: str, name: str) -> list[NamedImage]:
    reader = csv.reader(io.StringIO(text, newline=""))
    frames: dict[int | None, list[PointRow]] = {}
    names: list[str] = []
    n_axes = 2
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip().lower() for cell in cells]
                n_axes = sum(cell.startswith("axis-") for cell in names)
                if n_axes not in (2, 3):
                    raise InputError(f"{path}: points must have 2 axes, or 3 with frames, got {n_axes}")
                continue
            place = f"line {reader.line_num}"
            with at(path, place):
                if len(cells) != len(names):
                    raise ValueError(f"{len(cells)} values, but the header names {len(names)}")
                frame, row = _row(dict(zip(names, cells, strict=True)), n_axes, place)
                frames.setdefault(frame, []).append(row)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not a row of a table ({error})") from error
    if n_axes == 3:
        return [NamedImage(path, (name,), tuple(rows), frame=frame) for frame, rows in frames.items()]
    return [NamedImage(path, (name,), tuple(frames.get(None, ())))]


def _row(cells: dict[str, str], n_axes: int, place: str) -> tuple[int | None, PointRow]:
    values = [parse_float(cells.get(f"axis-{k}"), f"axis-{k}") for k in range(n_axes)]
    frame = None
    if n_axes == 3:
        if not (values[0] >= 0 and values[0] < 1e9):
            raise ValueError(f"axis-0 must be the number of a frame, got {values[0]:g}")
        frame = round(values[0])
    y, x = values[-2:]
    tightness, polarity = cells.get("tightness", "").strip(), cells.get("polarity", "").strip()
    row = PointRow(
        y,
        x,
        place,
        f"(y, x) = ({y:g}, {x:g})",
        as_tightness(tightness) if tightness else None,
        cells.get("label", ""),
        "",
        as_polarity(polarity) if polarity else None,
    )
    return frame, row
