"""Points in the JSON and JSON_MIN that Label Studio exports.

Coordinates are shares of the image's size in percent, from the corner of the first pixel. They refer to the image as it
is stored: a page that turns it (``image_rotation``) turns the marks with it, and neither they nor ``original_width``
and ``original_height`` change. Only the ``rotation`` of a box, about its upper left corner, moves its centre.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ...errors import InputError
from ..walk import IMAGE_SUFFIXES
from .base import PointRow
from .given import Given
from .labelme import unused_shapes
from .named import NamedImage, NamedPoints
from .values import as_corners, as_float, as_list, as_name, as_size, as_table, at, bare_name, polygon_center, traits

#: Kinds of results that have a place, by the key of their labels.
_LABELS = ("keypointlabels", "rectanglelabels", "ellipselabels", "polygonlabels")
#: The same without labels, where the labels are results of their own.
_KINDS = tuple(name.removesuffix("labels") for name in _LABELS)


def is_label_studio(given: Given) -> bool:
    """Whether a file is a list of tasks of Label Studio."""
    if not given.is_json or not isinstance(given.json, list) or not given.json:
        return False
    some = [task for task in given.json[:100] if isinstance(task, dict)]
    return any(isinstance(task.get("data"), dict) or _is_min(task) for task in some)


def _is_min(task: dict[str, Any]) -> bool:
    """Whether a task is one of JSON_MIN: its results in lists under names of their own."""
    return any(isinstance(item, dict) and "original_width" in item for item in _items(task)) or "annotation_id" in task


def _items(task: dict[str, Any]) -> Iterator[Any]:
    for value in task.values():
        if isinstance(value, list):
            yield from value


def read_label_studio(given: Given, origin: str = "center") -> NamedPoints:
    """Read the tasks; annotations that were cancelled do not count, nor do predictions and tasks without annotation.

    Where a task has several annotations, those marked as ground truth count, else all of them.

    An image is found by its whole path, then by the last part of it without what an upload put in front.

    Raises
    ------
    InputError
        Where the file is no list of tasks, no task has an annotation, or a result is damaged; it names file, task and
        value.
    """
    unused: Counter[str] = Counter()
    images: list[NamedImage] = []
    with at(given.path, ""):
        tasks = as_list(given.json, "JSON of Label Studio")
    for k, task in enumerate(tasks):
        with at(given.path, f"task [{k}]"):
            images += _images_of(given.path, as_table(task, "a task"), k, unused)
    if tasks and not images:
        raise InputError(
            f"{given.path}: none of its {len(tasks)} tasks has an annotation, and predictions are no points; accept "
            "them there first, or take the clicks that they were made from"
        )
    return NamedPoints(given.path, images, notes=unused_shapes(given.path, unused), by_end=True)


def _images_of(path: str, task: dict[str, Any], k: int, unused: Counter[str]) -> Iterator[NamedImage]:
    place = f"task [{k}]"
    data = as_table(task.get("data"), "data") if "data" in task else task
    names = _names_of(data)
    if not names:
        raise ValueError(f"it names no image: data holds {', '.join(map(str, data))[:80] or 'nothing'}")
    if "data" in task:
        annotations = _annotations_of(task)
        results = [as_table(each, "a result") for item in annotations for each in as_list(item.get("result"), "result")]
    else:
        annotations = [task] if "annotation_id" in task or any(True for _ in _items(task)) else []
        results = [_as_result(item) for item in _items(task)]
    if not annotations:
        return  # nobody has looked at the image yet; it is not one without targets
    rows: list[PointRow] = []
    shapes = set()
    for result in results:
        value = as_table(result.get("value"), "value")
        centre = _centre_of(result, value, unused)
        if centre is None:
            continue
        shapes.add(as_size(result.get("original_width"), result.get("original_height")))
        rows.append(_row(result, value, centre, place))
    # Shares need no size; where all results agree on one, the image can be checked against it.
    shape = shapes.pop() if len(shapes) == 1 else None
    if shape is not None:
        height, width = shape
        rows = [
            row._replace(row=(row.row + 0.5) * height - 0.5, column=(row.column + 0.5) * width - 0.5) for row in rows
        ]
    yield NamedImage(path, names, tuple(rows), shape, place, in_shares=shape is None)


def _annotations_of(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The annotations of a task that were not cancelled; where some are its ground truth, those alone."""
    found = as_list(task.get("annotations", task.get("completions")), "annotations")
    kept = [item for item in (as_table(each, "an annotation") for each in found) if not item.get("was_cancelled")]
    return [item for item in kept if item.get("ground_truth")] or kept


