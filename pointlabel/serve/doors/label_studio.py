"""Label Studio: an ML backend that answers smart key points with brush labels.

| request | answer |
| --- | --- |
| ``GET /health``, ``GET /`` | that it is up |
| ``POST /setup`` | the version of the model |
| ``POST /predict`` | a brush label for each key point; without key points, an empty prediction for each task |
| ``POST /webhook`` | nothing: there is no training here |

Key points are in per cent of the image's size, from the corner of the first pixel. Masks are the runs of Label Studio's
brush (`io.exchange.rle_pack`), their score is quality times presence. A task names its image by a path or an address:
neither is opened. It is compared with the images of one folder, which were listed before.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from ... import __version__
from ..._values import as_number
from ...errors import InputError, shown
from ...io.decode import read_image
from ...io.exchange import rle_pack
from ...io.exchange.base import TARGET, MaskTarget, check_shape
from ...io.images import ImageFile, Places, list_images, normal_id, strip_suffix
from ...io.points.label_studio import paths_in
from ...io.points.names import NameFinder
from ...io.xml_files import parse_xml
from ..guard import Guard
from .clicks import MOST_BYTES, Clicker, Spot, build_door

VERSION = f"pointlabel-{__version__}"


class Tags(NamedTuple):
    """What a labelling interface calls its brush, its image, and the key of a task's data that holds the image."""

    brush: str
    image: str
    key: str


class Shelf:
    """Finds the images of a folder by what tasks call them.

    Parameters
    ----------
    where : the images, as `list_images` takes them.
    """

    def __init__(self, where: Places) -> None:
        self._where = where
        self._list()

    def _list(self) -> None:
        self._files = {file.id: file for file in list_images(self._where).files}
        self._finder = NameFinder("", self._files, None)

    def find(self, address: str) -> ImageFile:
        """The image whose path below the folder the address ends with, or the only one of that name.

        Its suffix does not count, so that a task may show an 8-bit copy of what is labelled here at full depth.

        Raises
        ------
        InputError
            Where there is none.
        """
        found = self._look(address)
        if found is None:
            self._list()  # it may be new
            found = self._look(address)
        if found is None:
            raise InputError(f"no image of the folder is called {shown(address)}")
        if found.rivals:
            raise InputError(f"{', '.join((found.shown, *found.rivals))}: images with the same id; rename one")
        return found

    def _look(self, address: str) -> ImageFile | None:
        paths = paths_in(address)
        if any(".." in path.split("/") for path in paths):
            return None
        for path in paths:
            parts = path.split("/")
            ends = (normal_id(strip_suffix("/".join(parts[start:]))) for start in range(len(parts)))
            found = next((end for end in ends if end in self._files), None) or self._finder.id_by_end(path)
            if found is not None:
                return self._files[found]
        return None


def build_label_studio(clicker: Clicker, shelf: Shelf, hosts: tuple[str, ...], say: Callable[[str], None]) -> Guard:
    """The application; `shelf` finds what tasks name, other parameters as for `clicks.build_door`."""

    def health(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        return {"status": "UP", "model_class": "pointlabel"}, 200

    def setup(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        return {"model_version": VERSION}, 200

    def webhook(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        return {}, 201

    def predict(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        tasks = body.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise InputError(f"tasks must be a list of objects, got {shown(tasks)}")
        marks = _marks_of(body.get("params"))
        results = [_results(clicker, shelf, tasks, marks, body)] if marks else [_prediction([]) for _ in tasks]
        return {"results": results, "model_version": VERSION}, 200

    answers = {"/": ("GET", health), "/health": ("GET", health), "/setup": ("POST", setup)}
    answers |= {"/predict": ("POST", predict), "/webhook": ("POST", webhook)}
    return build_door(answers, hosts, say, MOST_BYTES)


def _marks_of(params: Any) -> list[dict[str, Any]]:
    """The key points among what was clicked."""
    context = params.get("context") if isinstance(params, dict) else None
    given = context.get("result") if isinstance(context, dict) else None
    if not isinstance(given, list):
        return []
    return [each for each in given if isinstance(each, dict) and each.get("type") in ("keypointlabels", "keypoint")]


def _results(
    clicker: Clicker, shelf: Shelf, tasks: list[dict[str, Any]], marks: list[dict[str, Any]], body: dict[str, Any]
) -> dict[str, Any]:
    if len(tasks) != 1:
        raise InputError(f"key points must come with one task, got {len(tasks)}")
    tags = read_tags(body.get("label_config"))
    data = tasks[0].get("data")
    address = data.get(tags.key) if isinstance(data, dict) else None
    if not isinstance(address, str):
        raise InputError(f"the task names no image under {tags.key}")
    file = shelf.find(address)
    height, width = check_shape(marks[0].get("original_height"), marks[0].get("original_width"), "the key point")
    spots = [_spot_of(mark, (height, width)) for mark in marks]
    shape, targets = clicker.targets(lambda: read_image(file.path)[0], spots)
    if shape != (height, width):
        sizes = f"has {shape[1]} x {shape[0]} pixels, and that of the task {width} x {height}"
        raise InputError(f"{file.shown} {sizes}; both must be the same image")
    return _prediction([_result_of(target, shape, tags) for target in targets])


def _spot_of(mark: dict[str, Any], shape: tuple[int, int]) -> Spot:
    if mark.get("image_rotation"):
        raise InputError(
            f"the image was turned by {shown(mark['image_rotation'])} degrees; turn it back to click in it"
        )
    value = mark.get("value")
    if not isinstance(value, dict):
        raise InputError(f"value of a key point must be an object, got {shown(value)}")
    x, y = (as_number(value.get(name), f"{name} of a key point", 0, 100) for name in "xy")
    # The right and lower borders belong to the last pixel.
    row, column = (
        min(share / 100 * size - 0.5, math.nextafter(size - 0.5, 0)) for share, size in zip((y, x), shape, strict=True)
    )
    names = value.get("keypointlabels")
    label = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else TARGET
    label = label.encode(errors="replace").decode()  # half a letter of UTF-16 cannot be sent back
    return Spot(row, column, bool(mark.get("is_positive", True)), label)


def _result_of(target: MaskTarget, shape: tuple[int, int], tags: Tags) -> dict[str, Any]:
    return {
        "id": secrets.token_hex(5),  # never that of an earlier click: Label Studio keeps both
        "type": "brushlabels",
        "from_name": tags.brush,
        "to_name": tags.image,
        "original_width": shape[1],
        "original_height": shape[0],
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": rle_pack.pack(target.mask, target.origin, shape),
            "brushlabels": [target.label],
        },
        "score": target.score,
    }


def _prediction(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One task's answer; its score is that of the most doubtful target, as in what `annotate` writes."""
    score = min((result["score"] for result in results), default=0.0)
    return {"result": results, "model_version": VERSION, "score": score}


def read_tags(config: Any) -> Tags:
    """The names in a labelling interface.

    Raises
    ------
    InputError
        Where it is no XML, or has no brush on an image.
    """
    if not isinstance(config, str):
        raise InputError("label_config must be the XML of the labelling interface")
    root = parse_xml("label_config", config.encode(errors="replace"))
    images = {tag.get("name"): tag.get("value") for tag in root.iter("Image")}
    for brush in root.iter("BrushLabels"):
        name, image = brush.get("name"), brush.get("toName")
        value = images.get(image)
        if name and image and value and value.startswith("$"):
            return Tags(name, image, value[1:])
    raise InputError("the labelling interface has no BrushLabels whose toName is the name of an Image; add them")
