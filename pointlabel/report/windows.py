"""Windows around targets as small pictures: grey levels, their surface, outlines of masks."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..io.masks.png import encode_grey

#: Sides of a window in pixels.
SMALLEST_PX, LARGEST_PX = 27, 129
_SURFACE_POINTS = 27  # most grid lines of a surface on each axis: more only make the file larger
_RAMP = ("#1b1044", "#43117b", "#721f81", "#a1307e", "#d3436e", "#f1605d", "#fb8861", "#feb078", "#fed799", "#fcfdbf")


def window_around(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """First row, first column and side of a square window around a mask, which may reach out of the image."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return window_of(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


def window_of(top: int, left: int, height: int, width: int) -> tuple[int, int, int]:
    """The same around a box."""
    side = min(max(2 * max(height, width) + 13, SMALLEST_PX), LARGEST_PX)
    return (2 * top + height - side) // 2, (2 * left + width - side) // 2, side


def cut(image: NDArray, top: int, left: int, side: int) -> NDArray[np.float64]:
    """The window of an image as (side, side) float64; pixels outside the image repeat its border."""
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return np.nan_to_num(image[np.ix_(rows, columns)].astype(np.float64), posinf=0.0, neginf=0.0)


def stretch(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """A window from 0 to 1; its darkest and brightest 0.3 % are cut off."""
    low, high = np.percentile(window, (0.3, 99.7))
    return np.clip((window - low) / (high - low), 0, 1) if high > low else np.full(window.shape, 0.5)


def picture(window: NDArray[np.float64]) -> str:
    """A stretched window as a PNG inside the page (a data URL). Dark tones are brightened a little."""
    png = encode_grey(np.rint(stretch(window) ** 0.8 * 255).astype(np.uint8))
    return f"url(data:image/png;base64,{base64.b64encode(png).decode()})"


def outline(mask: NDArray[np.bool_], kind: str) -> str:
    """Border of a mask along the edges of its pixels, as an SVG path in pixels of the window."""
    around = np.pad(mask, 1)
    parts = []
    for row, column in np.argwhere(around[1:, 1:-1] != around[:-1, 1:-1]).tolist():
        parts.append(f"M{column} {row}h1")
    for row, column in np.argwhere(around[1:-1, 1:] != around[1:-1, :-1]).tolist():
        parts.append(f"M{column} {row}v1")
    return f'<path class="outline {kind}" d="{"".join(parts)}"/>'


def tile(title: str, note: str, side: int, *drawn: str, bad: bool = False) -> str:
    """The window with outlines and two lines of text below; the card around it sets the picture."""
    about = ' class="bad"' if bad else ""
    return (
        f'<div class="tile"><div class="view"><svg viewBox="0 0 {side} {side}">{"".join(drawn)}</svg></div>'
        f'<b title="{escape(title)}">{escape(title)}</b><span{about}>{escape(note)}</span></div>'
    )


def card(
    window: NDArray[np.float64], title: str, about: str, tiles: Sequence[str], data: Mapping[str, str] | None = None
) -> str:
    """Tiles of one window with a line of text above; `about` may hold HTML, a script finds `data` by its names."""
    known = "".join(f' data-{name}="{escape(value)}"' for name, value in (data or {}).items())
    return (
        f'<div class="window"{known} style="--picture:{picture(window)}"><header><b>{escape(title)}</b>'
        f'<span class="faint">{about}</span></header><div class="tiles">{"".join(tiles)}</div></div>'
    )


def cut_mask(mask: NDArray[np.bool_], top: int, left: int, side: int) -> NDArray[np.bool_]:
    """The window of a mask as (side, side) bool; False outside the image."""
    out = np.zeros((side, side), bool)
    rows, columns = (slice(max(start, 0), max(start + side, 0)) for start in (top, left))
    part = mask[rows, columns]
    out[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]] = part
    return out


def surface(window: NDArray[np.float64]) -> str:
    """The grey levels of a window as a surface seen from above the lower corner, (width 200, height 200)."""
    heights = stretch(window)
    step = -(-heights.shape[0] // _SURFACE_POINTS)
    side = heights.shape[0] // step
    # The brightest pixel of each block, so that a target of three pixels keeps its peak.
    heights = heights[: side * step, : side * step].reshape(side, step, side, step).max(axis=(1, 3))
    row, column = np.mgrid[:side, :side] / (side - 1)
    x = np.rint(100 + 96 * (column - row)).astype(int)
    y = np.rint(84 + 52 * (column + row) - 76 * heights).astype(int)
    shade = (heights[:-1, :-1] + heights[1:, :-1] + heights[:-1, 1:] + heights[1:, 1:]) / 4
    colours = np.minimum((shade * len(_RAMP)).astype(int), len(_RAMP) - 1)
    faces = []
    for r in range(side - 1):  # from the back to the front
        for c in range(side - 1):
            corners = ((r, c), (r, c + 1), (r + 1, c + 1), (r + 1, c))
            path = "L".join(f"{x[corner]} {y[corner]}" for corner in corners)
            faces.append(f'<path class="s{colours[r, c]}" d="M{path}z"/>')
    return f'<svg viewBox="0 0 200 200" class="surface">{"".join(faces)}</svg>'


def surface_style() -> str:
    """Colours of surfaces, once per page."""
    rules = "".join(f".s{k}{{fill:{colour}}}" for k, colour in enumerate(_RAMP))
    return f"<style>.surface path{{stroke:#0006;stroke-width:.35}}{rules}</style>"
