"""Refinement: the inputs at every pixel, the perceptron and the component against their twins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pointlabel.engine.default._rating_kernels import sharpness_kernel
from pointlabel.engine.default._refine_kernels import (
    box_kernel,
    component_kernel,
    near_vote_kernel,
    relative_kernel,
)
from pointlabel.engine.default.refine import pixel_inputs, refine
from pointlabel.engine.default.regions import LEVELS, grow_regions
from pointlabel.engine.default.vote import cast_vote
from pointlabel.engine.default.weights import load_weights
from pointlabel.engine.default.window import HALF, cut_window
from pointlabel.synthetic import draw_scene
from tests.twins.default import refine as twin

SIDE = 2 * HALF + 1


def seen(seed, pixel=None):
    scene = draw_scene(seed, (160, 150), n_targets=2)
    window = cut_window(scene.image, pixel or tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist()))
    regions = grow_regions(window)
    return window, regions, cast_vote(regions, load_weights().score, 0.5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pixel", [None, (0, 0), (159, 80)])
def test_inputs_equal_their_twin(seed, pixel):
    window, regions, vote = seen(seed, pixel)
    pixels = pixel_inputs(window, regions, vote, vote.field)
    listed, ring = twin.near_vote(vote.field, window.inside)
    np.testing.assert_array_equal(np.stack([pixels.rows, pixels.columns], axis=1), np.argwhere(listed))
    relative = twin.relative(vote.field, window.core, ring)
    ours = np.empty((SIDE, SIDE), np.float32)
    relative_kernel(vote.field, window.core, ring, HALF, ours)
    np.testing.assert_allclose(ours, relative, atol=2**-20)
    log_area = float(vote.summary[0])
    expected = twin.inputs(listed, vote.field, ours, regions.level_of, regions.residual, LEVELS, log_area)
    np.testing.assert_allclose(pixels.inputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("where", [[(HALF, HALF)], [(0, 0), (64, 64)], [(2, 63), (40, 1)], []])
def test_pixels_near_the_vote_equal_their_twin(rng, where):
    field = np.zeros((SIDE, SIDE), np.float32)
    for at in where:
        field[at] = 0.5
    inside = rng.random((SIDE, SIDE)) < 0.9
    rows, columns = np.empty(SIDE * SIDE, np.int64), np.empty(SIDE * SIDE, np.int64)
    ring = np.empty((SIDE, SIDE), np.bool_)
    n = near_vote_kernel(field, inside, rows, columns, ring)
    listed, expected = twin.near_vote(field, inside)
    np.testing.assert_array_equal(np.stack([rows[:n], columns[:n]], axis=1), np.argwhere(listed))
    np.testing.assert_array_equal(ring, expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_perceptron_equals_matrix_products(seed):
    window, regions, vote = seen(seed)
    weights = load_weights().refine
    pixels = pixel_inputs(window, regions, vote, vote.field)
    soft = refine(window, regions, vote, vote.field, weights)
    expected = np.zeros((SIDE, SIDE))
    expected[pixels.rows, pixels.columns] = twin.perceptron(pixels.inputs, pixels.votes, pixels.extra, weights)
    assert soft.dtype == np.float32
    np.testing.assert_allclose(soft, expected, atol=1e-4)


@pytest.mark.parametrize("pixel", [(0, 0), (7, 11), (15, 19), (0, 19)])
def test_components_equal_those_of_scipy(rng, pixel):
    field = ndimage.gaussian_filter(rng.standard_normal((16, 20)), 1)
    for threshold in (-1.0, 0.0, 0.1, 9.0):
        mask = np.empty(field.shape, np.bool_)
        touches = component_kernel(field, threshold, pixel[0], pixel[1], mask)
        above = field >= threshold
        above[pixel] = True
        parts, _ = ndimage.label(above, np.ones((3, 3)))
        expected = parts == parts[pixel]
        np.testing.assert_array_equal(mask, expected)
        assert touches == (expected[[0, -1]].any() or expected[:, [0, -1]].any())


def test_boxes_and_sums_of_a_soft_label(rng):
    soft, vote = rng.random((2, 12, 17)).astype(np.float32)
    mask = rng.random((12, 17)) < 0.3
    expected = (
        soft[mask].sum(),
        soft[~mask].sum(),
        mask.sum(),
        np.minimum(soft, vote).sum(),
        np.maximum(soft, vote).sum(),
    )
    assert sharpness_kernel(soft, mask, vote) == pytest.approx(tuple(expected), rel=1e-5)
    field = np.zeros((12, 17), np.float32)
    assert box_kernel(field, np.float32(0.1)) == (0, 0, 0, 0)
    field[3, 16] = field[7, 2] = 0.1
    assert box_kernel(field, np.float32(0.1)) == (3, 8, 2, 17)
