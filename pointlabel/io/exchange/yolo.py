"""YOLO as ultralytics reads it: a text file per image with a line per target, and ``data.yaml``.

Coordinates are shares of the image's width and height, from the corner of the first pixel.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator

from ...errors import InputError
from ..files import read_bytes
from ..images import normal_id, stem_below
from ..points.yolo import PARTS
from ..text import decode_yaml, read_text
from ..walk import walk_files
from . import rings
from .base import TARGET, ImageMasks, Images, MaskTarget, Out, make_target, score_of

CONFIG = "data.yaml"
LABELS, IMAGES = "labels/train", "images/train"


def write_yolo(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``labels/train/ID.txt`` with the boxes, and ``data.yaml``; an image without targets has an empty file."""
    _write(images, out, _box)


def write_yolo_seg(images: Iterable[ImageMasks], out: Out) -> None:
    """As `write_yolo`, with the border of each target in place of its box, one ring with its holes cut out."""
    _write(images, out, _border)


def _write(
    images: Iterable[ImageMasks], out: Out, values_of: Callable[[MaskTarget, tuple[int, int]], list[float]]
) -> None:
    classes: dict[str, int] = {}
    for image in images:
        lines = []
        for target in image.targets:
            number = classes.setdefault(target.label, len(classes))
            values = values_of(target, image.shape)
            lines.append(" ".join([str(number), *(f"{value:.10g}" for value in values)]) + "\n")
        out.write(f"{LABELS}/{image.id}.txt", "".join(lines).encode())
    names = "".join(f"  {number}: {json.dumps(name)}\n" for name, number in (classes or {TARGET: 0}).items())
    # Without a path, ultralytics looks beside this file. Training needs some validation; the lists can be split later.
    out.write(CONFIG, f"train: {IMAGES}\nval: {IMAGES}\nnames:\n{names}".encode())


def _box(target: MaskTarget, shape: tuple[int, int]) -> list[float]:
    left, top, width, height = target.box
    return [(left + width / 2) / shape[1], (top + height / 2) / shape[0], width / shape[1], height / shape[0]]


def _border(target: MaskTarget, shape: tuple[int, int]) -> list[float]:
    ring = rings.join(rings.trace(target.mask, target.origin))
    return [share for x, y in ring for share in (x / shape[1], y / shape[0])]


def label_paths(folder: str) -> dict[str, str]:
    """Id -> text file of a data set, a folder ``labels``, or a folder of text files.

    Parts of the path such as ``labels`` and, right below it, ``train``, ``val`` or ``test`` are no part of an id.
    """
    top = os.path.join(folder, "labels")
    top = top if os.path.isdir(top) else folder
    found: dict[str, str] = {}
    for path in walk_files(top):
        if not path.endswith(".txt"):
            continue
        shown = stem_below(path, top)
        head, _, rest = shown.partition("/")
        image_id = normal_id(rest if rest and head in PARTS else shown)
        if image_id in found:
            raise InputError(f"{found[image_id]}, {path}: labels of the same image; keep one")
        found[image_id] = path
    return found


def read_yolo(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read boxes and borders; a box becomes a full rectangle.

    The sizes of the images are read from them: those of `images`, else of the folder ``images`` of the data set.
    """
    folder = os.path.dirname(path) or "." if os.path.isfile(path) else path
    names = _class_names(folder)
    labels = label_paths(folder)
    own: list[Images] = []
    for part in ("images", IMAGES, "images/val", "images/test"):
        place = os.path.join(folder, part)
        if os.path.isdir(place) and walk_files(place):
            own.append(Images(place))
    for image_id, file in labels.items():
        sources = (images, *own)
        source = next((each for each in sources if each.path(image_id) is not None), None)
        shape = None if source is None else source.shape(image_id)
        if source is None or shape is None:
            raise InputError(
                f"{file}: YOLO labels do not say how large their image is, and there is no image {image_id}; "
                "name the folder of the images (`images`)"
            )
        yield ImageMasks(image_id, shape, tuple(_targets(file, shape, names)), source.file(image_id))


def _targets(file: str, shape: tuple[int, int], names: dict[int, str]) -> Iterator[MaskTarget]:
    if not os.path.getsize(file):
        return
    for number, line in enumerate(read_text(file, "a YOLO label file").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{file}, line {number}"
        try:
            category, values = int(float(words[0])), [float(word) for word in words[1:]]
        except (ValueError, OverflowError):
            raise InputError(f"{where}: a line must be a class and shares of the image, got {line[:60]!r}") from None
        if len(values) < 4 or not all(-1 <= value <= 2 for value in values):
            raise InputError(f"{where}: boxes and borders are shares of the image in [0, 1], got {line[:60]!r}")
        score = None
        if len(values) == 5 or (len(values) > 6 and len(values) % 2):  # predictions end with their confidence
            score = score_of(values.pop())
        if len(values) == 4:
            x, y, width, height = values
            left, top = _grid((x - width / 2) * shape[1]), _grid((y - height / 2) * shape[0])
            right, bottom = _grid((x + width / 2) * shape[1]), _grid((y + height / 2) * shape[0])
            ring = rings.rectangle((left, top, right - left, bottom - top))
        else:
            xs, ys = (value * shape[1] for value in values[::2]), (value * shape[0] for value in values[1::2])
            ring = [(_grid(x), _grid(y)) for x, y in zip(xs, ys, strict=True)]
        window = rings.fill([ring], shape)
        if window is not None:
            yield from make_target(window[1], window[0], names.get(category, str(category)), score)


def _grid(value: float) -> float:
    """A coordinate in pixels; one that is a corner of a pixel but for rounding is that corner."""
    nearest = round(value)
    return float(nearest) if abs(value - nearest) < 1e-3 else value


def _class_names(folder: str) -> dict[int, str]:
    """Names of the classes out of the data set's YAML file, or of ``classes.txt``; empty where there is neither."""
    around = (os.path.dirname(os.path.abspath(folder)),) if os.path.basename(folder) == "labels" else ()
    for parent in (folder, *around):
        for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else ():
            place = os.path.join(parent, name)
            if name == "classes.txt":
                return dict(enumerate(read_text(place, "a list of classes").split("\n")))
            if not name.endswith((".yaml", ".yml")) or not os.path.isfile(place):
                continue
            data = read_bytes(place, most=1 << 20)
            try:
                about = decode_yaml(data)
            except ValueError as error:
                raise InputError(f"{place}: no YAML ({error})") from None
            named = about.get("names") if isinstance(about, dict) else None
            if isinstance(named, list):
                return {number: str(each) for number, each in enumerate(named)}
            if isinstance(named, dict):
                return {number: str(each) for number, each in named.items() if isinstance(number, int)}
    return {}
