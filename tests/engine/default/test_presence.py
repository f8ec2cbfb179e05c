"""The presence: its inputs against plain sums, its model against a loop, and what it says of spots, noise and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pointlabel import annotate
from pointlabel.engine.default.label import label_peak
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.presence import INPUTS, load_presence, presence, presence_inputs, presences
from pointlabel.engine.default.regions import FEATURES
from pointlabel.engine.default.style import named_style
from pointlabel.engine.default.weights import load_weights
from pointlabel.synthetic import draw_scene

ROWS, COLUMNS = np.mgrid[:200, :200]


def spot(row, column, height=100.0, deviation=1.5):
    return height * np.exp(-((ROWS - row) ** 2 + (COLUMNS - column) ** 2) / (2 * deviation**2))


def presences_of(image, points, **options):
    return [target.presence for target in annotate(image, points, **options).targets]


def seen(image, peak):
    return label_peak(image, peak, DefaultParams(), load_weights())


@pytest.mark.parametrize("seed", range(3))
def test_the_inputs_equal_plain_sums(seed):
    scene = draw_scene(seed, (160, 150), n_targets=1)
    view = seen(scene.image, tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist()))
    found = presence_inputs(view.regions, view.vote)
    for name, value in zip(INPUTS, found, strict=True):
        assert value == pytest.approx((view.vote.share * view.regions.features[..., FEATURES.index(name)]).sum())


def test_the_presence_equals_a_loop_over_its_inputs(rng):
    weights = load_presence()
    rows = weights.centre + 2 * weights.deviation * rng.normal(size=(40, len(INPUTS)))
    has_vote = rng.random(40) < 0.8
    expected = []
    for row, voted in zip(rows, has_vote, strict=True):
        total = weights.bias
        for x, c, d, coefficient in zip(row, weights.centre, weights.deviation, weights.coefficients, strict=True):
            total += coefficient * max(min((x - c) / d, 3), -3)
        expected.append(1 / (1 + math.exp(-total)) if voted else weights.without_vote)
    np.testing.assert_allclose(presences(rows, has_vote), expected, atol=1e-12)
    assert np.ptp(expected) > 0.5


def test_one_target_has_the_presence_that_it_has_among_many(rng):
    views = [seen(rng.normal(size=(200, 200)) + spot(100, 100, height), (100, 100)) for height in (0, 5, 50)]
    views.append(seen(np.zeros((200, 200)), (100, 100)))
    has_vote = np.array([view.vote.share.any() for view in views])
    assert not has_vote[-1]
    inputs = np.array([presence_inputs(view.regions, view.vote) for view in views])
    alone = [presence(view.regions, view.vote) for view in views]
    np.testing.assert_allclose(presences(inputs, has_vote), alone, atol=1e-12)


def test_a_planted_spot_is_a_target_and_noise_is_none(rng):
    points = rng.integers(20, 180, (20, 2)).astype(float)
    noise = rng.normal(100, 3, (200, 200))
    assert np.median(presences_of(noise, points)) < 0.2
    assert min(presences_of(noise + spot(60, 60) + spot(140, 90), [(60, 60), (140, 90)])) > 0.9
    assert presences_of(np.zeros((60, 60)), [(30, 30)])[0] < 0.1


def test_edges_ridges_and_dark_targets_are_no_bright_targets(rng):
    noise = rng.normal(100, 1, (200, 200))
    assert max(presences_of(noise + 50 * (COLUMNS > 100), [(50, 102), (100, 104)])) < 0.2
    assert max(presences_of(noise + 50 * np.exp(-((COLUMNS - 100.0) ** 2) / 8), [(50, 100), (150, 101)])) < 0.2
    dark = noise - spot(100, 100)
    assert presences_of(dark, [(100, 100)])[0] < 0.2
    assert presences_of(dark, [(100, 100)], polarity="dark")[0] > 0.9


def test_the_presence_is_free_of_gain_offset_and_orientation():
    scene = draw_scene(6, (160, 150), n_targets=2)
    points = np.vstack([scene.points, [(40.0, 40.0), (100.0, 30.0)]])
    first = presences_of(scene.image, points)
    assert len({round(each, 3) for each in first}) > 2
    turned = np.ascontiguousarray(scene.image.T) * 3.0 + 20
    assert presences_of(turned, points[:, ::-1]) == pytest.approx(first, abs=1e-6)
    rows = scene.image.shape[0] - 1 - points[:, 0]
    flipped = presences_of(scene.image[::-1], np.column_stack([rows, points[:, 1]]))
    assert flipped == pytest.approx(first, abs=1e-6)


def test_the_presence_does_not_follow_the_border():
    scene = draw_scene(3, (160, 150), n_targets=2)
    first = presences_of(scene.image, scene.points)
    assert presences_of(scene.image, scene.points, tightness=0.2) == pytest.approx(first, abs=1e-9)
    styled = DefaultParams(style=named_style("exact"))
    for params in (DefaultParams(border_px=1.0), DefaultParams(refine=False), DefaultParams(n_steps=0), styled):
        assert presences_of(scene.image, scene.points, params=params) == pytest.approx(first, abs=1e-9)


def test_an_empty_target_has_a_presence_and_another_method_none():
    (target,) = annotate(np.zeros((40, 40)), [(20, 20)]).targets
    assert "empty" in target.flags
    assert target.presence == pytest.approx(load_presence().without_vote)
    image = np.zeros((40, 40))
    image[20, 20] = 1
    (other,) = annotate(image, [(20, 20)], method="threshold").targets
    assert other.presence is None
    assert other.trust == other.quality
