"""Votes with a detector's answer: the candidates' overlap with it against plain sums, and which labels stay."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.common import Sample
from benchmarks.training.feedback import STRENGTHS, candidate_ious, in_window, masks_of_image
from pointlabel import annotate
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import LEVELS, grow_regions
from pointlabel.engine.default.weights import load_weights
from pointlabel.engine.default.window import HALF, cut_window
from pointlabel.synthetic import draw_scene


@pytest.fixture
def sample():
    scene = draw_scene(3, (120, 130), n_targets=3)
    return Sample("scene", scene.image, scene.points, scene.mask)


def masks(sample, probability):
    return masks_of_image(sample, probability, DefaultParams(), load_weights())


def test_overlaps_equal_plain_sums(rng, sample):
    regions = grow_regions(cut_window(sample.image, (60, 60)))
    answer = rng.random((2 * HALF + 1, 2 * HALF + 1))
    found = candidate_ious(regions, answer)
    for k in range(len(regions.level_of)):
        for level in range(len(LEVELS)):
            candidate = regions.level_of[k] <= level
            expected = answer[candidate].sum() / (answer.sum() + candidate.sum() - answer[candidate].sum())
            assert found[k, level] == pytest.approx(expected)


def test_a_window_at_the_border_is_filled_up(sample):
    window = in_window(sample.mask, (0, 129))
    assert window.shape == (2 * HALF + 1, 2 * HALF + 1)
    np.testing.assert_array_equal(window[HALF:, : HALF + 1], sample.mask[: HALF + 1, 129 - HALF :])
    assert not window[:HALF].any()


def test_without_an_answer_the_labels_are_those_of_annotate(sample):
    found = masks(sample, np.zeros(sample.mask.shape))
    expected = annotate(sample.image, sample.points).mask()
    for strength in STRENGTHS:
        np.testing.assert_array_equal(found[str(strength)], expected)
    assert found["answer"].sum() == len(sample.points)  # a pixel each


def test_a_sure_answer_draws_the_label_to_itself(sample):
    found = masks(sample, sample.mask.astype(float))

    def iou(name):
        return (found[name] & sample.mask).sum() / (found[name] | sample.mask).sum()

    assert iou("answer") == 1
    assert iou(str(STRENGTHS[-1])) >= iou("0")
    assert (found[str(STRENGTHS[-1])] != found["0"]).any()
