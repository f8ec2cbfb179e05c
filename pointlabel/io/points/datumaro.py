"""Points in the JSON of Datumaro: ``items`` with ``annotations``.

Coordinates are x, y from the corner of the first pixel.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .base import PointRow
from .given import Given
from .labelme import unused_shapes
from .named import NamedImage, NamedPoints
from .values import (
    as_float,
    as_floats,
    as_list,
    as_name,
    as_size,
    as_table,
    at,
    box_center,
    corner_point,
    list_of,
    pairs,
    polygon_center,
    traits,
)


def is_datumaro(given: Given) -> bool:
    """Whether a file is an object with a list ``items`` and the categories of Datumaro."""
    data = given.json if given.is_json else None
    return isinstance(data, dict) and isinstance(data.get("items"), list) and isinstance(data.get("categories"), dict)


def read_datumaro(given: Given, origin: str = "center") -> NamedPoints:
    """Read points that are not absent (visibility above 0), and the centres of other shapes.

    Raises
    ------
    InputError
        Where an item is damaged; it names file, item and value.
    """
    path = given.path
    unused: Counter[str] = Counter()
    with at(path, ""):
        data = as_table(given.json, "JSON of Datumaro")
        items = list_of(data, "items")
        categories = as_table(as_table(data.get("categories"), "categories").get("label"), "label")
        labels = [
            as_name(as_table(item, "a label").get("name"), "name")
            for item in as_list(categories.get("labels"), "labels")
        ]
    images = []
    for k, item in enumerate(items):
        with at(path, f"items[{k}]"):
            item = as_table(item, "an item")
            image = as_table(item.get("image"), "image")
            names = [as_name(item.get("id"), "id"), as_name(image.get("path"), "path")]
            size = as_list(image.get("size"), "size")
            shape = as_size(size[1], size[0]) if len(size) == 2 else None
            annotations = as_list(item.get("annotations"), "annotations")
        rows: list[PointRow] = []
        for n, annotation in enumerate(annotations):
            place = f"items[{k}].annotations[{n}]"
            with at(path, place):
                rows += _rows_of(as_table(annotation, "an annotation"), place, labels, unused)
        found = tuple(name.replace("\\", "/") for name in names if name)
        images.append(NamedImage(path, found, tuple(rows), shape, f"items[{k}]"))
    return NamedPoints(path, images, notes=unused_shapes(path, unused), what="items")


def _rows_of(item: dict[str, Any], place: str, labels: list[str], unused: Counter[str]) -> list[PointRow]:
    kind = as_name(item.get("type"), "type")
    if kind in ("label", "caption"):
        return []
    centers: list[tuple[float, float]]
    if kind == "skeleton":
        elements = [as_table(each, "an element") for each in as_list(item.get("elements"), "elements")]
        return [row for each in elements for row in _rows_of({**item, **each, "type": "points"}, place, labels, unused)]
    if kind == "points":
        corners = pairs(as_floats(item.get("points"), "points"), "points")
        visibility = as_floats(item["visibility"], "visibility", len(corners)) if item.get("visibility") else None
        centers = [(x, y) for k, (x, y) in enumerate(corners) if visibility is None or visibility[k] > 0]
        unused["absent point"] += len(corners) - len(centers)
    elif kind in ("polygon", "ellipse"):
        corners = pairs(as_floats(item.get("points"), "points"), "points")
        if not corners:
            raise ValueError("points must hold at least one point, got []")
        centers = [(box_center if kind == "ellipse" else polygon_center)(corners)]
    elif kind == "bbox":
        x, y, width, height = as_floats(item.get("bbox"), "bbox", 4)
        centers = [(x + width / 2, y + height / 2)]
    else:
        unused[kind] += 1
        return []
    number = item.get("label_id")
    label = labels[number] if isinstance(number, int) and 0 <= number < len(labels) else ""
    tightness, polarity = traits(as_table(item.get("attributes"), "attributes"))
    point_id = "" if item.get("id") is None else f"{as_float(item['id'], 'id'):g}"
    return [
        corner_point(x, y, place, tightness=tightness, label=label, id=point_id, polarity=polarity) for x, y in centers
    ]
