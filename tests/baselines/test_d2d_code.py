"""The published code's pipeline: particles against their twin, seeds, grey levels, real figures."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from pointlabel import InputError, annotate, get_method
from pointlabel.baselines.d2d._code_kernels import walk_kernel
from pointlabel.baselines.d2d.code import particle_label
from pointlabel.baselines.d2d.params import ParticleParams
from tests.real_data import real_samples
from tests.twins import d2d as twin


@pytest.mark.parametrize("shape", [(2, 2), (9, 9), (20, 15)])
@pytest.mark.parametrize("start", [(0, 0), (1, 1)])
@pytest.mark.parametrize("spread", [0.0, 1.0, 50.0])
def test_walks_equal_their_twin(rng, shape, start, spread):
    grey = rng.random(shape)
    coefficient = spread * rng.random(shape)
    noise = rng.standard_normal((12, 30, 2))
    heat = np.zeros(shape)
    walk_kernel(grey, coefficient, start[0], start[1], noise, 0.2, heat)
    np.testing.assert_array_equal(heat, twin.walk(grey, coefficient, start, noise, 0.2))
    assert heat.sum() == 30


def test_a_window_of_one_row_needs_no_gradient_across_it(rng):
    heat = np.zeros((1, 9))
    walk_kernel(rng.random((1, 9)), np.full((1, 9), 0.5), 0, 4, rng.standard_normal((5, 20, 2)), 0.2, heat)
    assert heat.sum() == 20


@pytest.mark.parametrize("size_class", ["Point", "Spot", "Extended"])
def test_soft_labels_have_unit_range_and_stand_at_the_point(rng, size_class):
    grey = np.clip(rng.normal(40, 2, (29, 29)), 0, 255).astype(np.uint8)
    grey[12:17, 12:17] += 120
    soft = particle_label(grey, (14, 14), size_class, ParticleParams(), rng)
    assert soft.dtype == np.float32
    assert 0 <= soft.min() <= soft.max() <= 1
    near = soft[11:18, 11:18]
    assert near.max() == soft.max()
    assert near.mean() > 3 * soft.mean()


def test_points_fade_with_the_distance(rng):
    grey = np.full((13, 13), 9, np.uint8)
    params = ParticleParams(rho=0.0, n_maxima=0)
    soft = particle_label(grey, (6, 6), "Point", params, rng)
    assert soft[6, 6] == pytest.approx(1)
    away = np.hypot(*np.mgrid[-6:7, -6:7]) > 0
    inside = soft > 0
    sigma = 13 / 4
    exact = 0.75 + 0.25 * np.exp(-0.5 * (np.mgrid[-6:7, -6:7] ** 2).sum(axis=0) / sigma**2)
    np.testing.assert_allclose(soft[inside & away], exact[inside & away], rtol=1e-6)


def test_other_targets_and_their_order_do_not_change_a_target_s_draws(scene):
    straight = annotate(scene.image, scene.points, method="d2d-code", rng=7)
    turned = annotate(scene.image, scene.points[::-1], method="d2d-code", rng=7)
    alone = annotate(scene.image, scene.points[:1], method="d2d-code", rng=7)
    np.testing.assert_array_equal(turned.targets[-1].soft, straight.targets[0].soft)
    np.testing.assert_array_equal(alone.targets[0].soft, straight.targets[0].soft)


def test_seeds_repeat_and_differ(scene):
    first, again, other = (annotate(scene.image, scene.points, method="d2d-code", rng=k).soft() for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_whole_numbers_of_8_bits_are_taken_as_they_are_other_images_are_stretched(scene):
    image = scene.image
    base = annotate(image, scene.points, method="d2d-code")
    np.testing.assert_array_equal(annotate(image.astype(float), scene.points, method="d2d-code").soft(), base.soft())
    twice, more = (annotate(image * gain + 0.5, scene.points, method="d2d-code").soft() for gain in (2.0, 64.0))
    np.testing.assert_array_equal(twice, more)


def test_bad_pixels_join_no_mask(scene):
    image = scene.image.astype(float)
    image[::3, ::3] = np.nan
    labels = annotate(image, scene.points, method="d2d-code")
    assert not labels.mask()[::3, ::3].any()
    assert all(target.mask.any() and "nan" in target.flags for target in labels.targets)


def test_without_the_crf_the_mask_is_otsu_s_inside_the_window(scene):
    params = ParticleParams(n_crf_iter=0)
    labels = annotate(scene.image, scene.points[:1], method="d2d-code", params=params)
    target = labels.targets[0]
    soft = labels.soft()
    level = (threshold_otsu((soft * 255).astype(np.uint8)) + 1) / 255
    inside = np.zeros(soft.shape, bool)
    row, column = (int(v) for v in scene.points[0])
    inside[max(row - 11, 0) : row + 11, max(column - 11, 0) : column + 11] = True
    cut = (soft >= np.float32(level)) & inside
    assert not (labels.mask() & ~cut).any()
    assert labels.mask().sum() >= 0.9 * cut.sum()
    assert target.area == labels.mask().sum()


def test_bad_parameters_are_named():
    with pytest.raises(InputError, match=r"ParticleParams\.crf_spatial_px must lie in \[0.1, 1000\], got 0"):
        ParticleParams(crf_spatial_px=0)


@pytest.mark.slow
@pytest.mark.parametrize(("size_prior", "iou", "margin"), [("oracle", 0.734, 0.015), ("none", 0.701, 0.015)])
def test_the_published_figure_comes_out(data, size_prior, iou, margin):
    """Pooled IoU on all of SIRST-v1; the published code gives the same with the true size and from points alone."""
    params = get_method("d2d-code").params(size_prior=size_prior)
    found = []
    for seed in range(3):
        inter = union = 0
        for number, (image, points, truth, areas) in enumerate(real_samples(data / "SIRST-v1")):
            labels = annotate(
                image, points, method="d2d-code", params=params, true_area=areas, rng=1000 * seed + number
            )
            inter += int((labels.mask() & truth).sum())
            union += int((labels.mask() | truth).sum())
        found.append(inter / union)
    assert np.mean(found) == pytest.approx(iou, abs=margin)
