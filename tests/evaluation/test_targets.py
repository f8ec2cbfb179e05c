"""IoU of each labelled target with its true one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointlabel.errors import InputError
from pointlabel.evaluation.targets import label_ious, target_areas, true_targets
from pointlabel.types import ImageLabels, TargetLabel


def label(mask, point, origin=(0, 0)):
    return TargetLabel(point, origin, mask.astype(np.float32), mask)


def test_each_target_against_its_own():
    true = np.zeros((20, 20), bool)
    true[2:5, 2:5] = true[10:12, 10:14] = True
    first = label(np.ones((3, 3), bool), (3.0, 3.0), (2, 2))
    second = label(np.ones((2, 2), bool), (10.0, 11.0), (10, 10))
    third = label(np.ones((1, 1), bool), (18.0, 18.0), (18, 18))
    ious = label_ious(true, ImageLabels((20, 20), (first, second, third)))
    np.testing.assert_array_equal(ious, [1, 0.5, np.nan])


def test_pixels_of_another_target_are_wrong():
    true = np.zeros((5, 20), bool)
    true[2, 2:5] = true[2, 8:12] = True
    both = label(np.ones((1, 10), bool), (2.0, 3.0), (2, 2))
    assert label_ious(true, ImageLabels((5, 20), (both,))) == pytest.approx([3 / 10])


@pytest.mark.parametrize(
    ("point", "owner"),
    [
        ((10, 10), 1),
        ((10, 13), 1),
        ((10, 13.01), 0),
        ((12.2, 12.2), 0),
        ((12.1, 12.1), 1),
        ((10.4, 10.4), 1),
        ((10, 15), 2),
        ((10, 14.4), 2),
        ((0, 0), 0),
    ],
)
def test_within_three_pixels(point, owner):
    true = np.zeros((30, 30), bool)
    true[10, 10] = true[10, 17] = True
    assert true_targets(true, [point])[1].tolist() == [owner]


def test_the_pixel_that_holds_the_point_decides():
    """A half is rounded down, as everywhere, and the target there wins over one equally near."""
    true = np.zeros((10, 10), bool)
    true[5, 5] = True
    true[3, 7] = True
    labels, owners = true_targets(true, [(4.5, 5.5), (4, 6), (5.5, 5.5)])
    assert owners[2] == labels[5, 5]
    assert owners[1] == labels[3, 7]  # equally near: the first in reading order
    assert owners[0] == labels[5, 5]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_owners_against_a_search_of_all_pixels(seed):
    rng = np.random.default_rng(seed)
    true = rng.random((15, 18)) < 0.05
    points = rng.uniform(-0.5, [14.49, 17.49], (6, 2))
    labels, owners = true_targets(true, points)
    for point, owner in zip(points, owners, strict=True):
        home = math.ceil(point[0] - 0.5), math.ceil(point[1] - 0.5)
        best = labels[home]
        if not best:
            near = [(math.dist(point, pixel), labels[tuple(pixel)]) for pixel in np.argwhere(true)]
            near = [pair for pair in near if pair[0] <= 3]
            best = min(near)[1] if near else 0
        assert owner == best


def test_areas_of_the_targets_that_points_have():
    true = np.zeros((30, 40), bool)
    true[2:5, 3:6] = True
    true[5, 6] = True  # touches the square by a corner
    true[20:22, 30:34] = True
    areas, found = target_areas(true, [(3, 4), (20.4, 33.4), (15, 15)])
    assert areas.tolist() == [10, 8, 1]
    assert found.tolist() == [True, True, False]
    areas, found = target_areas(true, np.zeros((0, 2)))
    assert areas.shape == found.shape == (0,)


def test_no_points_and_bad_input():
    true = np.zeros((6, 6), bool)
    assert label_ious(true, ImageLabels((6, 6), ())).shape == (0,)
    with pytest.raises(InputError, match=r"true must have the shape of the labels, \(6, 6\), got \(6, 7\)"):
        label_ious(np.zeros((6, 7), bool), ImageLabels((6, 6), ()))
    with pytest.raises(InputError, match="points must hold one point for each of 0 targets, got 1"):
        label_ious(true, ImageLabels((6, 6), ()), [(1, 1)])
