"""One image with its targets: every action is answered by the masks that `annotate` gives for the same points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import as_image
from ..labeling import Labeller, open_labeller
from ..methods.crop_grid import CropGrid
from ..methods.targets import window_around
from ..types import ImageLabels, TargetLabel
from .history import History
from .state import Action, Click, Pixel, State

#: A point reaches this far from its pixel whatever its mask: two points 2 px from one peak, and a hole beside them.
_REACH_PX = 5
#: Labels of groups that are kept, so that undo is answered without work.
_MOST_KEPT = 4096


class _Part(NamedTuple):
    window: tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class _Edited:
    """A target after the brush, with what it was made of."""

    raw: TargetLabel
    on: frozenset[Pixel]
    off: frozenset[Pixel]
    taken: frozenset[Pixel]
    made: TargetLabel


class TargetBoard:
    """The targets of one image, without any file.

    Masks are those of `Labeller.label` for all points at once; but only targets that meet are labelled again, so an
    action costs about a millisecond however many targets the image has.

    Parameters
    ----------
    image : (H, W) grey levels, as for `annotate`.
    labeller : what labels; None for the default method. Keep one for all images: the first label loads the kernels.
    tightness : in [0, 1], of clicks without their own.
    history : what was done before.

    Examples
    --------
    >>> from pointlabel.session import TargetBoard
    >>> from pointlabel.synthetic import draw_scene
    >>> scene = draw_scene(seed=1)
    >>> board = TargetBoard(scene.image)
    >>> row, column = scene.points[0]
    >>> board.add(row, column)
    1
    >>> board.labels.targets[0].area > 0
    True
    >>> board.undo()
    True
    >>> len(board.labels.targets)
    0
    """

    def __init__(
        self,
        image: NDArray,
        labeller: Labeller | None = None,
        *,
        tightness: float = 0.5,
        history: History | None = None,
    ) -> None:
        self.image = as_image(image)
        self.shape = (self.image.shape[0], self.image.shape[1])
        self.labeller = open_labeller() if labeller is None else labeller
        self.tightness = tightness
        self.history = History() if history is None else history
        self._kept: dict[tuple[Any, ...], tuple[TargetLabel, ...]] = {}
        self._edited: dict[int, _Edited] = {}
        self._made: tuple[tuple[Click, ...], ImageLabels] | None = None

    @property
    def state(self) -> State:
        """What the person said."""
        return self.history.state

    @property
    def labels(self) -> ImageLabels:
        """The targets in the order of the clicks; a target that an action did not touch stays the same object."""
        clicks = self.state.clicks
        if self._made is None or self._made[0] != clicks:
            self._made = clicks, ImageLabels(self.shape, tuple(self._brushed(clicks, self._label(clicks))))
        return self._made[1]

    def label_of(self, target: int) -> TargetLabel | None:
        """The label of a target by its number; None where there is no such target."""
        pairs = zip(self.state.clicks, self.labels.targets, strict=True)
        return next((label for click, label in pairs if click.number == target), None)

    def do(self, action: Action) -> bool:
        """Do an action (`state.ACTIONS`, "undo", "redo"); whether it changed anything. Errors as `apply_action`."""
        return self.history.do(action, self.shape)

    def add(self, row: float, column: float, **style: Any) -> int:
        """Add a target; `style` may hold tightness, polarity, label and source. Returns its number."""
        self.do({"do": "add", "x": column, "y": row, **style})
        return self.state.clicks[-1].number

    def move(self, target: int, row: float, column: float) -> bool:
        """Move the point of a target."""
        return self.do({"do": "move", "target": target, "x": column, "y": row})

    def remove(self, target: int) -> bool:
        """Remove a target."""
        return self.do({"do": "remove", "target": target})

    def restyle(self, target: int, **style: Any) -> bool:
        """Change tightness, polarity or label of a target; None is the session's."""
        return self.do({"do": "restyle", "target": target, **style})

    def brush(self, target: int, on: Sequence[Pixel] = (), off: Sequence[Pixel] = ()) -> bool:
        """Draw and erase pixels (row, column) of a target by hand; they stay so whatever the point does."""
        flipped = ([[int(column), int(row)] for row, column in pixels] for pixels in (on, off))
        return self.do({"do": "brush", "target": target, **dict(zip(("on", "off"), flipped, strict=True))})

    def undo(self) -> bool:
        """Take the last action back; False where there is none."""
        return self.do({"do": "undo"})

    def redo(self) -> bool:
        """Do again what was undone; False where there is nothing."""
        return self.do({"do": "redo"})

    def accept(self, accepted: bool = True) -> bool:
        """Say that the masks are good."""
        return self.do({"do": "accept", "accepted": accepted})

    def relabel(self, labeller: Labeller, tightness: float) -> None:
        """Go on with another labeller; the clicks and their history stay."""
        self.labeller, self.tightness = labeller, tightness
        self._kept.clear()
        self._made = None

    def _label(self, clicks: Sequence[Click]) -> list[TargetLabel]:
        """Label the clicks in groups whose windows do not meet: each is what it would be among all."""
        groups = [[index] for index in range(len(clicks))]
        while True:
            made: list[TargetLabel | None] = [None] * len(clicks)
            for group in groups:
                for index, target in zip(group, self._label_group([clicks[i] for i in group]), strict=True):
                    made[index] = target
            targets = [target for target in made if target is not None]
            merged = _merge(groups, [self._reach(*pair) for pair in zip(clicks, targets, strict=True)])
            if len(merged) == len(groups):
                return targets
            groups = merged

    def _label_group(self, clicks: Sequence[Click]) -> tuple[TargetLabel, ...]:
        key = tuple((click.row, click.column, click.tightness, click.polarity) for click in clicks)
        found = self._kept.get(key)
        if found is None:
            found = self.labeller.label(
                self.image,
                [(click.row, click.column) for click in clicks],
                tightness=[self.tightness if click.tightness is None else click.tightness for click in clicks],
                polarity=[click.polarity or self.labeller.polarity for click in clicks],
            ).targets
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _reach(self, click: Click, target: TargetLabel) -> _Part:
        """What part of the image a target may share with others."""
        top, bottom, left, right = window_around(click.pixel, _REACH_PX, self.shape)
        rows, columns = target.window
        return _Part(
            (
                slice(min(top, rows.start), max(bottom, rows.stop)),
                slice(min(left, columns.start), max(right, columns.stop)),
            )
        )

    def _brushed(self, clicks: Sequence[Click], targets: list[TargetLabel]) -> list[TargetLabel]:
        """Draw and erase what was drawn and erased by hand; a drawn pixel is taken from the other targets."""
        drawn = frozenset().union(*(click.on for click in clicks))
        if not drawn and not any(click.off for click in clicks):
            return targets
        out = []
        for click, raw in zip(clicks, targets, strict=True):
            rows, columns = raw.window
            taken = frozenset(
                (row, column)
                for row, column in drawn - click.on
                if rows.start <= row < rows.stop and columns.start <= column < columns.stop
            )
            kept = self._edited.get(click.number)
            if kept is None or kept.raw is not raw or (kept.on, kept.off, kept.taken) != (click.on, click.off, taken):
                kept = _Edited(raw, click.on, click.off, taken, self._edit(raw, click, taken))
                self._edited[click.number] = kept
            out.append(kept.made)
        return out

    def _edit(self, raw: TargetLabel, click: Click, taken: frozenset[Pixel]) -> TargetLabel:
        if self.image.dtype.kind == "f":
            on = [pixel for pixel in click.on if np.isfinite(self.image[pixel])]
        else:
            on = list(click.on)
        off = [*click.off, *taken]
        if not on and not off:
            return raw
        rows, columns = raw.window
        top, left = (min([axis.start, *(p[k] for p in on)]) for k, axis in enumerate((rows, columns)))
        bottom, right = (max([axis.stop, *(p[k] + 1 for p in on)]) for k, axis in enumerate((rows, columns)))
        margins = ((rows.start - top, bottom - rows.stop), (columns.start - left, right - columns.stop))
        mask, soft = np.pad(raw.mask, margins), np.pad(raw.soft, margins)
        for value, pixels in ((False, off), (True, on)):
            for row, column in pixels:
                if top <= row < bottom and left <= column < right:
                    mask[row - top, column - left] = value
                    soft[row - top, column - left] = value
        edited = ("edited",) if click.is_edited else ()
        return replace(raw, origin=(top, left), mask=mask, soft=soft, flags=tuple(sorted({*raw.flags, *edited})))


def _merge(groups: list[list[int]], reaches: Sequence[_Part]) -> list[list[int]]:
    """Join the groups of which two reaches overlap; the members of each in ascending order."""
    owner = list(range(len(reaches)))

    def find(index: int) -> int:
        while owner[index] != index:
            owner[index] = owner[owner[index]]
            index = owner[index]
        return index

    pairs = [(group[0], other) for group in groups for other in group[1:]] + CropGrid(reaches).overlapping()
    for a, b in pairs:
        owner[find(b)] = find(a)
    merged: dict[int, list[int]] = {}
    for index in range(len(reaches)):
        merged.setdefault(find(index), []).append(index)
    return list(merged.values())
