"""Pictures to check masks by: contours over enlarged windows, and a sheet of the targets to trust least."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..types import ImageLabels, TargetLabel
from .tiles import GreyWindow, Tile, extent, grey_range, stretch, tiles

PANEL_PX = 720  # longest side of the picture of the whole image
MAX_TILES = 60  # an overlay of more targets shows those to trust least only
MAX_NUMBERS = 1000  # of more targets only those with a window have their number: nobody could read the others

#: Letters that no mark is taken off.
_SPELT = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "ø": "o", "Ø": "O", "ł": "l", "µ": "u"})
FONT = ImageFont.load_default(size=13)
LINE_PX = 16
GAP_PX = 8
PAGE, INK, FAINT, HOLE = (24, 24, 28), (240, 240, 240), (150, 150, 158), (66, 30, 74)
# Vermilion, yellow and sky blue stay apart for every kind of colour vision, and from grey.
_TRUST_COLOURS = ((0.4, (255, 106, 41)), (0.7, (240, 228, 66)), (1.01, (86, 190, 255)))


def draw_overlay(image: NDArray, labels: ImageLabels, window: GreyWindow | None = None) -> Image.Image:
    """Draw the whole image with a numbered box for each target, and beside it an enlarged window of each.

    The contour runs along the edges of the mask's pixels, on their outer side, so that nothing of a target is
    hidden; the ticks on a window's frame point at the row and the column of the user's point.

    Parameters
    ----------
    image : (H, W) array of real numbers, any dtype and range.
    labels : the targets, of an image of the same shape.
    window : what is shown as black and white; None stretches the whole image and each window for itself.

    Returns
    -------
    PIL.Image.Image, RGB.
    """
    cut = tiles("", image, labels, window)
    n = len(cut)
    caption = f"{image.shape[1]} x {image.shape[0]} px, {n} target{'' if n == 1 else 's'}"
    if n > MAX_TILES:
        cut = sorted(sorted(cut, key=lambda tile: tile.order)[:MAX_TILES], key=lambda tile: tile.number)
        caption += f", windows of the {MAX_TILES} to trust least"
    numbered = range(1, n + 1) if n <= MAX_NUMBERS else [tile.number for tile in cut]
    panel = _draw_panel(image, labels.targets, set(numbered), window)
    size = 384 if n == 1 else 288 if n <= 4 else 216 if n <= 12 else 168
    grid = _draw_grid(cut, size, columns=math.ceil(math.sqrt(1.2 * len(cut))), with_id=False)
    return make_page([panel] if grid is None else [panel, grid], caption)


class ContactSheet:
    """Collects the targets of lowest quality times presence, to be looked at first; at most `2 n` tiles at any time.

    Parameters
    ----------
    n : how many targets the sheet shows, at least 1.
    window : as for `draw_overlay`.
    """

    def __init__(self, n: int = 60, window: GreyWindow | None = None) -> None:
        if n < 1:
            raise InputError(f"n must be at least 1, got {n}")
        self.n = n
        self._window = window
        self.n_seen = 0
        self._tiles: list[Tile] = []

    def add(self, image_id: str, image: NDArray, labels: ImageLabels) -> None:
        """Add the targets of one image."""
        self.add_tiles(tiles(image_id, image, labels, self._window))

    def add_tiles(self, tiles: Iterable[Tile]) -> None:
        """Add tiles that were cut elsewhere; the sheet does not depend on the order in which they come."""
        for tile in tiles:
            self.n_seen += 1
            self._tiles.append(tile)
            if len(self._tiles) >= 2 * self.n:
                self._trim()

    def draw(self) -> Image.Image | None:
        """Draw the sheet, lowest first; None where no target was added."""
        self._trim()
        grid = _draw_grid(self._tiles, 168, columns=math.ceil(math.sqrt(1.7 * len(self._tiles))), with_id=True)
        if grid is None:
            return None
        shown = len(self._tiles)
        caption = f"{shown} of {self.n_seen} targets, lowest quality x presence first" if shown > 1 else "1 target"
        return make_page([grid], caption)

    def _trim(self) -> None:
        self._tiles.sort(key=lambda tile: tile.order)
        del self._tiles[self.n :]


def _colour(trust: float) -> tuple[int, int, int]:
    return next((colour for limit, colour in _TRUST_COLOURS if trust < limit), _TRUST_COLOURS[0][1])


def outline(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Pixels outside `mask` within `width` of it, rows and columns alike."""
    grown = np.pad(mask, width)
    for axis in (0, 1):
        spread = grown.copy()
        for step in range(1, width + 1):
            spread |= np.roll(grown, step, axis) | np.roll(grown, -step, axis)
        grown = spread
    return grown[width:-width, width:-width] & ~mask


