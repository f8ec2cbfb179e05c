"""The dense CRF against the matrix of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel import InputError
from pointlabel.baselines.crf.mean_field import refine_crf
from pointlabel.baselines.crf.modes import LANES, MOST, modes_of
from tests.twins import crf as twin


def scene(rng, shape):
    grey = rng.normal(60, 6, shape)
    grey[shape[0] // 3 : 2 * shape[0] // 3 + 1, shape[1] // 3 : 2 * shape[1] // 3 + 1] += 90
    return np.clip(np.round(grey), 0, 255).astype(np.uint8), rng.random(shape)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (5, 1), (9, 12), (16, 15)])
@pytest.mark.parametrize("n_iter", [0, 1, 5])
@pytest.mark.parametrize(
    "strengths",
    [
        {},
        {"spatial_px": 2, "intensity": 40, "compatibility": 3},
        {"spatial_px": 3, "intensity": 5, "compatibility": 0},
        {"spatial_px": 32, "intensity": 13, "compatibility": 10, "smooth_px": 3, "smooth_compatibility": 3},
        {"compatibility": 0, "smooth_px": 1, "smooth_compatibility": 4},
    ],
)
def test_mean_field_equals_its_twin(rng, shape, n_iter, strengths):
    grey, probability = scene(rng, shape)
    for guess in (probability, (probability > 0.5).astype(float)):  # and one that is certain
        ours, exact = (refine(guess, grey, n_iter=n_iter, **strengths) for refine in (refine_crf, twin.refine_crf))
        np.testing.assert_allclose(ours, exact, atol=1e-7)


@pytest.mark.parametrize("shape", [(24, 31), (21, 21), (40, 18)])
@pytest.mark.parametrize(("spatial_px", "intensity", "compatibility"), [(8, 10, 110), (32, 13, 10), (7, 60, 30)])
def test_modes_equal_the_sum_over_all_pairs(rng, shape, spatial_px, intensity, compatibility):
    grey, probability = scene(rng, shape)
    assert modes_of(*shape, float(spatial_px))[0].shape[1] > 0
    strengths = {"spatial_px": spatial_px, "intensity": intensity, "compatibility": compatibility}
    ours, exact = (refine(probability, grey, **strengths) for refine in (refine_crf, twin.refine_crf))
    np.testing.assert_allclose(ours, exact, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "deviation_px"), [((1, 90), 30.0), ((21, 40), 8.0), ((65, 65), 8.0), ((300, 300), 20.0)]
)
def test_modes_give_the_gaussian_of_the_distance(shape, deviation_px):
    rows, columns = modes_of(*shape, deviation_px)
    assert 0 < rows.shape[1] == columns.shape[1] <= shape[0] * shape[1] * MOST + LANES
    found = (rows[-1] * rows[0]) @ (columns * columns[0]).T
    distance2 = (shape[0] - 1) ** 2 + np.arange(shape[1]) ** 2
    np.testing.assert_allclose(found, np.exp(-0.5 * distance2 / deviation_px**2), atol=1e-7)


def test_narrow_gaussians_have_too_many_modes():
    assert modes_of(21, 21, 1.0)[0].shape == (21, 0)


def test_smooth_pairs_fill_holes_whatever_their_grey_level(rng):
    grey = rng.integers(0, 256, (15, 15)).astype(np.uint8)
    guess = np.zeros(grey.shape)
    guess[3:12, 3:12] = 0.9
    guess[7, 7] = guess[1, 1] = 0.3
    filled = refine_crf(guess, grey, n_iter=1, compatibility=0, smooth_px=2, smooth_compatibility=5)
    assert filled[7, 7] > 0.5
    assert filled[1, 1] < 0.3


def test_holes_and_specks_follow_their_grey_level(rng):
    grey = np.full((15, 15), 50, np.uint8)
    grey[4:11, 4:11] = 200
    truth = grey == 200
    guess = truth.copy()
    guess[7, 7] = guess[4, 4] = False
    guess[1, 1] = guess[13, 2] = True
    np.testing.assert_array_equal(refine_crf(guess, grey) > 0.5, truth)


@pytest.mark.parametrize("move", [np.fliplr, np.flipud, np.transpose])
def test_flips_and_transposition_carry_over(rng, move):
    grey, probability = scene(rng, (14, 10))
    there = refine_crf(move(probability), move(grey))
    np.testing.assert_allclose(there, move(refine_crf(probability, grey)), atol=1e-9)


def test_bad_arguments():
    grey = np.zeros((3, 4), np.uint8)
    with pytest.raises(InputError, match=r"probability must have the shape of grey, \(3, 4\), got \(4, 3\)"):
        refine_crf(np.zeros((4, 3)), grey)
    with pytest.raises(InputError, match="spatial_px, intensity and smooth_px must be positive, got 0, 10, 3"):
        refine_crf(np.zeros((3, 4)), grey, spatial_px=0)
