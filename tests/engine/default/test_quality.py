"""The quality: its inputs against plain sums, its perceptron against a loop, and what moves it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pointlabel import annotate
from pointlabel.engine.default.label import label_peak
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.quality import INPUTS, qualities, quality, quality_inputs
from pointlabel.engine.default.vote import SUMMARY
from pointlabel.engine.default.weights import load_weights
from pointlabel.synthetic import draw_scene
from tests.twins.default import vote as twin


def seen(seed=4):
    scene = draw_scene(seed, (160, 150), n_targets=2)
    peak = tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist())
    return label_peak(scene.image, peak, DefaultParams(), load_weights())


def plain_quality(inputs, weights):
    total = weights.bias
    z = [max(min((x - c) / d, 4), -4) for x, c, d in zip(inputs, weights.centre, weights.deviation, strict=True)]
    for unit, coefficient in enumerate(weights.coefficients):
        value = weights.hidden_bias[unit] + sum(one * weights.hidden[i, unit] for i, one in enumerate(z))
        total += coefficient * value / (1 + math.exp(-value))
    return max(min(total, 1), 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_inputs_equal_plain_sums(seed):
    view = seen(seed)
    soft, mask = view.soft.astype(float), view.mask
    found = dict(zip(INPUTS, quality_inputs(view.soft, mask, view.vote).tolist(), strict=True))
    shared = np.minimum(soft, view.vote.field).sum() / np.maximum(soft, view.vote.field).sum()
    assert found["sharpness"] == pytest.approx(soft[mask].sum() / (mask.sum() + soft[~mask].sum()), rel=1e-5)
    assert found["agreement"] == pytest.approx(shared, rel=1e-5)
    assert found["log_area"] == pytest.approx(math.log(mask.sum()))
    names = [name for name in SUMMARY if name != "best_score"]
    expected = dict(zip(names, twin.summary(view.regions.features, view.vote.share), strict=True))
    for name in set(INPUTS) & set(expected) - {"log_area"}:
        assert found[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-7)


def test_the_quality_equals_a_loop_over_its_units(rng):
    weights = load_weights().quality
    rows = weights.centre + 2 * weights.deviation * rng.normal(size=(50, len(INPUTS)))
    expected = [plain_quality(row, weights) for row in rows]
    np.testing.assert_allclose(qualities(rows, weights), expected, atol=1e-12)
    np.testing.assert_allclose([quality(row, weights) for row in rows], expected, atol=1e-12)
    assert np.std(expected) > 0.02


def test_regions_that_grow_fast_from_level_to_level_are_rated_lower():
    weights = load_weights().quality
    rows = np.tile(weights.centre, (3, 1))
    rows[:, INPUTS.index("growth_two")] += np.array([-1.5, 0, 1.5]) * weights.deviation[INPUTS.index("growth_two")]
    rates = qualities(rows, weights)
    assert rates[0] < rates[1] < rates[2]  # ln of the area two levels up over the area: 0 for the steepest border


def test_the_quality_is_free_of_gain_offset_and_orientation():
    scene = draw_scene(6, (160, 150), n_targets=2)
    first = [target.quality for target in annotate(scene.image, scene.points).targets]
    points = scene.points[:, ::-1]
    turned = [target.quality for target in annotate(np.ascontiguousarray(scene.image.T) * 3.0 + 20, points).targets]
    assert turned == pytest.approx(first, abs=1e-6)
