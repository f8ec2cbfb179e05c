"""The paired bootstrap against a loop, and on differences that are known."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.errors import InputError
from pointlabel.evaluation.bootstrap import paired_bootstrap


def counts(rng, n, skill):
    union = rng.integers(10, 60, n)
    return np.stack([rng.binomial(union, skill), union], axis=1)


def iou(values):
    return values[:, 0].sum() / values[:, 1].sum()


def test_against_a_loop(rng):
    a, b = counts(rng, 50, 0.8), counts(rng, 50, 0.7)
    has_target = rng.random(50) < 0.8
    out = paired_bootstrap(a, b, has_target, n_resamples=4000, rng=1)
    drawn: dict[str, list[float]] = {"iou": [], "niou": [], "niou_with_targets": []}
    for _ in range(4000):
        chosen = rng.integers(0, 50, 50)
        ious = [values[chosen, 0] / values[chosen, 1] for values in (a, b)]
        drawn["iou"].append(iou(a[chosen]) - iou(b[chosen]))
        drawn["niou"].append(ious[0].mean() - ious[1].mean())
        drawn["niou_with_targets"].append(np.mean((ious[0] - ious[1])[has_target[chosen]]))
    for name, values in drawn.items():
        low, high = np.quantile(values, (0.025, 0.975))
        assert out[name].low == pytest.approx(low, abs=0.004)
        assert out[name].high == pytest.approx(high, abs=0.004)
    assert out["iou"].difference == pytest.approx(iou(a) - iou(b))
    assert out["niou"].difference == pytest.approx(np.mean(a[:, 0] / a[:, 1] - b[:, 0] / b[:, 1]))


def test_seeded_and_antisymmetric(rng):
    a, b = counts(rng, 30, 0.8), counts(rng, 30, 0.6)
    every = np.ones(30, bool)
    here = paired_bootstrap(a, b, every, rng=3)
    assert here == paired_bootstrap(a, b, every, rng=3)
    assert here != paired_bootstrap(a, b, every, rng=4)
    there = paired_bootstrap(b, a, every, rng=3)
    for name, interval in here.items():
        assert there[name].difference == pytest.approx(-interval.difference)
        assert (there[name].low, there[name].high) == pytest.approx((-interval.high, -interval.low))


def test_the_chunks_leave_no_seam(rng, monkeypatch):
    a, b = counts(rng, 10, 0.8), counts(rng, 10, 0.6)
    whole = paired_bootstrap(a, b, np.ones(10, bool), n_resamples=500, rng=0)
    monkeypatch.setattr("pointlabel.evaluation.bootstrap._CHUNK", 70)
    assert paired_bootstrap(a, b, np.ones(10, bool), n_resamples=500, rng=0) == whole


def test_images_without_targets(rng):
    a, b = counts(rng, 8, 0.8), counts(rng, 8, 0.6)
    assert set(paired_bootstrap(a, b, np.zeros(8, bool))) == {"iou", "niou"}
    empty = np.zeros((8, 2), int)
    assert paired_bootstrap(empty, empty, np.zeros(8, bool))["iou"].difference == 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)), {}, "one row for each of one or more images"),
        ((np.ones((3, 2)), np.ones((2, 2)), np.ones(3)), {}, r"got \(3, 2\) and \(2, 2\)"),
        ((np.ones((3, 2)), np.ones((3, 2)), np.ones(3)), {"n_resamples": 0}, "n_resamples must be at least 1, got 0"),
        ((np.ones((3, 2)), np.ones((3, 2)), np.ones(3)), {"level": 1.0}, r"level must lie in \(0, 1\), got 1"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(InputError, match=message):
        paired_bootstrap(*arguments, **options)
