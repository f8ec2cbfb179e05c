"""Points in CVAT's XML, for images and for video: read as a stream, so that memory follows the points.

Coordinates are x, y from the corner of the first pixel. One ``<points>`` may hold many targets.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from xml.etree.ElementTree import Element

from ..files import open_regular
from ..xml_files import xml_errors
from .base import PointRow
from .given import Given
from .labelme import unused_shapes
from .named import NamedImage, NamedPoints
from .values import as_size, at, corner_point, parse_float, polygon_center, traits

_ROOT = re.compile(rb"<annotations[\s>]")
#: Elements of an image or a track that are no marks.
_NO_MARKS = {"attribute", "tag"}


def is_cvat(given: Given) -> bool:
    """Whether a file is XML whose outermost element is ``annotations``."""
    return given.head.lstrip()[:1] == b"<" and _ROOT.search(given.head) is not None


def read_cvat(given: Given, origin: str = "center") -> NamedPoints:
    """Read a file of CVAT for images, or for video: frames of a video go by `FrameFinder`.

    Raises
    ------
    InputError
        Where it is no XML, has a document type, or a mark is damaged.
    """
    path = given.path
    unused: Counter[str] = Counter()
    images: list[NamedImage] = []
    frames: dict[int, list[PointRow]] = {}
    task: dict[str, str] = {}
    shape: tuple[int, int] | None = None
    depth = 0
    with _opened(given) as file:
        root: Element | None = None
        for event, element in _events(file, path):
            if event == "start":
                root = element if root is None else root
                depth += 1
                continue
            depth -= 1
            if depth == 2 and element.tag in ("task", "job"):
                task = {child.tag: (child.text or "").strip() for child in element}
                with at(path, "original_size"):
                    shape = as_size(element.findtext("original_size/width"), element.findtext("original_size/height"))
            if depth != 1 or root is None:
                continue
            if element.tag == "image":
                images.append(_image(path, element, unused))
            elif element.tag == "track":
                _add_track(path, element, frames, unused)
            root.clear()
    first, step = _start_and_step(task)
    images += [
        NamedImage(path, ("",), tuple(rows), shape, f"frame {number}", frame=(number - first) // step)
        for number, rows in sorted(frames.items())
    ]
    n_frames = int(task["size"]) if task.get("size", "").isdecimal() else None
    return NamedPoints(path, images, notes=unused_shapes(path, unused), n_frames=n_frames, what="images")


@contextmanager
def _opened(given: Given) -> Iterator[IO[bytes]]:
    if given.is_stream:
        yield io.BytesIO(given.data)
        return
    with open_regular(given.path) as file:
        yield file


def _events(file: IO[bytes], path: str) -> Iterator[tuple[str, Any]]:
    from defusedxml.ElementTree import iterparse

    with xml_errors(path):
        yield from iterparse(file, events=("start", "end"), forbid_dtd=True)


def _image(path: str, element: Element, unused: Counter[str]) -> NamedImage:
    name = (element.get("name") or "").replace("\\", "/")
    place = f"image {name or element.get('id')}"
    with at(path, place):
        if not name:
            raise ValueError("name must not be empty")
        shape = as_size(element.get("width"), element.get("height"))
    rows: list[PointRow] = []
    for mark in element:
        where = f"{place}, {mark.tag}"
        with at(path, where):
            rows += _rows_of(mark, where, unused)
    return NamedImage(path, (name,), tuple(rows), shape, place)


def _add_track(path: str, element: Element, frames: dict[int, list[PointRow]], unused: Counter[str]) -> None:
    name = f"track {element.get('id')}"
    about = {"label": element.get("label") or "", "id": element.get("id") or ""}
    for mark in element:
        if mark.get("outside") == "1" or mark.tag in _NO_MARKS:
            continue
        with at(path, name):
            number = parse_float(mark.get("frame"), "frame")
            if not (number >= 0 and number % 1 == 0):
                raise ValueError(f"frame must be a whole number from 0, got {mark.get('frame')!r}")
        place = f"{name}, frame {int(number)}"
        with at(path, place):
            frames.setdefault(int(number), []).extend(_rows_of(mark, place, unused, about))


def _rows_of(mark: Element, place: str, unused: Counter[str], about: dict[str, str] | None = None) -> list[PointRow]:
    """The points of one mark, or the centre of it; `about` is the label and the id of its track."""
    if mark.tag in _NO_MARKS:
        return []
    if mark.tag == "skeleton":
        about = about or {"label": mark.get("label") or ""}
        inner = [point for point in mark if point.tag == "points" and point.get("outside") != "1"]
        return [row for point in inner for row in _rows_of(point, place, unused, about)]
    centers = _centers(mark)
    if centers is None:
        unused[mark.tag] += 1
        return []
    named = about or {"label": mark.get("label") or ""}
    own = {child.get("name") or "": (child.text or "").strip() for child in mark if child.tag == "attribute"}
    tightness, polarity = traits(own)
    return [corner_point(x, y, place, tightness=tightness, polarity=polarity, **named) for x, y in centers]


def _centers(mark: Element) -> list[tuple[float, float]] | None:
    """Where the targets of a mark lie, None for marks that have no place."""

    def number(name: str) -> float:
        return parse_float(mark.get(name), name)

    if mark.tag == "points":
        return _corners(mark)
    if mark.tag == "box":
        return [((number("xtl") + number("xbr")) / 2, (number("ytl") + number("ybr")) / 2)]
    if mark.tag == "polygon":
        return [polygon_center(_corners(mark))]
    if mark.tag == "ellipse":
        return [(number("cx"), number("cy"))]
    if mark.tag == "mask":
        return [(number("left") + number("width") / 2, number("top") + number("height") / 2)]
    return None


def _corners(mark: Element) -> list[tuple[float, float]]:
    corners = []
    for pair in (mark.get("points") or "").split(";"):
        x, comma, y = pair.partition(",")
        if not comma:
            raise ValueError(f"points must be x,y;x,y;..., got {(mark.get('points') or '')[:50]!r}")
        corners.append((parse_float(x, "x"), parse_float(y, "y")))
    return corners


def _start_and_step(task: dict[str, str]) -> tuple[int, int]:
    """Frames are numbered as in the video: from ``start_frame`` in the steps of ``frame_filter``."""
    start, step = task.get("start_frame", ""), re.search(r"step=(\d+)", task.get("frame_filter", ""))
    return int(start) if start.isdecimal() else 0, max(int(step[1]), 1) if step else 1
