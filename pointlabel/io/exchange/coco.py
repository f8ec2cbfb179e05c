"""COCO: one JSON for all images, masks as compressed run lengths or as polygons on the corners of pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ...errors import InputError
from . import rings, rle
from .base import (
    TARGET,
    ImageMasks,
    Images,
    MaskTarget,
    Out,
    check_shape,
    id_of,
    make_target,
    pick,
    plain_file,
    read_json_of,
    score_of,
)

FILE = "instances.json"


def write_coco(images: Iterable[ImageMasks], out: Out, *, polygons: bool = False) -> None:
    """Write ``instances.json``.

    Parameters
    ----------
    images : their masks.
    out : where to.
    polygons : whether masks are polygons, one ring each with its holes cut out, in place of run lengths.
    """
    categories: dict[str, int] = {}
    shown: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        height, width = image.shape
        shown.append({"id": number, "file_name": image.file_name, "width": width, "height": height})
        for target in image.targets:
            entry: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": categories.setdefault(target.label, len(categories) + 1),
                "segmentation": _ring_of(target) if polygons else rle_of(target, image.shape),
                "bbox": list(target.box),
                "area": target.area,
                "iscrowd": 0,
            }
            if target.score is not None:
                entry["score"] = target.score
            annotations.append(entry)
    named = [{"id": number, "name": name} for name, number in (categories or {TARGET: 1}).items()]
    info = {"description": "written by pointlabel"}
    everything = {"info": info, "images": shown, "annotations": annotations, "categories": named}
    out.write(FILE, (json.dumps(everything, separators=(",", ":"), allow_nan=False) + "\n").encode())


def rle_of(target: MaskTarget, shape: tuple[int, int]) -> dict[str, Any]:
    """The run lengths of a target, ``{"size": [H, W], "counts": "..."}``."""
    return {"size": list(shape), "counts": rle.encode(target.mask, target.origin, shape)}


def window_of(segmentation: object, shape: tuple[int, int], where: str) -> rle.Window | None:
    """The window of a ``segmentation``: run lengths, compressed or not, or polygons; None for an empty mask.

    Raises
    ------
    InputError
        Where it is neither, or made for an image of another size.
    """
    if isinstance(segmentation, dict):
        size = segmentation.get("size")
        if size != list(shape):
            raise InputError(f"{where}: run lengths of size {size}, the image has height {shape[0]}, width {shape[1]}")
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            counts = rle.decompress(counts, where)
        if isinstance(counts, list):
            return rle.decode(counts, shape, where)
    elif isinstance(segmentation, list):
        windows = [rings.fill([corners_of(flat, where)], shape) for flat in segmentation]
        return rings.union([window for window in windows if window is not None])
    raise InputError(f"{where}: segmentation must be run lengths or polygons")


def corners_of(flat: object, where: str) -> rings.Ring:
    """Corners (x, y) of a list x, y, x, y ...; raise `InputError` where it is none."""
    if (
        not isinstance(flat, list)
        or len(flat) % 2
        or not all(isinstance(value, int | float) and abs(value) < 1e9 for value in flat)
    ):
        raise InputError(f"{where}: a polygon must be a list of an even number of coordinates")
    return list(zip(flat[::2], flat[1::2], strict=True))


def read_coco(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read a COCO file: run lengths and polygons, and boxes where an annotation has no mask."""
    data = read_json_of(path)
    names = {
        entry.get("id"): str(entry.get("name", TARGET))
        for entry in pick(data, "categories", list, path)
        if isinstance(entry, dict)
    }
    of_image: dict[Any, list[dict[str, Any]]] = {}
    known = [pick(entry, "id", (int, str), path) for entry in pick(data, "images", list, path)]
    for entry in pick(data, "annotations", list, path):
        of_image.setdefault(pick(entry, "image_id", (int, str), path), []).append(entry)
    strange = next((number for number in of_image if number not in set(known)), None)
    if strange is not None:
        raise InputError(f"{path}: an annotation names image {strange!r}, which is not in images")
    for entry in data["images"]:
        file = pick(entry, "file_name", str, path)
        where = f"{path}: {file}"
        shape = check_shape(entry.get("height"), entry.get("width"), where)
        targets = [target for each in of_image.get(entry["id"], ()) for target in _target_of(each, shape, names, where)]
        yield ImageMasks(id_of(file, path), shape, tuple(targets), plain_file(file))


def _target_of(
    entry: dict[str, Any], shape: tuple[int, int], names: dict[Any, str], where: str
) -> Iterable[MaskTarget]:
    if entry.get("segmentation"):
        window = window_of(entry["segmentation"], shape, where)
    else:
        box = pick(entry, "bbox", list, where)
        if len(box) != 4 or not all(isinstance(value, int | float) and abs(value) < 1e9 for value in box):
            raise InputError(f"{where}: bbox must be four numbers, got {box}")
        window = rings.fill([rings.rectangle((box[0], box[1], box[2], box[3]))], shape)
    if window is None:
        return []
    label = names.get(entry.get("category_id"), TARGET)
    return make_target(window[1], window[0], label, score_of(entry.get("score")))


def _ring_of(target: MaskTarget) -> list[list[float]]:
    return [[value for corner in rings.join(rings.trace(target.mask, target.origin)) for value in corner]]
