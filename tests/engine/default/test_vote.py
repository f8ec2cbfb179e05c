"""The vote: shares, the expected region, relief and expectations against plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.engine.default._feature_kernels import score_kernel
from pointlabel.engine.default._vote_kernels import relief_kernel, vote_kernel
from pointlabel.engine.default.heat import heat_vote
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import FEATURES, LEVELS, grow_regions
from pointlabel.engine.default.vote import SUMMARY, cast_vote, expected_relief, vote_of
from pointlabel.engine.default.weights import ScoreWeights, load_weights
from pointlabel.engine.default.window import HALF, cut_window
from pointlabel.synthetic import draw_scene
from tests.twins.default import vote as twin


def seen(seed=4):
    scene = draw_scene(seed, (160, 150), n_targets=2)
    window = cut_window(scene.image, tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist()))
    return window, grow_regions(window)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("n_bad", [0, 10, 63, 64])
def test_shares_equal_a_softmax(rng, temperature, n_bad):
    features = rng.normal(0, 2, (4, len(LEVELS), len(FEATURES)))
    weights = ScoreWeights(
        rng.normal(0, 1, len(FEATURES)), rng.uniform(0.5, 2, len(FEATURES)), rng.normal(0, 0.3, (len(FEATURES), 3))
    )
    bad = rng.permutation(4 * len(LEVELS)).reshape(4, -1) < n_bad
    share = np.empty(bad.shape)
    best = score_kernel(
        features, weights.centre, weights.deviation, weights.coefficients, bad, temperature, len(LEVELS), share
    )
    expected, highest = twin.shares(features, weights, bad, temperature)
    np.testing.assert_allclose(share, expected, atol=1e-12)
    assert best == pytest.approx(highest, abs=1e-12)
    assert share.sum() == pytest.approx(1 if n_bad < 64 else 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_vote_equals_explicit_sums(seed):
    _, regions = seen(seed)
    vote = cast_vote(regions, load_weights().score, 0.5)
    np.testing.assert_allclose(vote.field, twin.vote(regions.level_of, vote.share), atol=2**-17)
    np.testing.assert_allclose(
        expected_relief(regions, vote.share), twin.relief(regions.residual, vote.share), rtol=1e-5, atol=1e-5
    )
    expected = twin.summary(regions.features, vote.share)
    at = [SUMMARY.index(n) for n in SUMMARY if n != "best_score"]
    np.testing.assert_allclose(vote.summary[at], expected, rtol=1e-9, atol=1e-7)
    assert vote.field[HALF, HALF] == 1


def test_without_candidates_nothing_is_voted_for():
    _, regions = seen()
    vote = vote_of(regions, np.zeros(regions.bad.shape), -np.inf)
    assert not vote.field.any()
    assert not vote.summary.any()


def test_any_levels_and_heights_equal_explicit_sums(rng):
    """One of the backgrounds lies above the peak, and is left out of the relief."""
    level_of = rng.integers(0, len(LEVELS) + 1, (4, 9, 9)).astype(np.uint8)
    level_of[rng.random(level_of.shape) < 0.7] = len(LEVELS)
    share = rng.dirichlet(np.ones(4 * len(LEVELS))).reshape(4, -1)
    field, relief = np.empty((9, 9), np.float32), np.empty((9, 9), np.float32)
    vote_kernel(level_of, share, 4, field)
    expected = twin.vote(level_of, share)
    np.testing.assert_allclose(field, expected, atol=2**-20)
    vote_kernel(level_of, share, 2, field)
    assert np.array_equal(field[2:7, 2:7] > 0, expected[2:7, 2:7] > 0)
    assert field.sum() == pytest.approx(expected[2:7, 2:7].sum(), abs=1e-4)
    rest = rng.normal(0, 800, (4, 9, 9)).astype(np.float32)
    rest[:, 4, 4] = 300, -50, 100, 200
    relief_kernel(rest, rest[:, 4, 4].astype(float), share, relief)
    np.testing.assert_allclose(relief, twin.relief(rest, share), rtol=1e-5, atol=1e-5)
    assert (relief.min(), relief.max()) == (-1, 2)


def test_heat_spreads_the_vote_and_can_be_switched_off():
    window, regions = seen()
    vote = cast_vote(regions, load_weights().score, 0.5)
    assert heat_vote(window, vote.field, DefaultParams(n_steps=0)) is vote.field
    assert heat_vote(window, vote.field, DefaultParams(rho=0)) is vote.field
    spread = heat_vote(window, vote.field, DefaultParams())
    assert spread.dtype == np.float32
    np.testing.assert_allclose(spread, twin.heat(vote.field, window.core), atol=1e-5)
    empty = np.zeros((65, 65), np.float32)
    assert heat_vote(window, empty, DefaultParams()) is empty
