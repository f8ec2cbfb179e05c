"""A sheet of whole images with the borders of their masks and their points, to look at what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .overlay import FAINT, FONT, GAP_PX, HOLE, INK, LINE_PX, PAGE, make_page, outline, shorten
from .tiles import grey_range, stretch

#: Side of a picture of the sheet, in pixels, and of the shades of what is drawn over it.
PICTURE_PX = 288
_MASK, _POINT = (86, 190, 255), (255, 106, 41)


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a sheet.

    Attributes
    ----------
    title : its id.
    words : what is wrong with it, a line each.
    image : (H, W) grey levels, None where it cannot be read.
    mask : (H, W) bool, drawn by its border; None where there is none of this size.
    points : (N, 2) as (row, column), drawn as crosses.
    """

    title: str
    words: tuple[str, ...]
    image: NDArray | None = None
    mask: NDArray[np.bool_] | None = None
    points: tuple[tuple[float, float], ...] = ()


def draw_pictures(pictures: Sequence[Picture], caption: str) -> Image.Image:
    """Draw the pictures row by row, each with its words beneath, as an RGB image."""
    columns = max(1, math.ceil(math.sqrt(1.5 * len(pictures))))
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    heights = [PICTURE_PX + 4 + LINE_PX * (1 + max(len(each.words) for each in row)) + GAP_PX for row in rows]
    width = min(columns, len(pictures)) * (PICTURE_PX + GAP_PX)
    grid = Image.new("RGB", (max(width, 1), max(sum(heights), 1)), PAGE)
    draw = ImageDraw.Draw(grid)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for place, each in enumerate(row):
            left = place * (PICTURE_PX + GAP_PX)
            grid.paste(_draw(each), (left, top))
            for number, line in enumerate((each.title, *each.words)):
                spot = (left, top + PICTURE_PX + 4 + number * LINE_PX)
                draw.text(spot, shorten(line, PICTURE_PX), fill=INK if number == 0 else FAINT, font=FONT)
        top += height
    return make_page([grid], caption)


def _draw(picture: Picture) -> Image.Image:
    canvas = Image.new("RGB", (PICTURE_PX, PICTURE_PX), HOLE)
    image = picture.image
    if image is None:
        return canvas
    sample = image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)].astype(np.float64)
    low, high = grey_range(sample[np.isfinite(sample)], np.zeros(0))
    scale = PICTURE_PX / max(image.shape)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    way = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    shown = np.array(Image.fromarray(stretch(image, low, high)).convert("RGB").resize(size, way))
    if picture.mask is not None:
        # A target of a pixel stays one, however much the picture is shrunk.
        grown = Image.fromarray(picture.mask.astype(np.uint8) * 255).resize(size, way)
        shown[outline(np.array(grown) > 0, 1)] = _MASK
    canvas.paste(Image.fromarray(shown))
    draw = ImageDraw.Draw(canvas)
    for row, column in picture.points:
        y, x = (row + 0.5) * scale, (column + 0.5) * scale
        draw.line((x - 5, y, x + 5, y), fill=_POINT)
        draw.line((x, y - 5, x, y + 5), fill=_POINT)
    return canvas
