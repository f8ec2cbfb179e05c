"""Touching masks: no shared pixel, none lost, the same answer in any order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from pointlabel import annotate
from pointlabel._checks import pixel_of
from pointlabel.engine.default import label as default_engine
from pointlabel.methods import overlaps
from pointlabel.methods.crop_grid import CropGrid
from pointlabel.methods.holes import home_of
from pointlabel.methods.overlaps import share_out
from pointlabel.types import TargetLabel

SHAPE = (12, 14)


def homes_of(targets: Sequence[TargetLabel], shape: tuple[int, int] = SHAPE) -> list[tuple[int, int]]:
    return [home_of(np.empty(shape, np.uint8), target.point) for target in targets]  # type: ignore[misc]


def share(targets: Sequence[TargetLabel]) -> list[TargetLabel]:
    return share_out(targets, homes_of(targets))


def target(
    point: tuple[float, float], origin: tuple[int, int], soft: ArrayLike, mask: ArrayLike | None = None
) -> TargetLabel:
    soft = np.asarray(soft, np.float32)
    return TargetLabel(point, origin, soft, soft > 0.5 if mask is None else np.asarray(mask, bool))


@st.composite
def targets(draw: st.DrawFn, *, apart: bool) -> list[TargetLabel]:
    """Targets whose crops lie anywhere; `apart` keeps the points in different pixels."""
    pixels = draw(
        st.lists(
            st.tuples(st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1)),
            min_size=1,
            max_size=5,
            unique=apart,
        )
    )
    out = []
    for row, column in pixels:
        offset = draw(st.sampled_from([-0.5, -0.25, 0.0, 0.25]))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        origin = (int(rng.integers(0, 6)), int(rng.integers(0, 6)))
        size = (int(rng.integers(1, SHAPE[0] - 5)), int(rng.integers(1, SHAPE[1] - 5)))
        soft = np.round(rng.random(size), 1)  # few levels, so that ties happen
        # -0.5 would round to the pixel before, so only the image's border has it
        shift = offset if offset > -0.5 or (row == 0 and column == 0) else 0.0
        out.append(target((row + shift, column + shift), origin, soft, rng.random(size) < 0.7))
    return out


def _key(label: TargetLabel) -> tuple:
    full = np.zeros(SHAPE, bool)
    full[label.window] = label.mask
    return label.point, label.flags, full.tobytes()


@settings(max_examples=200)
@given(given_targets=targets(apart=True), data=st.data())
def test_masks_are_disjoint_non_empty_and_independent_of_order(given_targets, data):
    before = [(t.mask.copy(), t.soft.copy()) for t in given_targets]
    shared = share(given_targets)
    claims = np.zeros(SHAPE, int)
    for label in shared:
        claims[label.window] += label.mask
        assert label.mask.any()
        assert label.mask.shape == label.soft.shape
    assert claims.max() <= 1

    order = data.draw(st.permutations(range(len(given_targets))))
    again = share([given_targets[i] for i in order])
    assert [_key(label) for label in again] == [_key(shared[i]) for i in order]
    for label, (mask, soft) in zip(given_targets, before, strict=True):  # inputs are never changed
        np.testing.assert_array_equal(label.mask, mask)
        np.testing.assert_array_equal(label.soft, soft)


@settings(max_examples=100)
@given(given_targets=targets(apart=False))
def test_only_points_in_one_pixel_share_it(given_targets):
    shared = share(given_targets)
    homes = [tuple(pixel_of(np.array([label.point]), SHAPE)[0]) for label in shared]
    claims = np.zeros((len(shared), *SHAPE), bool)
    for claim, label in zip(claims, shared, strict=True):
        assert label.mask.any()
        claim[label.window] = label.mask
    for row, column in np.argwhere(claims.sum(axis=0) > 1):
        assert {homes[k] for k in np.flatnonzero(claims[:, row, column])} == {(row, column)}


def test_the_larger_soft_label_wins():
    a = target((1.0, 1.0), (0, 0), [[0.9, 0.9, 0.9, 0.6]])
    b = target((0.0, 3.0), (0, 1), [[0.6, 0.7, 0.9]])
    first, second = share([a, b])
    np.testing.assert_array_equal(first.mask, [[True, True, True, False]])
    np.testing.assert_array_equal(second.mask, [[False, False, True]])
    assert first.flags == second.flags == ("overlap",)
    np.testing.assert_array_equal(first.soft, a.soft)


def test_equal_soft_labels_go_to_the_nearer_point():
    a = target((0.0, 0.0), (0, 0), np.ones((1, 6)))
    b = target((0.0, 5.0), (0, 0), np.ones((1, 6)))
    first, second = share([a, b])
    np.testing.assert_array_equal(first.mask[0], [1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(second.mask[0], [0, 0, 0, 1, 1, 1])


def test_a_mask_keeps_its_own_point():
    strong = target((0.0, 0.0), (0, 0), np.ones((1, 4)))
    weak = target((0.0, 2.0), (0, 0), [[0.6, 0.6, 0.6, 0.6]])
    _, kept = share([strong, weak])
    np.testing.assert_array_equal(kept.mask[0], [0, 0, 1, 0])


@pytest.mark.parametrize("point", [(-0.5, -0.5), (0.5, -0.5)])
def test_a_point_on_the_outer_border_keeps_its_pixel(point):
    strong = target((3.0, 3.0), (0, 0), np.ones((4, 4)))
    weak = target(point, (0, 0), np.full((4, 4), 0.6))
    _, kept = share([strong, weak])
    assert kept.mask[0, 0]
    assert kept.area == 1


def test_a_mask_that_lost_everything_becomes_its_point():
    strong = target((2.0, 2.0), (0, 0), np.ones((5, 5)))
    moved = target((9.0, 9.0), (1, 1), [[0.6]])  # a mask that does not hold its point, all of it claimed
    first, second = share([strong, moved])
    assert first.area == 25
    assert second.area == 1
    full = np.zeros(SHAPE, bool)
    full[second.window] = second.mask
    assert full[9, 9]


def test_masks_that_do_not_meet_are_left_alone():
    a = target((1.0, 1.0), (0, 0), np.ones((3, 3)))
    b = target((1.0, 4.0), (0, 3), np.ones((3, 3)))
    assert share([a, b]) == [a, b]
    assert share([]) == []


class EveryPair(CropGrid):
    """The twin: compares every two targets, and looks for a pixel in each of them."""

    def __init__(self, targets: Sequence[TargetLabel]) -> None:
        self.n = len(targets)

    def overlapping(self) -> list[tuple[int, int]]:
        return list(combinations(range(self.n), 2))

    def around(self, pixel: tuple[int, int]) -> list[int]:
        return list(range(self.n))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), spread=st.sampled_from([10, 90, 400]))
def test_a_crowd_is_shared_out_as_when_every_pair_is_compared(seed, n, spread):
    rng = np.random.default_rng(seed)
    crowd = []
    for _ in range(n):
        size = tuple(rng.integers(1, 30 if rng.random() < 0.9 else 200, 2))
        origin = tuple(int(v) for v in rng.integers(0, spread, 2))
        soft = np.round(rng.random(size), 1)
        point = tuple(float(v) for v in rng.integers(0, spread, 2))
        crowd.append(target(point, origin, soft, rng.random(size) < rng.choice([0.02, 0.7])))  # type: ignore[arg-type]
    homes = homes_of(crowd, (spread, spread))
    found = share_out(crowd, homes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "CropGrid", EveryPair)
        expected = share_out(crowd, homes)
    for one, other in zip(found, expected, strict=True):
        assert (one.point, one.origin, one.flags) == (other.point, other.origin, other.flags)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_the_heat_is_shared_out_as_when_every_pair_is_compared(rng):
    image = rng.normal(60, 3, (150, 150))
    points = rng.integers(5, 145, (60, 2))
    for row, column in points:
        image[row - 1 : row + 2, column - 1 : column + 2] += 80
    found = annotate(image, points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "CropGrid", EveryPair)
        patch.setattr(default_engine, "CropGrid", EveryPair)
        expected = annotate(image, points)
    np.testing.assert_array_equal(found.instances(), expected.instances())
    np.testing.assert_array_equal(found.soft(), expected.soft())
    assert sum("overlap" in each.flags for each in found.targets) > 4


def test_targets_that_lie_apart_are_never_compared(monkeypatch):
    homes = [(32 * (k // 128), 32 * (k % 128)) for k in range(2_000)]
    crowd = [target((float(row), float(column)), (row, column), np.ones((9, 9))) for row, column in homes]
    compared: list[object] = []
    monkeypatch.setattr(overlaps, "_settle", lambda *pair: compared.append(pair))
    assert share_out(crowd, homes) == crowd
    assert compared == []
