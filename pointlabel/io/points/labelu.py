"""Points in the JSON that LabelU exports: a list of samples, each with its ``result`` as JSON in a text.

Coordinates are x, y from the corner of the first pixel.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..text import decode_json
from .base import PointRow
from .given import Given
from .labelme import unused_shapes
from .named import NamedImage, NamedPoints
from .values import as_float, as_list, as_name, as_size, as_table, at, bare_name, corner_point, polygon_center, traits


def is_labelu(given: Given) -> bool:
    """Whether a file is a list of samples with a ``result`` and a ``fileName``."""
    if not given.is_json or not isinstance(given.json, list):
        return False
    return any(isinstance(each, dict) and "result" in each and _has_name(each) for each in given.json[:100])


def _has_name(sample: dict[str, Any]) -> bool:
    return "fileName" in sample or "url" in sample


def read_labelu(given: Given, origin: str = "center") -> NamedPoints:
    """Read the points that are visible, and the centres of boxes and polygons.

    Raises
    ------
    InputError
        Where a sample is damaged; it names file, sample and value.
    """
    path = given.path
    unused: Counter[str] = Counter()
    images = []
    with at(path, ""):
        samples = as_list(given.json, "JSON of LabelU")
    for k, sample in enumerate(samples):
        with at(path, f"sample [{k}]"):
            images.append(_image_of(path, as_table(sample, "a sample"), f"sample [{k}]", unused))
    return NamedPoints(path, images, notes=unused_shapes(path, unused), by_end=True)


def _image_of(path: str, sample: dict[str, Any], place: str, unused: Counter[str]) -> NamedImage:
    result = sample.get("result")
    if isinstance(result, str):
        try:
            result = decode_json(result) if result.strip() else None
        except ValueError as error:
            raise ValueError(f"result is not JSON that can be read ({error})") from error
    table = as_table(result, "result")
    tools = as_list(table.get("annotations"), "annotations")
    tools += [value for key, value in table.items() if key.endswith("Tool")]  # as older versions have them
    rows: list[PointRow] = []
    for tool in tools:
        tool = as_table(tool, "a tool")
        kind = as_name(tool.get("toolName"), "toolName")
        for item in as_list(tool.get("result"), "result"):
            rows += _rows_of(as_table(item, "an entry"), kind, place, unused)
    named = as_name(sample.get("fileName") or sample.get("url"), "fileName").replace("\\", "/")
    folder, slash, name = named.rpartition("/")
    names = dict.fromkeys((named, folder + slash + bare_name(name)))
    return NamedImage(path, tuple(names), tuple(rows), as_size(table.get("width"), table.get("height")), place)


def _rows_of(item: dict[str, Any], kind: str, place: str, unused: Counter[str]) -> list[PointRow]:
    if item.get("visible") is False:
        unused["invisible mark"] += 1
        return []
    if kind in ("pointTool", "rectTool"):
        x, y = as_float(item.get("x"), "x"), as_float(item.get("y"), "y")
        if kind == "rectTool":
            x, y = x + as_float(item.get("width"), "width") / 2, y + as_float(item.get("height"), "height") / 2
    elif kind == "polygonTool":
        corners = [as_table(each, "a point") for each in as_list(item.get("points"), "points")]
        if not corners:
            raise ValueError("points must hold at least one point, got []")
        x, y = polygon_center([(as_float(each.get("x"), "x"), as_float(each.get("y"), "y")) for each in corners])
    else:
        if kind not in ("tagTool", "textTool"):
            unused[kind or "mark without a tool"] += 1
        return []
    tightness, polarity = traits(as_table(item.get("attributes"), "attributes"))
    label, point_id = as_name(item.get("label"), "label"), as_name(item.get("id"), "id")
    return [corner_point(x, y, place, tightness=tightness, label=label, id=point_id, polarity=polarity)]
