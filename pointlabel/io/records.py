"""The record of a target: the same keys wherever targets are listed as JSON."""

from __future__ import annotations

from typing import Any

from ..types import TargetLabel
from .points.base import PointRow


def target_record(target: TargetLabel, row: PointRow | None = None) -> dict[str, Any]:
    """The record of one target, as the manifest has it.

    Parameters
    ----------
    target : the label.
    row : what the file of points says about its point; None where there is no file.

    Returns
    -------
    dict that JSON can hold:

    - ``x``, ``y``: the point, x to the right and y down, centres of pixels at whole numbers;
    - ``box``: left, top, width and height of the mask in pixels, None where the mask is empty;
    - ``area``: pixels of the mask; ``quality``: the expected IoU; ``flags``: out of `pointlabel.types.FLAGS`;
    - ``presence``: the chance that the point is on a target, None where the method does not know;
    - ``polarity``: "bright" or "dark"; ``ms``: milliseconds spent on the target;
    - ``label``, ``id``, ``tightness``: of the point, where its file gives them.
    """
    box = target.box
    record: dict[str, Any] = {
        "x": float(target.point[1]),
        "y": float(target.point[0]),
        "box": None if box is None else [box[1], box[0], box[3] - box[1], box[2] - box[0]],
        "area": target.area,
        "quality": round(float(target.quality), 6),
        "presence": None if target.presence is None else round(float(target.presence), 6),
        "flags": list(target.flags),
        "polarity": target.polarity,
        "ms": round(float(target.time_ms), 3),
    }
    named = {} if row is None else {"label": row.label, "id": row.id, "tightness": row.tightness}
    return record | {key: value for key, value in named.items() if value not in (None, "")}
