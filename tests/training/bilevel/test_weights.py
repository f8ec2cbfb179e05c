"""Weights by a rule: which images each of them favours."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.training.bilevel.weights import agreement_weights, error_weights, quality_weights
from pointlabel.training.data import SampleSet
from pointlabel.types import ImageLabels, TargetLabel

N = 8
SHAPE = (40, 48)


@pytest.fixture
def samples() -> SampleSet:
    """Images with a target of 5 x 5 pixels at (20, 20) each, but for the last, which has none."""
    image = np.zeros(SHAPE, np.uint8)
    label = np.zeros(SHAPE, np.float16)
    label[18:23, 18:23] = 1
    points = [np.array([[20.0, 20.0]])] * (N - 1) + [np.zeros((0, 2))]
    labels = [label.copy() for _ in range(N - 1)] + [np.zeros(SHAPE, np.float16)]
    ids, inputs = [f"d/{k}" for k in range(N)], [image.astype(np.float32)] * N
    return SampleSet(ids, [0] * N, [image] * N, inputs, points, None, labels, [None] * N)


def answers(samples: SampleSet) -> list[np.ndarray]:
    return [0.9 * label.astype(np.float32) for label in samples.labels]


def test_agreement_lowers_labels_that_the_detector_denies(samples):
    predictions = answers(samples)
    predictions[2][18:23, 21:] = 0
    predictions[5][:] = 0
    weights = agreement_weights(enumerate(predictions), samples)
    assert weights.mean() == pytest.approx(1)
    assert weights[5] < 0.1 * weights[2] < 0.1 * weights[0] == 0.1 * weights[7]


def test_errors_are_alarms_far_from_clicks_and_missed_clicks(samples):
    assert (error_weights(enumerate(answers(samples)), samples) == 1).all()  # none anywhere
    predictions = answers(samples)
    predictions[1][2:4, 40:44] = 0.9  # far from the click
    predictions[2][24:26, 20:24] = 0.9  # beside the label, which may be too small
    predictions[3][:] = 0
    predictions[7][2:4, 40:44] = 0.25  # too faint for an alarm
    weights = error_weights(enumerate(predictions), samples)
    assert weights.mean() == pytest.approx(1)
    assert weights[3] > weights[1] > weights[0]  # a miss counts as 25 pixels here, the alarm has 8
    assert (weights[[0, 2, 4, 5, 6, 7]] == weights[0]).all()
    assert weights.max() / weights.min() <= 5


def test_quality_is_that_of_the_annotator(samples):
    def of(*qualities: float) -> ImageLabels:
        nothing = np.zeros((1, 1), np.float32)
        return ImageLabels(SHAPE, tuple(TargetLabel((0, 0), (0, 0), nothing, nothing > 0, each) for each in qualities))

    labels = [of(0.8), of(0.4), *[of(0.9, 0.7)] * (N - 3), of()]
    weights = quality_weights(lambda index: labels[index], samples)
    assert weights.mean() == pytest.approx(1)
    assert weights[0] == pytest.approx(2 * weights[1]) == pytest.approx(weights[3])
    assert weights[7] == pytest.approx(weights[:7].mean())
