"""Values out of annotation files, checked: what is wrong with one is a ValueError, which `at` gives file and place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ...errors import InputError, shown
from ...methods.polarity import POLARITIES
from .base import PointRow

#: Largest side of an image that a file may name, in pixels.
_MOST_PX = 1 << 24
#: What uploads get in front of their names.
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")


@contextmanager
def at(path: str, place: str) -> Iterator[None]:
    """Turn a ValueError into an `InputError` that names file and place."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path}, {place}: {error}" if place else f"{path}: {error}") from error


def as_float(value: Any, name: str) -> float:
    """A number out of JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number that is not so large, got {shown(value)}") from None


def parse_float(text: str | None, name: str) -> float:
    """A number out of text, as XML and txt have it; it may be NaN or infinite."""
    try:
        if text is None or "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {shown(text)}") from None


def as_floats(value: Any, name: str, n: int | None = None) -> list[float]:
    """A list of numbers, `n` of them where that is given."""
    items = as_list(value, name)
    if n is not None and len(items) != n:
        raise ValueError(f"{name} must hold {n} numbers, got {shown(value)}")
    return [as_float(item, name) for item in items]


def as_list(value: Any, name: str) -> list[Any]:
    """A list out of JSON; what is missing is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {shown(value)}")
    return value


def list_of(table: dict[str, Any], name: str) -> list[Any]:
    """A list that an object must have."""
    if name not in table:
        raise ValueError(f"it has no list {name}")
    return as_list(table[name], name)


def as_table(value: Any, name: str) -> dict[str, Any]:
    """An object out of JSON; what is missing is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {shown(value)}")
    return value


def as_name(value: Any, name: str) -> str:
    """A text out of JSON; numbers become text, and what is missing an empty one."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} must be text, got {shown(value)}")
    try:
        return str(value)
    except ValueError:  # more digits than Python turns into text
        raise ValueError(f"{name} must be text, got {shown(value)}") from None


def as_size(width: Any, height: Any) -> tuple[int, int] | None:
    """(height, width) of an image; None where one is missing or zero, as some tools write it."""
    sides = []
    for name, value in (("height", height), ("width", width)):
        if value in (None, ""):
            return None
        side = parse_float(value, name) if isinstance(value, str) else as_float(value, name)
        if not (0 <= side <= _MOST_PX and side == int(side)):
            raise ValueError(f"{name} must be a whole number of pixels, got {shown(value)}")
        sides.append(int(side))
    return (sides[0], sides[1]) if min(sides) > 0 else None


def traits(attributes: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """A point's own tightness and polarity out of its attributes, None for what they do not hold."""
    tightness, polarity = attributes.get("tightness"), attributes.get("polarity")
    return (
        None if tightness in (None, "") else as_tightness(tightness),
        None if polarity in (None, "") else as_polarity(polarity),
    )


def as_tightness(value: Any) -> float:
    """A tightness in [0, 1] out of text or JSON."""
    number = parse_float(value, "tightness") if isinstance(value, str) else as_float(value, "tightness")
    if math.isnan(number):
        raise ValueError(f"tightness must be a number, got {shown(value)}")
    if not 0 <= number <= 1:
        raise ValueError(f"tightness must lie in [0, 1], got {number:g}")
    return number


def as_polarity(value: Any) -> str:
    """A polarity out of text, in any case."""
    name = value.strip().lower() if isinstance(value, str) else value
    if name not in POLARITIES:
        raise ValueError(f"polarity must be one of {', '.join(POLARITIES)}, got {shown(value)}")
    return name


def corner_point(x: float, y: float, place: str = "", **more: Any) -> PointRow:
    """The point at (x, y), which count from the corner of the first pixel."""
    return PointRow(y - 0.5, x - 0.5, place, f"(x, y) = ({x:g}, {y:g})", **more)


def box_center(corners: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Centre (x, y) of the box around (x, y) corners, at least one."""
    xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def polygon_center(corners: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Centre of mass (x, y) of a polygon; the centre of its box where it has no area."""
    x0, y0 = corners[0]
    area = x_sum = y_sum = 0.0
    for k, (x1, y1) in enumerate(corners):
        x2, y2 = corners[(k + 1) % len(corners)]
        ax, ay, bx, by = x1 - x0, y1 - y0, x2 - x0, y2 - y0  # about the first corner, against rounding
        cross = ax * by - bx * ay
        area, x_sum, y_sum = area + cross, x_sum + (ax + bx) * cross, y_sum + (ay + by) * cross
    (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*corners, strict=True))
    if abs(area) > 1e-12:
        x, y = x0 + x_sum / (3 * area), y0 + y_sum / (3 * area)
        if math.isfinite(x) and math.isfinite(y) and left <= x <= right and top <= y <= bottom:
            return x, y
    return (left + right) / 2, (top + bottom) / 2


def as_corners(value: Any) -> list[tuple[float, float]]:
    """Corners (x, y) out of a list of pairs in JSON, at least one."""
    corners = []
    for item in as_list(value, "points"):
        pair = as_list(item, "a point")
        if len(pair) != 2:
            raise ValueError(f"a point must hold x and y, got {len(pair)} numbers")
        corners.append((as_float(pair[0], "x"), as_float(pair[1], "y")))
    if not corners:
        raise ValueError("points must hold at least one point, got []")
    return corners


def bare_name(name: str) -> str:
    """The name of a file without what an upload to Label Studio or LabelU put in front of it."""
    return _UPLOAD_PREFIX.sub("", name)


def pairs(values: Sequence[float], name: str, step: int = 2) -> list[Sequence[float]]:
    """Numbers in groups of `step`: x, y, and what follows them."""
    if len(values) % step:
        raise ValueError(f"{name} must hold {step} numbers a point, got {len(values)} numbers")
    return [values[k : k + step] for k in range(0, len(values), step)]
