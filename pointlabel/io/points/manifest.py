"""Points of an earlier run: ``manifest.jsonl``, in which each line names an image with its targets."""

from __future__ import annotations

from typing import Any

from ...errors import InputError, shown
from ..messages import Note
from ..text import decode_json
from .base import PointRow
from .given import Given
from .named import NamedImage, NamedPoints
from .values import as_float, as_list, as_name, as_size, as_table, at, traits


def is_manifest(given: Given) -> bool:
    """Whether the first line of a file is a record of a manifest."""
    first = given.head.lstrip().split(b"\n", 1)[0]
    return first.startswith(b"{") and b'"status"' in first and b'"id"' in first


def read_manifest_points(given: Given, origin: str = "center") -> NamedPoints:
    """Read the targets of each image that was done, with the centres of pixels at whole numbers.

    The last line of an image counts. Lines of images that failed are left out; so is a last line that a killed run
    left torn, with a note.

    Raises
    ------
    InputError
        Where a line is damaged; it names file, line and value.
    """
    path = given.path
    images: dict[str, NamedImage] = {}
    notes = []
    lines = given.text("the manifest").split("\n")
    for k, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = decode_json(line)
        except ValueError as error:
            if k == len(lines):  # every whole line has its end
                notes.append(Note("manifest", f"{path}: the last line is torn and left out"))
                continue
            raise InputError(f"{path}, line {k}: not JSON that can be read ({error})") from error
        with at(path, f"line {k}"):
            _add(path, as_table(record, "a record"), f"line {k}", images)
    return NamedPoints(path, images.values(), notes=notes, what="records")


def _add(path: str, record: dict[str, Any], place: str, images: dict[str, NamedImage]) -> None:
    image_id = as_name(record.get("id"), "id")
    images.pop(image_id, None)
    if record.get("status") not in ("ok", "error"):
        raise ValueError(f"status must be ok or error, got {shown(record.get('status'))}")
    if record["status"] == "error":
        return
    rows = [_row(as_table(target, "a target"), place) for target in as_list(record.get("targets"), "targets")]
    names = dict.fromkeys((as_name(record.get("image"), "image") or image_id, image_id))
    shape = as_size(record.get("width"), record.get("height"))
    images[image_id] = NamedImage(path, tuple(names), tuple(rows), shape, place)


def _row(target: dict[str, Any], place: str) -> PointRow:
    x, y = as_float(target.get("x"), "x"), as_float(target.get("y"), "y")
    tightness, polarity = traits(target)
    label, point_id = as_name(target.get("label"), "label"), as_name(target.get("id"), "id")
    return PointRow(y, x, place, f"(x, y) = ({x:g}, {y:g})", tightness, label, point_id, polarity)
