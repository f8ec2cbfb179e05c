"""Label Studio: a JSON of tasks, masks as brush labels. What is written are predictions with a score."""

from __future__ import annotations

import json
import ntpath
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from ... import __version__
from ...errors import InputError
from ..points.label_studio import paths_in
from . import rings, rle, rle_pack
from .base import (
    TARGET,
    ImageMasks,
    Images,
    MaskTarget,
    Out,
    check_shape,
    crop,
    id_of,
    make_target,
    pick,
    plain_file,
    read_json_of,
    score_of,
)

FILE = "tasks.json"
#: Names of the brush and of the image in the labelling interface.
BRUSH, IMAGE = "brush", "image"
_LOCAL = "/data/local-files/?d="
_UPLOAD = re.compile(r"(?:.*/)?data/upload/\d+/(?:[0-9a-f]{8}-)?(.+)")


def write_label_studio(images: Iterable[ImageMasks], out: Out, *, polygons: bool = False) -> None:
    """Write ``tasks.json``: a task per image, whose path is that of local storage, with one prediction."""
    tasks = []
    for image in images:
        common = {"original_width": image.shape[1], "original_height": image.shape[0], "image_rotation": 0}
        result = []
        for number, target in enumerate(image.targets, start=1):
            value: dict[str, Any]
            if polygons:
                ring = rings.join(rings.trace(target.mask, target.origin))
                kind = "polygonlabels"
                value = {"points": [[100 * x / image.shape[1], 100 * y / image.shape[0]] for x, y in ring]}
                value["closed"] = True
            else:
                kind = "brushlabels"
                value = {"format": "rle", "rle": rle_pack.pack(target.mask, target.origin, image.shape)}
            entry: dict[str, Any] = {"id": f"t{number}", "type": kind, "from_name": BRUSH, "to_name": IMAGE, **common}
            entry["value"] = {**value, kind: [target.label]}
            if target.score is not None:
                entry["score"] = target.score
            result.append(entry)
        scores = [target.score for target in image.targets if target.score is not None]
        prediction: dict[str, Any] = {"model_version": f"pointlabel-{__version__}", "result": result}
        if scores:
            prediction["score"] = min(scores)  # so that tasks sorted by it begin with the most doubtful
        # The size stands in the results alone, and an image without targets has none.
        data = {"image": _LOCAL + quote(image.file_name), "width": image.shape[1], "height": image.shape[0]}
        tasks.append({"data": data, "predictions": [prediction]})
    out.write(FILE, (json.dumps(tasks, separators=(",", ":"), allow_nan=False) + "\n").encode())


def read_label_studio(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read an export in JSON: brush labels and polygons of the last annotation that was not cancelled.

    Where a task has no annotation, its last prediction counts.
    """
    tasks = read_json_of(path)
    if not isinstance(tasks, list):
        raise InputError(f"{path}: an export of Label Studio must be a list of tasks")
    for task in tasks:
        data = pick(task, "data", dict, path)
        file = _file_of(pick(data, "image", str, f"{path}: data"))
        where = f"{path}: {file}"
        given = task.get("annotations") or task.get("completions") or []
        chosen = [each for each in given if isinstance(each, dict) and not each.get("was_cancelled")]
        chosen = chosen or [each for each in task.get("predictions") or [] if isinstance(each, dict)]
        results = [each for each in pick(chosen[-1], "result", list, where) if isinstance(each, dict)] if chosen else []
        image_id = id_of(file, path)
        sized = next((each for each in results if "original_width" in each), None)
        if sized is not None:
            shape = check_shape(sized.get("original_height"), sized["original_width"], where)
        elif "width" in data and "height" in data:
            shape = check_shape(data["height"], data["width"], where)
        else:
            found = images.shape(image_id)
            if found is None:
                raise InputError(f"{where}: a task without results does not say its size; name the images (`images`)")
            shape = found
        targets = [target for each in results for target in _target_of(each, shape, where)]
        yield ImageMasks(image_id, shape, tuple(targets), plain_file(file))


def _file_of(url: str) -> str:
    """The path of an image: below local storage, as uploaded without what Label Studio adds, or of its address."""
    path = ntpath.splitdrive(paths_in(url)[0])[1]
    upload = _UPLOAD.fullmatch(path)
    return upload.group(1) if upload else path


def _target_of(entry: dict[str, Any], shape: tuple[int, int], where: str) -> Iterable[MaskTarget]:
    kind = entry.get("type")
    value = entry.get("value")
    if kind not in ("brushlabels", "polygonlabels", "brush", "polygon") or not isinstance(value, dict):
        return []
    if entry.get("image_rotation"):
        raise InputError(f"{where}: the image was turned by {entry['image_rotation']} degrees; its masks are not read")
    window: rle.Window | None
    if "rle" in value:
        window = crop(rle_pack.unpack(pick(value, "rle", list, where), shape, where))
    else:
        corners = pick(value, "points", list, where)
        try:
            ring = [(_corner(x, shape[1]), _corner(y, shape[0])) for x, y in corners]
        except (TypeError, ValueError):
            raise InputError(f"{where}: a polygon must be a list of points in per cent") from None
        window = rings.fill([ring], shape)
    if window is None:
        return []
    named = value.get("brushlabels") or value.get("polygonlabels") or [TARGET]
    label = str(named[0]) if isinstance(named, list) else str(named)
    return make_target(window[1], window[0], label, score_of(entry.get("score")))


def _corner(percent: float, size: int) -> float:
    value = percent / 100 * size
    nearest = round(value)
    return float(nearest) if abs(value - nearest) < 1e-6 * max(size, 1) else value
