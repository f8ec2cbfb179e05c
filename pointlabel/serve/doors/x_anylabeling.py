"""X-AnyLabeling 4: the remote server that it asks for shapes.

| request | answer |
| --- | --- |
| ``GET /v1/models`` | the one model, with the buttons that X-AnyLabeling shows for it |
| ``POST /v1/predict`` | a polygon for each point; the image comes in base64, the bytes of its file |

X-AnyLabeling sends the column and row of the pixel that was clicked, without the fraction. The corners of a polygon
count from the corner of the first pixel. Its score is quality times presence.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

from ..._values import as_number
from ...errors import InputError, shown
from ...io.decode import decode_image
from ...io.exchange import rings
from ...io.exchange.base import MaskTarget
from ..guard import Guard
from .clicks import MOST_BYTES, Clicker, Spot, build_door

MODEL = "pointlabel"
#: Label by which X-AnyLabeling knows shapes that wait for their name, and replaces them with those of the next answer.
WAITING = "AUTOLABEL_OBJECT"
_BUTTONS = ("button_add_point", "button_remove_point", "button_clear", "button_finish_object")


def build_x_anylabeling(clicker: Clicker, hosts: tuple[str, ...], say: Callable[[str], None]) -> Guard:
    """The application; parameters as for `clicks.build_door`."""

    def models(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        about: dict[str, Any] = {
            "display_name": "pointlabel",
            "widgets": [{"name": name, "value": None} for name in _BUTTONS],
            "params": {},
            "batch_processing_mode": None,
        }
        return {"success": True, "data": {MODEL: about}}, 200

    def predict(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        if body.get("model") != MODEL:
            raise InputError(f"model must be {MODEL}, got {shown(body.get('model'))}")
        spots = _spots_of(body.get("params"))
        data = _bytes_of(body.get("image"))
        _, targets = clicker.targets(lambda: decode_image(data, "the image of the request")[0], spots)
        shapes = [_shape_of(target) for target in targets]
        return {"success": True, "data": {"shapes": shapes, "description": "", "replace": False}}, 200

    return build_door({"/v1/models": ("GET", models), "/v1/predict": ("POST", predict)}, hosts, say, MOST_BYTES)


def _spots_of(params: Any) -> list[Spot]:
    marks = params.get("marks", []) if isinstance(params, dict) else []
    if not isinstance(marks, list):
        raise InputError(f"marks must be a list, got {shown(marks)}")
    return [_spot_of(mark) for mark in marks]


def _spot_of(mark: Any) -> Spot:
    if not isinstance(mark, dict) or mark.get("type") != "point":
        raise InputError(f"a mark must be a point, got {shown(mark)}")
    place = mark.get("data")
    if not isinstance(place, list) or len(place) != 2:
        raise InputError(f"data of a mark must be x and y, got {shown(place)}")
    column, row = (float(math.floor(as_number(value, name))) for value, name in zip(place, "xy", strict=True))
    return Spot(row, column, as_number(mark.get("label", 1), "label of a mark", 0, 1, whole=True) == 1, WAITING)


def _bytes_of(image: Any) -> bytes:
    """The bytes of a data URI, or of base64 alone; they tell what kind of image it is, whatever the URI says."""
    if not isinstance(image, str):
        raise InputError("image must be a data URI in base64")
    head, _, text = image.rpartition(",")
    if head and not (head.startswith("data:") and head.endswith(";base64")):
        raise InputError(f"image must be a data URI in base64, got {shown(head)}")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InputError(f"image must be a data URI in base64 ({error})") from error


def _shape_of(target: MaskTarget) -> dict[str, Any]:
    ring = rings.join(rings.trace(target.mask, target.origin))
    points = [[float(x), float(y)] for x, y in ring]
    return {"label": target.label, "shape_type": "polygon", "points": points, "score": target.score}