def _draw_window(tile: Tile, size: int) -> Image.Image:
    """Enlarge a tile's pixels to a square of `size` and draw contours and ticks."""
    zoom = size / tile.window.shape[0]
    source = (np.arange(size) / zoom).astype(int)  # pixels differ in width by one at most

    def enlarge(array: NDArray) -> NDArray:
        return array[source[:, None], source]

    picture = np.repeat(enlarge(tile.window)[..., None], 3, axis=2)
    picture[enlarge(tile.hole)] = HOLE
    mask = enlarge(tile.mask)
    picture[outline(enlarge(tile.others), 1) & ~mask] = FAINT
    picture[outline(mask, int(min(3, max(1, zoom // 3))))] = _colour(tile.trust)
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    row, column = ((value + 0.5) * zoom for value in tile.point)
    tick, last = max(6, size // 24), size - 1
    ticks = ((0, row, tick, row), (last - tick, row, last, row), (column, 0, column, tick))
    for line in (*ticks, (column, last - tick, column, last)):
        draw.line(line, fill=INK, width=2)
    return canvas


def _caption_lines(tile: Tile, size: int, with_id: bool) -> list[str]:
    lines = [shorten(f"{tile.image_id}", size)] if with_id else []
    lines.append(f"#{tile.number}  quality {tile.quality:.2f}  {tile.area} px")
    line = "" if tile.presence is None else f"presence {tile.presence:.2f}"
    for flag in tile.flags:
        longer = f"{line}, {flag}" if line else flag
        if line and FONT.getlength(longer) > size:
            lines.append(line + ",")
            longer = flag
        line = longer
    return [*lines, line] if line else lines


def shorten(text: str, width: int) -> str:
    """Letters that the font has, and as many from both ends as are at most `width` pixels wide."""
    text = drawable(text)
    short, keep = text, len(text)
    while keep > 4 and FONT.getlength(short) > width:
        keep -= 1
        short = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
    return short


def drawable(text: str) -> str:
    """The text in ASCII, whose letters the font has: others lose their marks, and what is left becomes ``?``."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPELT))
    return "".join(letter if letter.isascii() else "?" for letter in plain if not unicodedata.combining(letter))


def _draw_grid(shown: Sequence[Tile], size: int, columns: int, with_id: bool) -> Image.Image | None:
    """Draw the tiles row by row, each with its caption beneath."""
    if not shown:
        return None
    captions = [_caption_lines(tile, size, with_id) for tile in shown]
    rows = [range(start, min(start + columns, len(shown))) for start in range(0, len(shown), columns)]
    heights = [size + 4 + LINE_PX * max(len(captions[k]) for k in row) + GAP_PX for row in rows]
    width = min(columns, len(shown)) * (size + GAP_PX) - GAP_PX
    grid = Image.new("RGB", (width, sum(heights)), PAGE)
    draw = ImageDraw.Draw(grid)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for place, k in enumerate(row):
            left = place * (size + GAP_PX)
            grid.paste(_draw_window(shown[k], size), (left, top))
            for number, line in enumerate(captions[k]):
                title = number == int(with_id)
                ink = _colour(shown[k].trust) if title else INK if number == 0 else FAINT
                draw.text((left, top + size + 4 + number * LINE_PX), line, fill=ink, font=FONT)
        top += height
    return grid


def _draw_panel(
    image: NDArray, targets: Sequence[TargetLabel], numbered: set[int], window: GreyWindow | None
) -> Image.Image:
    """The whole image with a box around each target, and the number of those in `numbered`, counting from 1."""
    stride = max(1, max(image.shape) // 1000)
    sample = image[::stride, ::stride].astype(np.float64)
    finite = np.isfinite(sample)
    low, high = grey_range(sample[finite], np.zeros(0)) if window is None else window.of(image)
    picture = Image.fromarray(stretch(image, low, high)).convert("RGB")
    if image.dtype.kind == "f":
        picture.paste(HOLE, mask=Image.fromarray(~np.isfinite(image)))
    scale = PANEL_PX / max(image.shape)
    scale = float(math.floor(scale)) if scale >= 1 else scale
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    picture = picture.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX)
    draw = ImageDraw.Draw(picture)
    boxes = []
    for target in targets:
        rows, columns = extent(target)
        grow = max(3.0, (14 - (max(rows[1] - rows[0], columns[1] - columns[0])) * scale) / 2)
        boxes.append(
            (columns[0] * scale - grow, rows[0] * scale - grow, columns[1] * scale + grow, rows[1] * scale + grow)
        )
    taken = np.array(boxes, np.float64).reshape(-1, 4)
    for number, (box, target) in enumerate(zip(boxes, targets, strict=True), start=1):
        draw.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=(0, 0, 0), width=1)
        draw.rectangle(box, outline=_colour(target.trust), width=1)
        if number not in numbered:
            continue
        spot = _place_label(f"{number}", box, size, taken)
        taken = np.vstack([taken, spot])
        draw.text(spot[:2], f"{number}", fill=INK, font=FONT, stroke_width=2, stroke_fill=(0, 0, 0))
    return picture


_Box = tuple[float, float, float, float]


def _place_label(text: str, box: _Box, size: tuple[int, int], taken: NDArray[np.float64]) -> _Box:
    """Corner of the box, inside the picture, where the label covers the least of the boxes (n, 4) `taken`."""
    width, height = FONT.getlength(text) + 2, float(LINE_PX - 2)
    best: tuple[float, _Box] | None = None
    for left in (box[2] + 2, box[0] - width - 2, (box[0] + box[2] - width) / 2):
        for top in (box[1] - height, box[3], (box[1] + box[3] - height) / 2):
            x, y = min(max(left, 0), max(size[0] - width, 0)), min(max(top, 0), max(size[1] - height, 0))
            spot = (x, y, x + width, y + height)
            across = np.minimum(taken[:, 2:], spot[2:]) - np.maximum(taken[:, :2], spot[:2])
            covered = float(np.maximum(across, 0).prod(axis=1).sum())
            if best is None or covered < best[0]:
                best = (covered, spot)
    assert best is not None
    return best[1]


def make_page(parts: Sequence[Image.Image], caption: str) -> Image.Image:
    """Put the parts side by side under a caption."""
    top = LINE_PX + 2 * GAP_PX
    widths = [part.width for part in parts]
    width = max(sum(widths) + GAP_PX * (len(parts) + 1), math.ceil(FONT.getlength(caption)) + 2 * GAP_PX)
    page = Image.new("RGB", (width, top + max(part.height for part in parts) + GAP_PX), PAGE)
    ImageDraw.Draw(page).text((GAP_PX, GAP_PX), caption, fill=INK, font=FONT)
    left = GAP_PX
    for part in parts:
        page.paste(part, (left, top))
        left += part.width + GAP_PX
    return page