def _as_result(item: Any) -> dict[str, Any]:
    """An entry of JSON_MIN as a result; what is no table is none."""
    return {**item, "value": item} if isinstance(item, dict) else {}


def _centre_of(result: dict[str, Any], value: dict[str, Any], unused: Counter[str]) -> tuple[float, float] | None:
    """Centre in percent; None for results without a place, which are counted where they mark one."""
    kind = next((name for name in _LABELS if name in value), "") or as_name(result.get("type"), "type")
    kind = kind.removesuffix("labels") if kind else ("rectangle" if "rotation" in value else "")
    if kind == "polygon":
        return polygon_center(as_corners(value.get("points")))
    if kind not in _KINDS:
        if kind and ("x" in value or kind == "brush"):
            unused[kind] += 1
        return None
    x, y = as_float(value.get("x"), "x"), as_float(value.get("y"), "y")
    if kind != "rectangle":  # an ellipse has x and y at its centre
        return x, y
    half_width, half_height = as_float(value.get("width"), "width") / 2, as_float(value.get("height"), "height") / 2
    angle = math.radians(as_float(value.get("rotation") or 0, "rotation"))
    shape = as_size(result.get("original_width"), result.get("original_height"))
    if angle and shape is not None:  # in pixels, where the sides are at right angles
        aspect = shape[1] / shape[0]
        across = half_width * math.cos(angle) - half_height / aspect * math.sin(angle)
        down = half_width * aspect * math.sin(angle) + half_height * math.cos(angle)
        return x + across, y + down
    return x + half_width, y + half_height


def _row(result: dict[str, Any], value: dict[str, Any], centre: tuple[float, float], place: str) -> PointRow:
    x, y = centre
    labels: Any = next((value[name] for name in _LABELS if value.get(name)), [])
    label = as_name(as_list(labels, "labels")[0], "label") if labels else ""
    tightness, polarity = traits(as_table(result.get("meta"), "meta"))
    point_id = as_name(result.get("id"), "id")
    given = f"(x, y) = ({x:g}%, {y:g}%)"
    return PointRow(y / 100 - 0.5, x / 100 - 0.5, place, given, tightness, label, point_id, polarity)


def _names_of(data: dict[str, Any]) -> tuple[str, ...]:
    """Paths that a task's image may have: the one under ``image``, or under the first key that names one."""
    texts = [data.get("image"), data.get("img"), *data.values()]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            continue
        names = paths_in(text.strip())
        if text is data.get("image") or names[0].lower().endswith(IMAGE_SUFFIXES):
            return names
    return ()


def paths_in(text: str) -> tuple[str, ...]:
    """Paths that an image may have by the address in a task: as it is, and without what an upload put in front."""
    try:
        parts = urlsplit(text)
        local = parse_qs(parts.query).get("d", [""])[0]
    except ValueError:  # brackets that are no address
        parts, local = None, ""
    path = local or unquote(parts.path if parts is not None and parts.scheme and parts.netloc else text)
    path = path.replace("\\", "/").lstrip("/") if parts is not None and parts.netloc else path.replace("\\", "/")
    folder, name = os.path.split(path.partition("?")[0] if not local else path)
    bare = bare_name(name)
    return tuple(dict.fromkeys((os.path.join(folder, name), os.path.join(folder, bare), bare)))
