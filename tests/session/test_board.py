"""One image's targets: whatever is done, the masks are those of `annotate` for the points that are left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointlabel import annotate
from pointlabel.errors import InputError
from pointlabel.labeling import open_labeller
from pointlabel.session import TargetBoard
from pointlabel.synthetic import draw_scene
from pointlabel.types import ImageLabels

SCENE = draw_scene(seed=3, shape=(96, 96), n_targets=5, spacing_px=8, polarity="mixed", dtype=np.uint16)
LABELLER = open_labeller()
#: Points on targets, beside them and between: most of them meet others.
PLACES = [*SCENE.points.astype(int).tolist(), *np.add(SCENE.points, (2, -3)).astype(int).tolist(), [40, 40], [2, 93]]

place = st.sampled_from(PLACES) | st.tuples(st.integers(0, 95), st.integers(0, 95))
style = st.fixed_dictionaries(
    {}, optional={"tightness": st.sampled_from([0.2, 0.8]), "polarity": st.sampled_from(["dark", "auto"])}
)
pixels = st.lists(st.tuples(st.integers(30, 50), st.integers(30, 50)), max_size=4)
action = st.one_of(
    st.tuples(st.just("add"), place, style),
    st.tuples(st.just("move"), place),
    st.tuples(st.just("restyle"), style),
    st.tuples(st.just("brush"), pixels, pixels),
    st.tuples(st.sampled_from(["remove", "undo", "redo", "accept"])),
)


def act(board: TargetBoard, pick: int, name: str, *rest: Any) -> None:
    """Do one action, on one of the targets where it needs one; what is refused changes nothing."""
    before = board.state
    numbers = [click.number for click in before.clicks]
    if name == "add":
        arguments: tuple[Any, ...] = rest[0]
        options = rest[1]
    elif name in ("undo", "redo", "accept"):
        arguments, options = (), {}
    elif not numbers:
        return
    else:
        target = numbers[pick % len(numbers)]
        arguments, options = (target, *(rest[0] if name == "move" else ())), rest[0] if name == "restyle" else {}
        if name == "brush":
            arguments = (target, *rest)
    try:
        getattr(board, name)(*arguments, **options)
    except InputError:
        assert board.state is before


def fresh(board: TargetBoard) -> ImageLabels:
    clicks = board.state.clicks
    return LABELLER.label(
        board.image,
        [(click.row, click.column) for click in clicks],
        tightness=[0.5 if click.tightness is None else click.tightness for click in clicks],
        polarity=[click.polarity or "bright" for click in clicks],
    )


def assert_same(found: ImageLabels, expected: ImageLabels) -> None:
    for one, other in zip(found.targets, expected.targets, strict=True):
        assert (one.point, one.origin, one.quality, one.presence) == (
            other.point,
            other.origin,
            other.quality,
            other.presence,
        )
        assert (one.flags, one.polarity) == (other.flags, other.polarity)
        assert np.array_equal(one.mask, other.mask)
        assert np.array_equal(one.soft, other.soft)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9), action), max_size=14))
def test_after_any_actions_the_masks_are_those_of_a_fresh_annotate(steps):
    board = TargetBoard(SCENE.image, LABELLER)
    for pick, step in steps:
        act(board, pick, *step)
        _ = board.labels  # as a page asks for them after each action
    if any(click.is_edited for click in board.state.clicks):
        for click in board.state.clicks:
            board.do({"do": "unbrush", "target": click.number})
    assert_same(board.labels, fresh(board))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9), action), min_size=1, max_size=10))
def test_undo_and_redo_go_through_the_same_states(steps):
    board = TargetBoard(SCENE.image, LABELLER)
    for pick, step in steps:
        act(board, pick, *step)
    last, masks = board.state, board.labels.instances()
    n = 0
    while board.undo():
        n += 1
    assert board.state.clicks == ()
    assert [board.redo() for _ in range(n)] == [True] * n
    assert board.state == last
    assert np.array_equal(board.labels.instances(), masks)


def test_a_click_far_away_leaves_the_other_targets_the_same_objects():
    scene = draw_scene(seed=1, shape=(400, 400), n_targets=3, spacing_px=120)
    board = TargetBoard(scene.image, LABELLER)
    for row, column in scene.points[:2]:
        board.add(row, column)
    before = board.labels.targets
    board.add(*scene.points[2])
    assert all(one is other for one, other in zip(before, board.labels.targets, strict=False))
    assert_same(board.labels, annotate(scene.image, scene.points))


def test_drawn_pixels_belong_to_one_target_and_erased_ones_to_none():
    board = TargetBoard(SCENE.image, LABELLER)
    first, second = board.add(*SCENE.points[0]), board.add(*SCENE.points[1])
    row, column = np.argwhere(board.labels.instances() == 2)[0].tolist()
    board.brush(first, on=[(row, column), (0, 95)])
    labels = board.labels
    assert labels.instances()[row, column] == labels.instances()[0, 95] == 1
    assert "edited" in labels.targets[0].flags
    assert "edited" not in labels.targets[1].flags
    board.brush(second, on=[(row, column)])
    assert board.labels.instances()[row, column] == 2
    board.brush(second, off=[(row, column)])
    assert board.labels.instances()[row, column] == 0
    board.remove(second)
    assert board.labels.instances()[0, 95] == 1


def test_pixels_that_are_not_finite_cannot_be_drawn():
    image = SCENE.image.astype(np.float32)
    image[10, 10] = np.nan
    board = TargetBoard(image, LABELLER)
    board.brush(board.add(12, 12), on=[(10, 10), (10, 11)])
    assert board.labels.mask()[10, 9:12].tolist()[1:] == [False, True]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"do": "add", "x": 96, "y": 3}, r"must lie inside|must lie in"),
        ({"do": "add", "x": "3", "y": 3}, "x must be"),
        ({"do": "add", "x": float("nan"), "y": 3}, "x must"),
        ({"do": "add", "x": 50.2, "y": 49.8}, r"target 1 has the pixel \(50, 50\) already"),
        ({"do": "add", "x": 3, "y": 3, "tightness": 2}, "tightness must lie in"),
        ({"do": "add", "x": 3, "y": 3, "polarity": "green"}, "polarity must be one of"),
        ({"do": "add", "x": 3, "y": 3, "label": "a\nb"}, "printable"),
        ({"do": "add", "x": 3, "y": 3, "colour": 1}, "add has no 'colour'"),
        ({"do": "move", "target": 7, "x": 3, "y": 3}, "there is no target 7"),
        ({"do": "brush", "target": 1, "on": [[96, 0]]}, "on must be a list of pixels"),
        ({"do": "brush", "target": 1, "on": [[9, 0]], "off": [[9, 0]]}, "drawn and erased at once"),
        ({"do": "accept", "accepted": 1}, "accepted must be true or false"),
        ({"do": ["add"]}, "there is no action"),
        ({"do": "adds"}, "did you mean add"),
    ],
)
def test_what_breaks_a_rule_is_one_sentence_and_changes_nothing(action, words):
    board = TargetBoard(SCENE.image, LABELLER)
    board.add(50, 50)
    before = board.state
    with pytest.raises(InputError, match=words):
        board.do(action)
    assert board.state is before
