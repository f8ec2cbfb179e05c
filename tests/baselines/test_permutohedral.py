"""Sums on the permutohedral lattice: their slow twin, exact sums, and the dense CRF that takes them."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel import InputError, annotate, get_method
from pointlabel.baselines.crf.mean_field import refine_crf
from pointlabel.baselines.crf.permutohedral import Lattice
from pointlabel.synthetic import draw_scene
from tests.twins import permutohedral as twin


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_sums_equal_their_twin(rng, d, spread):
    features, values = spread * rng.standard_normal((60, d)), rng.standard_normal(60)
    np.testing.assert_allclose(Lattice(features).sum(values), twin.lattice_sum(features, values), atol=1e-9)


def test_a_window_s_sums_equal_their_twin(rng):
    place = np.indices((9, 7)).reshape(2, -1).T / 8
    levels = np.repeat(rng.integers(0, 256, (63, 1)), 3, axis=1) / 10  # equal channels: many ties
    features = np.hstack([place, levels])
    np.testing.assert_allclose(Lattice(features).sum(np.ones(63)), twin.lattice_sum(features, np.ones(63)), atol=1e-9)


def test_weights_of_a_simplex_are_shares(rng):
    for point in rng.uniform(-5, 5, (200, 4)):
        weights = [weight for _, weight in twin.simplex(point)]
        assert min(weights) >= -1e-12
        assert sum(weights) == pytest.approx(1)
        assert sorted(Lattice(point[None])._weights[0]) == pytest.approx(sorted(weights))


def test_sums_follow_the_gaussian_where_points_lie_densely():
    rows, columns = np.indices((40, 40)).reshape(2, -1) / 6
    features = np.stack([rows, columns], axis=1)
    values = np.zeros(1600)
    values[20 * 40 + 20] = 1
    ours = Lattice(features).sum(values).reshape(40, 40)
    exact = np.exp(-0.5 * ((rows - rows[820]) ** 2 + (columns - columns[820]) ** 2)).reshape(40, 40)
    near = exact > 0.1
    ratio = ours[near] / exact[near]
    assert ratio.std() < 0.2 * ratio.mean()
    assert ours[exact < 1e-4].max() < 0.01 * ours.max()


def test_the_order_of_points_does_not_matter(rng):
    features, values = rng.standard_normal((50, 5)), rng.standard_normal(50)
    turned = Lattice(features[::-1]).sum(values[::-1])[::-1]
    np.testing.assert_allclose(turned, Lattice(features).sum(values), atol=1e-12)


@pytest.mark.parametrize("smooth", [0.0, 3.0])
def test_a_crf_on_the_lattice_is_near_the_exact_one(scene, smooth):
    row, column = (int(value) for value in np.rint(scene.points[0]))
    part = (slice(max(row - 10, 0), row + 11), slice(max(column - 10, 0), column + 11))
    grey = np.rint(255 * (scene.image[part] - scene.image.min()) / np.ptp(scene.image)).astype(np.uint8)
    guess = 0.1 + 0.8 * scene.mask[part]
    exact, near = (
        refine_crf(guess, grey, n_iter=1, compatibility=10, smooth_compatibility=smooth, sums=sums)
        for sums in ("exact", "lattice")
    )
    assert 0 < np.abs(exact - near).mean() < 0.03
    assert ((exact > 0.5) != (near > 0.5)).mean() < 0.02
    none = refine_crf(guess, grey, n_iter=0, sums="lattice")
    np.testing.assert_allclose(none, guess)


def test_the_published_pipeline_takes_the_lattice():
    scene = draw_scene(seed=1, shape=(96, 128), n_targets=6, background="cloud", contrast=(2.0, 4.0))
    method = get_method("d2d-code")
    ours, lattice, exact = (
        annotate(scene.image, scene.points, method="d2d-code", params=method.params(**changes)).mask()
        for changes in ({}, {"crf_sums": "lattice"}, {"crf_sums": "exact"})
    )
    np.testing.assert_array_equal(ours, lattice)
    assert (ours != exact).any()


def test_unknown_sums_are_refused():
    with pytest.raises(InputError, match="sums must be one of exact, lattice, got 'fast'"):
        refine_crf(np.full((3, 3), 0.5), np.zeros((3, 3), np.uint8), sums="fast")
