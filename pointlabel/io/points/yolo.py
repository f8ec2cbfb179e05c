"""Points in YOLO's text files, one an image: poses, else the centres of boxes and polygons.

Coordinates are shares of the image's size, from the corner of the first pixel.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

from ...errors import InputError, shown
from ..files import read_bytes
from ..text import decode_text, decode_yaml
from .base import PointRow
from .folder import FileFolder, Parsed
from .given import Given, head_of
from .values import as_list, as_name, at, pairs, parse_float, polygon_center

#: Files beside the labels that hold no points.
_OTHERS = {"classes.txt", "obj.names", "train.txt", "val.txt", "test.txt", "readme.txt"}
#: Folders of a data set's parts, below ``labels``.
PARTS = ("train", "val", "test")
#: Numbers of a box: class, centre, width, height; a prediction has its confidence too.
_BOX = (5, 6)


@dataclass(frozen=True, slots=True)
class Layout:
    """What ``data.yaml`` says.

    Attributes
    ----------
    there : whether there is one.
    keypoints, numbers : of a pose, and for each of its keypoints: x, y and, with 3, its visibility; 0 for no poses.
    names : of the classes.
    """

    there: bool = False
    keypoints: int = 0
    numbers: int = 0
    names: tuple[str, ...] = ()


def is_yolo(given: Given) -> bool:
    """Whether some text file holds rows of five numbers and more, or ``data.yaml`` lies in the folder."""
    if given.is_folder and os.path.isfile(os.path.join(given.path, "data.yaml")):
        return bool(given.with_suffix(".txt"))
    return any(least_numbers(path) >= min(_BOX) for path in given.some(".txt"))


def least_numbers(path: str) -> int:
    """How few numbers the rows at the start of a file hold; 0 where there are none, or something else."""
    if os.path.basename(path).lower() in _OTHERS:
        return 0
    lines = head_of(path).decode("utf-8", "replace").splitlines()[:100]
    counts = []
    for line in lines[:-1] or lines:  # the last may be cut
        if line.strip():
            try:
                counts.append(len([float(word) for word in line.split()]))
            except ValueError:
                return 0
    return min(counts, default=0)


def read_yolo(given: Given, origin: str = "center") -> FileFolder:
    """List the text files of a folder, or of its ``labels/``, or one; each is read when its image is.

    Raises
    ------
    InputError
        Where there is no such file, or ``data.yaml`` is damaged.
    """
    path = given.path
    layout = _read_layout(path if given.is_folder else os.path.dirname(path))
    labels = os.path.join(path, "labels")
    if given.is_folder and os.path.isdir(labels):
        path = labels
    start = os.path.join(path, "") if given.is_folder else path
    files = [each for each in given.with_suffix(".txt") if each.startswith(start) and not _is_other(each)]
    if not files:
        raise InputError(f"{path}: there is no text file of YOLO")
    return FileFolder(path, files, partial(parse_yolo, layout=layout), PARTS)


def _is_other(path: str) -> bool:
    return os.path.basename(path).lower() in _OTHERS


def parse_yolo(path: str, data: bytes, layout: Layout) -> Parsed:
    """Read the rows of one image; an empty file is an image without targets."""
    rows: list[PointRow] = []
    text = decode_text(data, path, "YOLO's text") if data else ""
    for line, row in enumerate(text.splitlines(), start=1):
        words = row.split()
        if not words:
            continue
        with at(path, f"line {line}"):
            values = [parse_float(word, "a value") for word in words[1:]]
            label = _label(words[0], layout)
            for x, y in _centers(values, layout):
                given = f"(x, y) = ({x:g}, {y:g}) of the image's size"
                rows.append(PointRow(y - 0.5, x - 0.5, f"line {line}", given, label=label))
    return Parsed(tuple(rows), in_shares=True)


def _label(word: str, layout: Layout) -> str:
    number = parse_float(word, "the class")
    if not (number >= 0 and number % 1 == 0):
        raise ValueError(f"the class must be a whole number from 0, got {shown(word)}")
    return layout.names[int(number)] if number < len(layout.names) else word


def _centers(values: list[float], layout: Layout) -> list[tuple[float, float]]:
    """Where the targets of a row are, whose first number, the class, is taken off."""
    n = len(values) + 1
    numbers = layout.numbers
    if layout.keypoints and n not in (5 + layout.keypoints * numbers, 6 + layout.keypoints * numbers):
        raise ValueError(f"a row must hold {5 + layout.keypoints * numbers} numbers by kpt_shape, got {n}")
    if n in _BOX and not layout.keypoints:
        return [_inside(values[0], values[1])]
    if n < min(_BOX):
        raise ValueError(f"a row must hold class, x, y, width, height, got {n} numbers")
    if not layout.keypoints:
        is_polygon, is_pose = n >= 7 and n % 2 == 1, (n - 5) % 3 == 0
        if layout.there or is_polygon != is_pose:
            if is_polygon and (layout.there or not is_pose):
                return [_inside(*polygon_center(pairs(values, "a polygon")))]
            numbers = 3
            if layout.there or not is_pose:
                raise ValueError(f"a row of {n} numbers is neither a box nor a polygon, and data.yaml has no kpt_shape")
        else:
            raise ValueError(f"a row of {n} numbers may be a pose or a polygon; data.yaml with kpt_shape tells which")
    count = layout.keypoints or (n - 5) // 3
    groups = pairs(values[4 : 4 + count * numbers], "keypoints", numbers)
    return [_inside(group[0], group[1]) for group in groups if numbers == 2 or group[2] > 0]


def _inside(x: float, y: float) -> tuple[float, float]:
    """Shares; pixels, which are no YOLO, would be points far outside."""
    for name, value in (("x", x), ("y", y)):
        if not -0.5 <= value <= 1.5:
            raise ValueError(f"{name} must be a share of the image's size in [0, 1], got {value:g}")
    return x, y


def _read_layout(folder: str) -> Layout:
    """What ``data.yaml`` in a folder, or one or two above, says."""
    for place in (folder, os.path.join(folder, ".."), os.path.join(folder, "..", "..")):
        path = os.path.join(place, "data.yaml")
        if os.path.isfile(path):
            return _parse_layout(path)
    return Layout()


def _parse_layout(path: str) -> Layout:
    text = decode_text(read_bytes(path), path, "data.yaml")
    try:
        data = decode_yaml(text)
    except ValueError as error:
        raise InputError(f"{path}: not YAML that can be read ({error})") from error
    with at(path, "kpt_shape"):
        data = data if isinstance(data, dict) else {}
        shape = as_list(data.get("kpt_shape"), "kpt_shape")
        whole = [n for n in shape if isinstance(n, int) and not isinstance(n, bool) and 0 < n < 10_000]
        if shape and (len(whole) != 2 or len(shape) != 2 or whole[1] not in (2, 3)):
            raise ValueError(f"kpt_shape must be [keypoints, 2 or 3], got {shown(shape)}")
    names = data.get("names")
    with at(path, "names"):
        if isinstance(names, dict):
            most = max((key for key in names if isinstance(key, int)), default=-1)
            names = [names.get(k, k) for k in range(min(most + 1, 10_000))]
        known = tuple(as_name(name, "a name") for name in as_list(names, "names"))
    keypoints, numbers = whole or (0, 0)
    return Layout(True, keypoints, numbers, known)
