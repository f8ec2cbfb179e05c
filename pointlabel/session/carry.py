"""Carry a target from one frame of a sequence to the next ones, along its peak, until it is lost."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..methods.polarity import invert
from ..methods.targets import window_around
from .folder import Session

#: How far from where it is expected a peak is looked for, and what its contrast is taken over, in pixels.
SEARCH_PX, AROUND_PX = 8, 15
#: A target is lost where its contrast falls below this share of what it was, its presence below this, its area
#: changes more than so many times, or after so many frames.
LEAST_SHARE, LEAST_PRESENCE, MOST_AREA, MOST_FRAMES = 0.35, 0.5, 5.0, 500


@dataclass(frozen=True, slots=True)
class Carried:
    """A click that was carried to another image: the number of the image and of the target there, and its trust."""

    index: int
    number: int
    row: int
    column: int
    trust: float


def carry(session: Session, index: int, number: int) -> list[Carried]:
    """Click on a target of an image in the images after it, as long as it is found there.

    Each is an action of its own in its image, and can be undone there. Images of one folder are one sequence. It ends
    where the peak is lost, or where the next image has a target at that place.

    Raises
    ------
    InputError
        Where there is no such target.
    """
    board = session.open(index).board
    with session.lock:
        click = board.state.click(number)
        label = board.label_of(number)
    assert label is not None  # `state.click` has looked
    polarity, shape, folder = label.polarity, board.shape, os.path.dirname(session.item(index).file.shown)
    place, step = click.pixel, (0.0, 0.0)
    contrast = _contrast(board.image, polarity, place)[1]
    out: list[Carried] = []
    for item in session.items[index + 1 : index + 1 + MOST_FRAMES]:
        if os.path.dirname(item.file.shown) != folder:
            break
        try:
            board = session.open(item.index).board
        except InputError:
            break
        if board.shape != shape:
            break
        expected = (round(place[0] + step[0]), round(place[1] + step[1]))
        if not (0 <= expected[0] < shape[0] and 0 <= expected[1] < shape[1]):
            break
        found, height = _contrast(board.image, polarity, expected, SEARCH_PX)
        if height < LEAST_SHARE * contrast or board.labels.mask()[found] or board.state.at(found) is not None:
            break
        tightness = board.tightness if click.tightness is None else click.tightness
        seen = board.labeller.label(board.image, [found], tightness=tightness, polarity=[polarity]).targets[0]
        ratio = max(seen.area, 1) / max(label.area, 1)
        if (seen.presence or 0) < LEAST_PRESENCE or not 1 / MOST_AREA <= ratio <= MOST_AREA:
            break
        action = {"do": "add", "x": found[1], "y": found[0], "source": "carried", "label": click.label}
        style = {"tightness": click.tightness, "polarity": click.polarity}
        session.do(item.index, action | {key: value for key, value in style.items() if value is not None})
        out.append(Carried(item.index, board.state.clicks[-1].number, *found, round(seen.trust, 4)))
        moved = (found[0] - place[0], found[1] - place[1])
        step = (moved[0], moved[1]) if len(out) == 1 else (0.5 * (step[0] + moved[0]), 0.5 * (step[1] + moved[1]))
        place, label, contrast = found, seen, 0.7 * contrast + 0.3 * height
    return out


def _contrast(image: NDArray, polarity: str, centre: tuple[int, int], reach: int = 2) -> tuple[tuple[int, int], float]:
    """The pixel near `centre` that stands out most, nearer ones preferred, and how far it does, in grey levels."""
    top, bottom, left, right = window_around(centre, reach + AROUND_PX, image.shape)
    part = (invert(image) if polarity == "dark" else image)[top:bottom, left:right].astype(np.float64)
    finite = np.isfinite(part)
    if not finite.any():
        return centre, 0.0
    part = np.where(finite, part, np.median(part[finite]))
    height = ndimage.uniform_filter(part, 3) - np.median(part)
    rows = np.arange(top, bottom)[:, None] - centre[0]
    columns = np.arange(left, right) - centre[1]
    far = rows**2 + columns**2
    score = np.where(
        np.maximum(np.abs(rows), np.abs(columns)) <= reach, height * np.exp(-far / (2 * reach**2)), -np.inf
    )
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    return (top + int(row), left + int(column)), float(height[row, column])
