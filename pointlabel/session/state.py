"""The clicks of one image, and what an action makes of them: plain values, no pixels of the image.

An action is a dict that JSON can hold, so that a journal can be played again: `x` to the right and `y` down, centres of
pixels at whole numbers, as in a manifest. `ACTIONS` lists them with their keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._values import as_choice, as_number
from ..errors import InputError, name_hint, shown
from ..io.points.base import PointRow
from ..methods.polarity import POLARITIES

Pixel = tuple[int, int]
Action = dict[str, Any]
Shape = tuple[int, int]

#: Where a click can come from; "" is a hand.
SOURCES = ("", "points", "proposal", "carried")
_LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class Click:
    """One target as a person asks for it.

    Attributes
    ----------
    number : of the target in its image, from 1; it stays when others are removed.
    row, column : inside the image.
    tightness : in [0, 1], None for the session's.
    polarity : "bright", "dark" or "auto", None for the session's.
    label, name : what the table of points calls the columns label and id.
    on, off : (row, column) of pixels that were drawn and erased by hand.
    source : out of `SOURCES`.
    """

    number: int
    row: float
    column: float
    tightness: float | None = None
    polarity: str | None = None
    label: str = ""
    name: str = ""
    on: frozenset[Pixel] = frozenset()
    off: frozenset[Pixel] = frozenset()
    source: str = ""

    @property
    def pixel(self) -> Pixel:
        """Nearest pixel, halves rounded down, as `annotate` takes it."""
        return math.ceil(self.row - 0.5), math.ceil(self.column - 0.5)

    @property
    def is_edited(self) -> bool:
        """Whether pixels were drawn or erased by hand."""
        return bool(self.on or self.off)

    def start(self) -> dict[str, Any]:
        """The click as one that was there before anybody clicked, for `start_state`."""
        named = {"tightness": self.tightness, "polarity": self.polarity, "label": self.label, "id": self.name}
        return {"x": self.column, "y": self.row} | {
            key: value for key, value in named.items() if value not in (None, "")
        }

    def point_row(self) -> PointRow:
        """The click as a row of a table of points."""
        return PointRow(self.row, self.column, "", "", self.tightness, self.label, self.name, self.polarity or "")


@dataclass(frozen=True, slots=True)
class State:
    """All that a person said of one image.

    Attributes
    ----------
    clicks : in the order in which they were made.
    is_accepted : whether the masks were looked at and found good; any change takes that back.
    refused : (row, column) of proposals that are no targets.
    next_number : of the next target.
    """

    clicks: tuple[Click, ...] = ()
    is_accepted: bool = False
    refused: frozenset[Pixel] = field(default=frozenset())
    next_number: int = 1

    def click(self, number: object) -> Click:
        """The click of a target; `InputError` where there is none."""
        for click in self.clicks:
            if click.number == number:
                return click
        raise InputError(f"there is no target {shown(number)} in this image")

    def at(self, pixel: Pixel) -> Click | None:
        """The click in a pixel."""
        return next((click for click in self.clicks if click.pixel == pixel), None)


def start_state(clicks: Iterable[dict[str, Any]]) -> State:
    """State of an image that has targets before anybody clicks; each as `Click.start` has it.

    Raises
    ------
    InputError
        Where a value is none that a click can have.
    """
    made = []
    for number, given in enumerate(clicks, start=1):
        x, y = (as_number(given.get(key), key) for key in ("x", "y"))
        made.append(Click(number, y, x, *_style(given), _text(given, "label"), _text(given, "id"), source="points"))
    return State(tuple(made), next_number=len(made) + 1)


def state_of_points(rows: Iterable[PointRow], places: Iterable[Sequence[float]]) -> State:
    """State of an image whose points come from a file, fitted to (row, column) `places` of it."""
    clicks = tuple(
        Click(n, place[0], place[1], row.tightness, row.polarity or None, row.label, row.id, source="points")
        for n, (row, place) in enumerate(zip(rows, places, strict=True), start=1)
    )
    return State(clicks, next_number=len(clicks) + 1)


def apply_action(state: State, action: Action, shape: Shape) -> State:
    """What an action makes of a state.

    Parameters
    ----------
    state : before.
    action : ``{"do": NAME, ...}`` with NAME out of `ACTIONS`.
    shape : (height, width) of the image.

    Raises
    ------
    InputError
        Where there is no such action or target, a value is out of range, the point lies outside the image, or another
        target has its pixel.
    """
    name = action.get("do")
    if not isinstance(name, str) or name not in ACTIONS:
        raise InputError(f"there is no action {shown(name)}; {name_hint(name, ACTIONS)}")
    do, keys = ACTIONS[name]
    for key in action:
        if key not in ("do", *keys):
            raise InputError(f"action {name} has no {shown(key)}; {name_hint(key, keys)}")
    after = do(state, action, shape)
    return after if name == "accept" or after is state else replace(after, is_accepted=False)


def _add(state: State, action: Action, shape: Shape) -> State:
    row, column = _place(action, shape)
    source = action.get("source", "")
    as_choice(source, "source", SOURCES)
    click = Click(state.next_number, row, column, *_style(action), _text(action, "label"), source=source)
    _refuse_taken(state, click)
    return replace(state, clicks=(*state.clicks, click), next_number=state.next_number + 1)


def _move(state: State, action: Action, shape: Shape) -> State:
    row, column = _place(action, shape)
    return _with(state, replace(state.click(action.get("target")), row=row, column=column))


def _remove(state: State, action: Action, shape: Shape) -> State:
    gone = state.click(action.get("target"))
    return replace(state, clicks=tuple(click for click in state.clicks if click is not gone))


def _restyle(state: State, action: Action, shape: Shape) -> State:
    click = state.click(action.get("target"))
    tightness, polarity = _style(action)
    changes: dict[str, Any] = {"tightness": tightness, "polarity": polarity, "label": _text(action, "label")}
    return _with(state, replace(click, **{key: value for key, value in changes.items() if key in action}))


def _brush(state: State, action: Action, shape: Shape) -> State:
    click = state.click(action.get("target"))
    on, off = _pixels(action, "on", shape), _pixels(action, "off", shape)
    if on & off:
        raise InputError(f"a pixel cannot be drawn and erased at once, got {min(on & off)[::-1]} as (x, y) in both")
    if not on and not off:
        return state
    brushed = replace(click, on=(click.on | on) - off, off=(click.off | off) - on)
    others = (replace(each, on=each.on - on) if each.on & on else each for each in state.clicks)
    clicks = tuple(brushed if each.number == click.number else each for each in others)
    return replace(state, clicks=clicks)


def _unbrush(state: State, action: Action, shape: Shape) -> State:
    return _with(state, replace(state.click(action.get("target")), on=frozenset(), off=frozenset()))


def _accept(state: State, action: Action, shape: Shape) -> State:
    accepted = action.get("accepted", True)
    if not isinstance(accepted, bool):
        raise InputError(f"accepted must be true or false, got {shown(accepted)}")
    return state if accepted == state.is_accepted else replace(state, is_accepted=accepted)


def _refuse(state: State, action: Action, shape: Shape) -> State:
    row, column = _place(action, shape)
    return replace(state, refused=state.refused | {(math.ceil(row - 0.5), math.ceil(column - 0.5))})


#: Each action with what does it and the keys it may have.
ACTIONS: dict[str, tuple[Callable[[State, Action, Shape], State], tuple[str, ...]]] = {
    "add": (_add, ("x", "y", "tightness", "polarity", "label", "source")),
    "move": (_move, ("target", "x", "y")),
    "remove": (_remove, ("target",)),
    "restyle": (_restyle, ("target", "tightness", "polarity", "label")),
    "brush": (_brush, ("target", "on", "off")),
    "unbrush": (_unbrush, ("target",)),
    "accept": (_accept, ("accepted",)),
    "refuse": (_refuse, ("x", "y")),
}


def _with(state: State, changed: Click) -> State:
    _refuse_taken(state, changed)
    clicks = tuple(changed if click.number == changed.number else click for click in state.clicks)
    return replace(state, clicks=clicks)


def _refuse_taken(state: State, click: Click) -> None:
    other = state.at(click.pixel)
    if other is not None and other.number != click.number:
        x, y = click.pixel[::-1]
        raise InputError(f"target {other.number} has the pixel ({x}, {y}) already")


def _place(action: Action, shape: Shape) -> tuple[float, float]:
    x, y = (as_number(action.get(key), key, -0.5, size) for key, size in (("x", shape[1]), ("y", shape[0])))
    row, column = (y + 0.5) - 0.5, (x + 0.5) - 0.5  # the bits that `fit_points` makes of them
    if row >= shape[0] - 0.5 or column >= shape[1] - 0.5:
        raise InputError(f"the point must lie inside the {shape[1]} x {shape[0]} image, got ({x:g}, {y:g})")
    return row, column


def _style(action: Action) -> tuple[float | None, str | None]:
    tightness, polarity = action.get("tightness"), action.get("polarity")
    if polarity is not None:
        as_choice(polarity, "polarity", POLARITIES)
    return None if tightness is None else as_number(tightness, "tightness", 0, 1), polarity


def _text(action: Action, key: str) -> str:
    text = action.get(key, "")
    if not isinstance(text, str) or len(text) > _LONGEST_LABEL or not text.isprintable():
        raise InputError(f"{key} must be at most {_LONGEST_LABEL} printable letters, got {shown(text)}")
    return text


def _pixels(action: Action, key: str, shape: Shape) -> frozenset[Pixel]:
    given = action.get(key, [])
    good = isinstance(given, list) and all(
        isinstance(each, list | tuple)
        and len(each) == 2
        and all(isinstance(part, int) and not isinstance(part, bool) for part in each)
        and 0 <= each[0] < shape[1]
        and 0 <= each[1] < shape[0]
        for each in given
    )
    if not good:
        raise InputError(
            f"{key} must be a list of pixels [x, y] of the {shape[1]} x {shape[0]} image, got {shown(given)}"
        )
    return frozenset((y, x) for x, y in given)
