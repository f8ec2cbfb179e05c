"""Points in the files of LabelMe and X-AnyLabeling: JSON with ``shapes``, one file an image.

Coordinates are x, y from the corner of the first pixel; only the box of a ``mask`` counts pixels.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ...errors import InputError
from ..files import read_bytes
from ..images import normal_id, strip_suffix
from ..messages import Note
from ..text import decode_text
from .base import PointRow
from .folder import id_of_file
from .given import Given, decode_points_json
from .named import NamedImage, NamedPoints
from .values import (
    as_corners,
    as_name,
    as_size,
    as_table,
    at,
    box_center,
    corner_point,
    polygon_center,
    traits,
)

#: Shapes that have one centre, by how it is found; those of the kinds ``point`` and ``points`` have one a corner.
_CENTERS = {
    "rectangle": box_center,
    "mask": box_center,
    "polygon": polygon_center,
    "rotation": polygon_center,
    "quadrilateral": polygon_center,
    "circle": lambda corners: (corners[0][0], corners[0][1]),
}


def is_labelme(given: Given) -> bool:
    """Whether a file, or some file of a folder, is LabelMe's."""
    if given.is_folder:
        return any(b'"shapes"' in read_bytes(path, may_be_empty=True) for path in given.some(".json"))
    return given.is_json and isinstance(given.json, dict) and isinstance(given.json.get("shapes"), list)


def read_labelme(given: Given, origin: str = "center") -> NamedPoints:
    """Read the JSON files of a folder, or one; a file that cannot be read is an error of its image.

    An image is the one that ``imagePath`` leads to from its file; where it leads nowhere, the one with the name of the
    file, then the one with the last part of ``imagePath``, each in the sub-folder of the file.
    """
    unused: Counter[str] = Counter()
    if given.is_folder:
        images = [_read(path, given.path, unused) for path in given.with_suffix(".json")]
    else:
        images = [_image_of(given.path, os.path.dirname(given.path), given.json, unused)]
    return NamedPoints(
        os.path.join(given.path, "") if given.is_folder else given.path,
        images,
        notes=unused_shapes(given.path, unused),
        merges=False,
        what="JSON files of LabelMe",
    )


def unused_shapes(path: str, unused: Counter[str]) -> list[Note]:
    """A note where shapes of some kinds were left out."""
    if not unused:
        return []
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(unused.items())[:5])
    return [Note("shapes", f"{path}: marks that are no points are left unused: {kinds}")]


def _read(path: str, root: str, unused: Counter[str]) -> NamedImage:
    try:
        text = decode_text(read_bytes(path), path, "LabelMe's JSON")
        return _image_of(path, root, decode_points_json(text, path), unused)
    except InputError as error:
        return NamedImage(path, (id_of_file(path, root),), error=str(error))


def _image_of(path: str, root: str, data: Any, unused: Counter[str]) -> NamedImage:
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        raise InputError(f"{path}: no file of LabelMe: it has no list shapes")
    with at(path, ""):
        image_path = as_name(data.get("imagePath"), "imagePath").replace("\\", "/")
        shape = as_size(data.get("imageWidth"), data.get("imageHeight"))
    rows: list[PointRow] = []
    for k, item in enumerate(data["shapes"]):
        with at(path, f"shapes[{k}]"):
            rows += _rows_of(item, f"shapes[{k}]", unused)
    return NamedImage(path, _names(path, root, image_path), tuple(rows), shape)


def _names(path: str, root: str, image_path: str) -> tuple[str, ...]:
    own = id_of_file(path, root)
    names = [own]
    if image_path:
        folder = os.path.relpath(os.path.dirname(path) or ".", root or ".").replace(os.sep, "/")
        led_to = os.path.normpath(os.path.join(os.path.abspath(os.path.dirname(path)), image_path))
        last = normal_id(strip_suffix(os.path.normpath(os.path.join(folder, os.path.basename(image_path)))))
        below = normal_id(strip_suffix(os.path.normpath(os.path.join(folder, image_path))))
        names = [led_to, *([] if below.startswith("..") else [below]), own, last]
    return tuple(names)


def _rows_of(item: Any, place: str, unused: Counter[str]) -> Iterable[PointRow]:
    item = as_table(item, "a shape")
    kind = as_name(item.get("shape_type") or "polygon", "shape_type")
    corners = as_corners(item.get("points"))
    if kind in ("point", "points"):
        if kind == "point" and len(corners) > 1:
            raise ValueError(f"points of a point must hold one point, got {len(corners)}")
        centers = corners
    elif kind in _CENTERS:
        x, y = _CENTERS[kind](corners)
        centers = [(x + 0.5, y + 0.5) if kind == "mask" else (x, y)]  # a mask's box counts pixels, both ends included
    else:
        unused[kind] += 1
        return []
    label = as_name(item.get("label"), "label")
    point_id = as_name(item.get("group_id"), "group_id")
    tightness, polarity = traits(as_table(item.get("attributes"), "attributes"))
    return [
        corner_point(x, y, place, tightness=tightness, label=label, id=point_id, polarity=polarity) for x, y in centers
    ]
