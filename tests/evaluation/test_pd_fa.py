"""The sweep of thresholds against one evaluation a threshold, and the area by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointlabel.errors import InputError
from pointlabel.evaluation.metrics import Totals, score_image
from pointlabel.evaluation.pd_fa import THRESHOLDS, SoftSweep, curve_area


@pytest.mark.parametrize("profile", ["exact", "legacy"])
def test_a_sweep_is_one_evaluation_for_each_threshold(rng, profile):
    soft = rng.random((4, 30, 40)) ** 8
    soft[3] = 0
    true = rng.random((4, 30, 40)) < 0.02
    sweep = SoftSweep()
    for image in zip(soft, true, strict=True):
        sweep.add(*image)
    points = sweep.points(profile)
    assert [point["threshold"] for point in points] == list(THRESHOLDS)
    for point in points:
        totals = Totals()
        for values, mask in zip(soft, true, strict=True):
            totals.add(score_image(values > point["threshold"], mask))
        summary = totals.summary(profile)
        assert {name: summary[name] for name in point if name != "threshold"} == {
            name: value for name, value in point.items() if name != "threshold"
        }


def test_empty_images_count_their_pixels():
    sweep = SoftSweep([0.5])
    sweep.add(np.zeros((10, 10)), np.zeros((10, 10), bool))
    soft = np.zeros((10, 10))
    soft[2, 2] = 1
    sweep.add(soft, np.zeros((10, 10), bool))
    assert sweep.points()[0]["fa"] == 1 / 200


def test_area_by_hand():
    # Nothing below 2e-5, then 0.5; 0.8 from 6e-5 on; the point beyond the limit does not count.
    assert curve_area([2e-5, 6e-5, 3e-4], [0.5, 0.8, 1.0]) == pytest.approx(0.4 * 0.5 + 0.4 * 0.8)
    assert curve_area([0.0], [1.0]) == 1
    assert curve_area([1e-3], [1.0]) == 0
    assert curve_area([], []) == 0
    assert curve_area([0.0, 5e-5], [0.9, 0.3]) == pytest.approx(0.9)  # the best that costs no more


@given(st.lists(st.tuples(st.floats(0, 2e-4), st.floats(0, 1)), max_size=8), st.randoms())
def test_area_lies_between_0_and_1_and_does_not_follow_the_order(points, random):
    area = curve_area([fa for fa, _ in points], [pd for _, pd in points])
    assert 0 <= area <= 1 + 1e-12
    random.shuffle(points)
    assert curve_area([fa for fa, _ in points], [pd for _, pd in points]) == pytest.approx(area)
    more = [*points, (0.0, 1.0)]
    assert curve_area([fa for fa, _ in more], [pd for _, pd in more]) == pytest.approx(1)


@pytest.mark.parametrize("thresholds", [[], [0.5, 0.5], [0.7, 0.2], [-0.1], [1.0]])
def test_bad_thresholds(thresholds):
    with pytest.raises(InputError, match=r"thresholds must increase and lie in \[0, 1\)"):
        SoftSweep(thresholds)


def test_bad_input():
    with pytest.raises(InputError, match="soft must have the shape of the true mask"):
        SoftSweep().add(np.zeros((3, 4)), np.zeros((3, 3), bool))
    with pytest.raises(InputError, match="fa and pd must be of one length"):
        curve_area([0.1], [0.1, 0.2])
    with pytest.raises(InputError, match="fa_limit must be positive, got 0"):
        curve_area([0.1], [0.1], 0)
    with pytest.raises(InputError, match="profile must be one of"):
        SoftSweep().points("")
