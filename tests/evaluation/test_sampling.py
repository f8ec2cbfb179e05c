"""Points out of masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointlabel.errors import InputError
from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.sampling import MODES, points_from_mask


def ring(side=9):
    mask = np.zeros((side + 4, side + 4), bool)
    mask[2:-2, 2:-2] = True
    mask[3:-3, 3:-3] = False
    return mask


def test_centroids_are_rounded_down():
    mask = np.zeros((12, 12), bool)
    mask[1:3, 1:5] = True  # centroid (1.5, 2.5)
    mask[6:9, 6:9] = True
    points, moved = points_from_mask(mask)
    assert points.tolist() == [[1, 2], [7, 7]]
    assert points.dtype == np.int64
    assert not moved.any()


def test_a_centroid_outside_moves_to_the_nearest_pixel():
    mask = ring()
    points, moved = points_from_mask(mask)
    assert moved.tolist() == [True]
    distance = np.hypot(*(np.argwhere(mask) - 6).T).min()
    assert np.hypot(*(points[0] - 6)) == distance
    assert mask[tuple(points[0])]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(MODES), st.integers(0, 99))
def test_one_point_in_each_component(seed, mode, point_seed):
    mask = np.random.default_rng(seed).random((20, 20)) < 0.2
    components = find_components(mask)
    points, moved = points_from_mask(mask, mode, seed=point_seed, image_id="a")
    assert components.labels[tuple(points.T)].tolist() == list(range(1, len(components) + 1))
    assert moved.shape == (len(components),)


def test_coarse_points_follow_seed_and_id_only():
    mask = np.zeros((60, 60), bool)
    mask[10:30, 10:30] = mask[40:55, 35:58] = True
    here = points_from_mask(mask, "coarse", seed=1, image_id="a")[0]
    np.testing.assert_array_equal(here, points_from_mask(mask, "coarse", seed=1, image_id="a")[0])
    assert (here != points_from_mask(mask, "coarse", seed=2, image_id="a")[0]).any()
    assert (here != points_from_mask(mask, "coarse", seed=1, image_id="b")[0]).any()
    more = mask.copy()
    more[58:, :5] = True  # read after the others
    np.testing.assert_array_equal(points_from_mask(more, "coarse", seed=1, image_id="a")[0][:2], here)


def test_coarse_points_spread_by_a_quarter_of_half_the_box():
    mask = np.zeros((200, 300), bool)
    mask[50:151, 50:251] = True  # centre (100, 150), half sides 50.5 and 100.5
    points = np.concatenate([points_from_mask(mask, "coarse", seed=k)[0] for k in range(800)])
    np.testing.assert_allclose(points.mean(axis=0), (100, 150), atol=3)
    np.testing.assert_allclose(points.std(axis=0), (50.5 / 4, 100.5 / 4), rtol=0.1)


def test_a_target_that_no_draw_meets_is_moved():
    points, moved = points_from_mask(ring(161), "coarse")
    assert moved.tolist() == [True]
    assert ring(161)[tuple(points[0])]


def test_an_empty_mask():
    points, moved = points_from_mask(np.zeros((5, 5), bool))
    assert points.shape == (0, 2)
    assert moved.shape == (0,)


def test_bad_input():
    with pytest.raises(InputError, match="mode must be one of centroid, coarse, got 'fine'"):
        points_from_mask(np.zeros((5, 5), bool), "fine")
    with pytest.raises(InputError, match="seed must not be negative, got -1"):
        points_from_mask(np.zeros((5, 5), bool), seed=-1)
