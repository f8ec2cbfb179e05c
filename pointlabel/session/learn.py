"""The style of masks that were mended by hand, for all that are not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration, calibrate, cases_of
from ..errors import InputError
from ..folder.settings import RunSettings
from ..methods.polarity import invert
from .folder import Session

#: Masks that have to be mended before a style is learned from them.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A mended mask beside what the two styles make of its point.

    Attributes
    ----------
    index, number : of its image and its target.
    origin : (row, column) of the first pixel of the three masks.
    mended, before, after : (h, w) bool.
    """

    index: int
    number: int
    origin: tuple[int, int]
    mended: NDArray[np.bool_]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Learned:
    """A style, what it was found from, and what it changes.

    Attributes
    ----------
    found : what `calibrate` says.
    settings : those of the session, in this style.
    examples : every mended target.
    """

    found: Calibration
    settings: RunSettings
    examples: tuple[Example, ...]


def learn_style(session: Session) -> Learned:
    """Fit a style to the masks of a session that were mended by hand; nothing is changed.

    Raises
    ------
    InputError
        Where fewer than `FEWEST` were mended.
    """
    mended = [
        (item.index, click)
        for item in session.items
        if item.history is not None and item.error is None
        for click in item.history.state.clicks
        if click.is_edited
    ]
    if len(mended) < FEWEST:
        raise InputError(f"a style is learned from {FEWEST} or more masks mended by hand; there are {len(mended)} yet")
    cases, masks = [], []
    for index, click in mended:
        board = session.open(index).board
        with session.lock:
            label = board.label_of(click.number)
        if label is None or not label.mask.any():
            continue
        mask = np.zeros(board.shape, bool)
        mask[label.window] = label.mask
        image = invert(board.image) if label.polarity == "dark" else board.image
        cases += cases_of(image, np.array([[click.row, click.column]]), mask, session.item(index).file.id)
        masks.append((index, click, label.polarity, mask))
    if not cases:
        raise InputError("none of the masks mended by hand lies at its point; no style can be learned from them")
    settings = session.settings
    found = calibrate(cases, params=settings.params)
    after = replace(settings, params=found.style.params(settings.params))
    examples = []
    for index, click, polarity, mask in masks:
        image, whole = session.open(index).board.image, [mask]
        for each in (settings, after):
            tightness = each.tightness if click.tightness is None else click.tightness
            point = [(click.row, click.column)]
            whole.append(each.labeller.label(image, point, tightness=tightness, polarity=[polarity]).mask())
        rows, columns = np.nonzero(np.any(whole, 0))
        top, left = max(int(rows.min()) - 3, 0), max(int(columns.min()) - 3, 0)
        part = (slice(top, int(rows.max()) + 4), slice(left, int(columns.max()) + 4))
        examples.append(Example(index, click.number, (top, left), *(each[part] for each in whole)))
    return Learned(found, after, tuple(examples))
