"""Boxes and points as CSV tables with a row for each target, and one without numbers for an image that has none."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

from ..text import encode_text, harmless
from .base import ImageMasks, MaskTarget, Out

BOXES_FILE, POINTS_FILE = "boxes.csv", "points.csv"


def write_boxes(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``boxes.csv``: left, top, width and height in pixels, area, category and score."""
    columns = ("left", "top", "width", "height", "area", "label", "score")
    out.write(BOXES_FILE, _table(images, columns, lambda target: (*target.box, target.area, *_about(target))))


def write_points(images: Iterable[ImageMasks], out: Out) -> None:
    """Write ``points.csv`` as ``annotate -p`` reads it: centres of pixels at whole numbers."""

    def values(target: MaskTarget) -> tuple[Any, ...]:
        row, column = target.spot()
        return f"{column:.10g}", f"{row:.10g}", harmless(target.label)

    out.write(POINTS_FILE, _table(images, ("x", "y", "label"), values))


def _about(target: MaskTarget) -> tuple[Any, ...]:
    return harmless(target.label), "" if target.score is None else f"{target.score:.6g}"


def _table(
    images: Iterable[ImageMasks], columns: tuple[str, ...], values: Callable[[MaskTarget], tuple[Any, ...]]
) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", *columns))
    for image in images:
        name = harmless(image.file or image.id)
        writer.writerows((name, *values(target)) for target in image.targets)
        if not image.targets:
            writer.writerow((name, *("" for _ in columns)))
    return encode_text(text.getvalue())
