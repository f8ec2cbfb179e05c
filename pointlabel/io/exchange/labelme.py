"""LabelMe: one JSON per image, masks as shapes of type ``mask``; polygons and rectangles are read too.

The corners of a shape count from the corner of the first pixel; those of a mask are its first and its last pixel.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import InputError
from ..decode import decode_channels
from ..images import normal_id, stem_below
from ..walk import walk_files
from . import coco, rings, rle
from .base import TARGET, ImageMasks, Images, Out, check_shape, make_target, pick, plain_file, read_json_of, score_of


def write_labelme(images: Iterable[ImageMasks], out: Out, *, polygons: bool = False) -> None:
    """Write ``ID.json`` for each image."""
    for image in images:
        height, width = image.shape
        shapes = []
        for target in image.targets:
            left, top, box_width, box_height = target.box
            shape: dict[str, Any] = {"label": target.label, "points": [], "group_id": None, "description": ""}
            if polygons:
                ring = rings.join(rings.trace(target.mask, target.origin))
                shape |= {"points": [list(corner) for corner in ring], "shape_type": "polygon", "mask": None}
            else:
                buffer = io.BytesIO()
                Image.fromarray(target.mask.astype(np.uint8)).save(buffer, "PNG")
                last = [left + box_width - 1, top + box_height - 1]
                shape |= {"points": [[left, top], last], "shape_type": "mask"}
                shape["mask"] = base64.b64encode(buffer.getvalue()).decode("ascii")
            shape["flags"] = {}
            if target.score is not None:
                shape["score"] = target.score
            shapes.append(shape)
        # LabelMe looks for the image beside the file; one in a sub-folder is beside its own.
        name = os.path.basename(image.file_name)
        about: dict[str, Any] = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": name}
        about |= {"imageData": None, "imageHeight": height, "imageWidth": width}
        out.write(f"{image.id}.json", (json.dumps(about, indent=1, allow_nan=False) + "\n").encode())


def read_labelme(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read a file or a folder of files; an image's id is the path of its file."""
    for name, file in json_files(path):
        data = read_json_of(file)
        if not isinstance(data, dict) or "shapes" not in data:
            continue
        shape = check_shape(data.get("imageHeight"), data.get("imageWidth"), file)
        targets = []
        for entry in pick(data, "shapes", list, file):
            window = _window_of(entry, shape, file)
            if window is not None:
                label = str(entry.get("label") or TARGET)
                targets += make_target(window[1], window[0], label, score_of(entry.get("score")))
        shown = plain_file(str(data.get("imagePath", "")))
        parent = os.path.dirname(name)
        base = os.path.basename(shown)
        # The image's own name counts where it differs: files may be named otherwise than their images.
        stem = os.path.splitext(base)[0] if base else os.path.basename(name)
        image_id = normal_id(f"{parent}/{stem}" if parent else stem)
        where = f"{parent}/{base}" if parent and base else base
        yield ImageMasks(image_id, shape, tuple(targets), where)


def json_files(path: str) -> list[tuple[str, str]]:
    """(path below the folder without suffix, path) of the JSON files of a folder, or of one file."""
    if os.path.isfile(path):
        return [(os.path.splitext(os.path.basename(path))[0], path)]
    return [(stem_below(file, path), file) for file in walk_files(path) if file.endswith(".json")]


def _window_of(entry: Any, shape: tuple[int, int], where: str) -> rle.Window | None:
    kind = pick(entry, "shape_type", str, where)
    if kind not in ("mask", "polygon", "rectangle"):
        return None  # a click, a line or a circle is no mask
    points = pick(entry, "points", list, where)
    if not all(isinstance(corner, list) for corner in points):
        raise InputError(f"{where}: points must be a list of [x, y]")
    flat = [value for corner in points for value in corner]
    corners = coco.corners_of(flat, where)
    if kind == "polygon":
        return rings.fill([corners], shape)
    if len(corners) != 2:
        raise InputError(f"{where}: a shape of type {kind} must have two points, got {len(corners)}")
    (x0, y0), (x1, y1) = corners
    left, top = min(x0, x1), min(y0, y1)
    if kind == "rectangle":
        return rings.fill([rings.rectangle((left, top, abs(x1 - x0), abs(y1 - y0)))], shape)
    try:
        packed = base64.b64decode(pick(entry, "mask", str, where), validate=True)
    except ValueError:
        raise InputError(f"{where}: the mask of a shape is no base64") from None
    pixels, _ = decode_channels(packed, f"{where}: a mask")
    mask = pixels.max(axis=2) if pixels.ndim == 3 else pixels
    return placed(mask != 0, (round(top), round(left)), shape)


def placed(mask: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, int]) -> rle.Window | None:
    """A window with what lies outside the image cut off; None where nothing is left."""
    row, column = origin
    rows, columns = slice(max(-row, 0), max(shape[0] - row, 0)), slice(max(-column, 0), max(shape[1] - column, 0))
    inside = mask[rows, columns]
    return ((max(row, 0), max(column, 0)), inside) if inside.any() else None
