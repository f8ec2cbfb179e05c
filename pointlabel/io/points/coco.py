"""Points in the JSON of COCO: keypoints, else the centres of boxes.

Coordinates are x, y from the corner of the first pixel.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ...errors import InputError, shown
from .base import PointRow
from .given import Given
from .labelme import unused_shapes
from .named import NamedImage, NamedPoints
from .values import as_floats, as_list, as_name, as_size, as_table, at, corner_point, list_of, pairs, traits


def is_coco(given: Given) -> bool:
    """Whether a file is an object with the lists ``images`` and ``annotations``."""
    return given.is_json and isinstance(given.json, dict) and {"images", "annotations"} <= given.json.keys()


def read_coco(given: Given, origin: str = "center") -> NamedPoints:
    """Read keypoints with a visibility above 0; the centre of the box of an annotation that has no keypoints.

    Raises
    ------
    InputError
        Where an image or an annotation is damaged; it names file, place and value.
    """
    path = given.path
    unused: Counter[str] = Counter()
    with at(path, ""):
        data = as_table(given.json, "JSON of COCO")
        images, annotations = list_of(data, "images"), list_of(data, "annotations")
        labels = _labels(as_list(data.get("categories"), "categories"))
    rows: dict[Any, list[PointRow]] = {}
    about: dict[Any, tuple[str, tuple[int, int] | None]] = {}
    for k, image in enumerate(images):
        with at(path, f"images[{k}]"):
            image = as_table(image, "an image")
            key = _key(image.get("id"), "id")
            if key in about:
                raise InputError(f"{path}, images[{k}]: the id {key} is there twice")
            name = as_name(image.get("file_name"), "file_name").replace("\\", "/")
            about[key] = (name, as_size(image.get("width"), image.get("height")))
            rows[key] = []
    for k, annotation in enumerate(annotations):
        with at(path, f"annotations[{k}]"):
            annotation = as_table(annotation, "an annotation")
            key = _key(annotation.get("image_id"), "image_id")
            if key not in rows:
                raise ValueError(f"image_id must be the id of an image, got {shown(key)}")
            rows[key] += _rows_of(annotation, f"annotations[{k}]", labels, unused)
    named = [NamedImage(path, (name,), tuple(rows[key]), shape, f"image {key}") for key, (name, shape) in about.items()]
    return NamedPoints(path, named, notes=unused_shapes(path, unused))


def _rows_of(item: dict[str, Any], place: str, labels: dict[Any, str], unused: Counter[str]) -> list[PointRow]:
    if item.get("iscrowd"):
        unused["crowd"] += 1
        return []
    tightness, polarity = traits(as_table(item.get("attributes"), "attributes"))
    category = item.get("category_id")
    label = labels.get(category, "") if isinstance(category, int | str) else ""
    named = {"label": label, "id": as_name(item.get("id"), "id"), "tightness": tightness, "polarity": polarity}
    if item.get("keypoints"):
        groups = pairs(as_floats(item["keypoints"], "keypoints"), "keypoints", 3)
        seen = [(x, y) for x, y, visibility in groups if visibility > 0]
        unused["invisible keypoint"] += len(groups) - len(seen)
        return [corner_point(x, y, place, **named) for x, y in seen]
    if not item.get("bbox"):
        unused["annotation without keypoints and box"] += 1
        return []
    x, y, width, height = as_floats(item["bbox"], "bbox", 4)
    return [corner_point(x + width / 2, y + height / 2, place, **named)]


def _labels(categories: list[Any]) -> dict[Any, str]:
    out = {}
    for item in categories:
        item = as_table(item, "a category")
        out[_key(item.get("id"), "id of a category")] = as_name(item.get("name"), "name")
    return out


def _key(value: Any, name: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{name} must be a number or text, got {shown(value)}")
    return value
