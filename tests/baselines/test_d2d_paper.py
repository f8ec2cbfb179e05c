"""Equations (2) to (4) as methods: presets, windows, invariances, flags, odd input."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from pointlabel import InputError, annotate, get_method
from pointlabel.baselines.d2d.clahe import equalise, equalise_window
from pointlabel.baselines.d2d.paper import (
    LOOSEST,
    TIGHTEST,
    level_at,
    otsu_level,
    soft_label,
    windows_of,
)
from pointlabel.baselines.d2d.params import DiffusionParams
from pointlabel.baselines.point import PointParams
from pointlabel.baselines.published_windows import child_rng, published_windows
from pointlabel.engine.conductance import rescale_window
from pointlabel.synthetic import draw_scene
from pointlabel.types import LabelRequest
from tests.real_data import real_samples
from tests.twins import diffusion as twin

OURS = ["point", "superpixel", "heat", "diffusion", "d2d-paper"]
MOVES = [np.fliplr, np.flipud, np.transpose]


def request(image, points, *, areas=None, seed=0):
    points = np.asarray(points, float)
    true_area = None if areas is None else np.asarray(areas, np.int64)
    return LabelRequest(image, points, np.full(len(points), 0.5), true_area, np.random.default_rng(seed))


def moved(move, points, shape):
    """Points (row, column) of an image of `shape` after `move`."""
    rows, columns = points[:, 0], points[:, 1]
    return np.stack(
        {
            np.fliplr: (rows, shape[1] - 1 - columns),
            np.flipud: (shape[0] - 1 - rows, columns),
            np.transpose: (columns, rows),
        }[move],
        axis=1,
    )


@pytest.mark.parametrize(("gain", "offset"), [(3.3, -50.0), (1e-4, 1.0)])
def test_gain_and_offset_do_not_matter(scene, gain, offset):
    base = annotate(scene.image, scene.points, method="d2d-paper")
    other = annotate(scene.image * gain + offset, scene.points, method="d2d-paper")
    np.testing.assert_array_equal(other.soft(), base.soft())
    np.testing.assert_array_equal(other.instances(), base.instances())


@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("background", ["cloud", "flat"])
def test_flips_and_transposition_carry_over_bit_for_bit(method, move, background):
    scene = draw_scene(3, (72, 90), n_targets=4, background=background)
    points = np.vstack([np.floor(scene.points), [(0, 0), (71, 40), (30, 89)]])  # at the border too
    base = annotate(scene.image, points, method=method)
    other = annotate(np.ascontiguousarray(move(scene.image)), moved(move, points, scene.image.shape), method=method)
    np.testing.assert_array_equal(other.soft(), move(base.soft()))
    np.testing.assert_array_equal(other.instances(), move(base.instances()))
    for one, two in zip(base.targets, other.targets, strict=True):
        assert one.quality == two.quality
        assert one.flags == two.flags


def test_a_target_does_not_depend_on_the_image_beyond_its_window(scene):
    point = scene.points[:1]
    row, column = point[0].astype(int)
    image = scene.image.astype(float)
    far = np.ones(image.shape, bool)
    far[max(row - 16, 0) : row + 17, max(column - 16, 0) : column + 17] = False
    image[far] = 1e6
    one, other = (annotate(array, point, method="diffusion").targets[0] for array in (scene.image, image))
    np.testing.assert_array_equal(one.soft, other.soft)


@pytest.mark.parametrize("solver", ["explicit", "steady"])
def test_the_soft_label_follows_the_equations(rng, solver):
    units, _ = rescale_window(rng.gamma(2.0, 20.0, (15, 15)))
    params = DiffusionParams(
        beta=6.0, alpha=0.6, rho=0.84, heat_first=False, n_steps=30, n_maxima=5, point_seed=False, solver=solver
    )
    owners = twin.slic(units, (4, 4), None, 0.32, 4)
    cell = twin.connected(owners & owners[7, 7] != 0, (7, 7))
    source = twin.sources(units, cell, (7, 7), 5).astype(float)
    medium = twin.conductivity(units, 3.2, 6.0, 0.6, 32)
    heat = twin.diffuse(source, medium, 30)
    if solver == "steady":
        matrix = twin.laplacian(medium)
        heat = twin.solve_steady(source, matrix, matrix.diagonal().max() / (30 * 0.9))
    exact = 0.84 * heat + 0.16 * cell
    np.testing.assert_allclose(soft_label(units, (7, 7), params), exact / exact.max(), atol=2e-4)


def test_d2d_paper_has_the_published_values():
    params = get_method("d2d-paper").params()
    assert (params.d0, params.beta, params.alpha, params.rho) == (3.2, 6.0, 0.6, 0.84)
    assert (params.n_segments, params.compactness, params.tau_share) == (16, 0.32, 0.9)
    assert (params.n_maxima, params.clahe, params.boundary, params.heat_first) == (5, True, "otsu", False)


def test_ablations_are_ordered(data):
    """On real images: the block is worst, both parts together are best."""
    counts = {method: np.zeros(2) for method in ("point", "heat", "superpixel", "diffusion")}
    for name in ("SIRST-v1", "IRSTD-1k"):
        for image, points, truth, _ in real_samples(data / name, every=8):
            for method, count in counts.items():
                mask = annotate(image, points, method=method).mask()
                count += (mask & truth).sum(), (mask | truth).sum()
    iou = {method: inter / union for method, (inter, union) in counts.items()}
    assert iou["point"] < iou["heat"] < iou["superpixel"] < iou["diffusion"]


def test_the_point_is_a_block_cut_off_at_the_image():
    labels = annotate(np.zeros((9, 9)), [(4, 4), (0, 8)], method="point")
    expected = np.zeros((9, 9), bool)
    expected[3:6, 3:6] = expected[0:2, 7:9] = True
    np.testing.assert_array_equal(labels.mask(), expected)
    assert [target.flags for target in labels.targets] == [(), ("clipped",)]


def test_a_few_bad_pixels_hardly_move_the_mask(scene):
    clean = annotate(scene.image, scene.points, method="diffusion").mask()
    image = scene.image.astype(float)
    image[::7, ::7] = np.inf
    for row, column in scene.points.astype(int):
        image[row - 2 : row + 3, column - 2 : column + 3] = scene.image[row - 2 : row + 3, column - 2 : column + 3]
    other = annotate(image, scene.points, method="diffusion").mask()
    assert (clean & other).sum() / (clean | other).sum() > 0.7


def test_flags():
    image = np.random.default_rng(0).normal(50, 1, (80, 80))
    image[10:13, 10:13] += 40
    image[0:3, 40:43] += 40
    image[60:78, 60:62] += 40
    labels = annotate(image, [(11, 11), (0, 41), (40, 20)], method="superpixel")
    clear, cut, nothing = labels.targets
    assert clear.flags == ()
    assert cut.flags == ("clipped",)
    assert "low_contrast" in nothing.flags
    assert clear.quality > nothing.quality
    narrow = get_method("superpixel").params(window_px=7, n_segments=1)
    (long,) = annotate(image, [(68, 60)], method="superpixel", params=narrow).targets
    assert "touches_window" in long.flags


def test_on_a_flat_image_the_quality_is_zero():
    for method in ("superpixel", "heat", "diffusion", "d2d-paper"):
        (target,) = annotate(np.full((40, 40), 3), [(20, 20)], method=method).targets
        assert target.quality == 0
        assert "low_contrast" in target.flags


@pytest.mark.parametrize("level", [0.05, 0.25, 0.6])
def test_levels_run_from_loose_to_tight(level):
    levels = [level_at(t, level) for t in np.linspace(0, 1, 11)]
    assert levels == sorted(levels)
    np.testing.assert_allclose([levels[0], levels[5], levels[10]], [LOOSEST, level, TIGHTEST])


def test_otsu_equals_that_of_scikit_image(rng):
    for _ in range(20):
        soft = (rng.beta(0.5, 3.0, (12, 12)) ** rng.uniform(0.5, 2)).astype(np.float32)
        grey = (soft * np.float32(255)).astype(np.uint8)
        np.testing.assert_array_equal(soft >= np.float32(otsu_level(soft)), grey > threshold_otsu(grey))


def test_otsu_of_one_level_keeps_it_apart_from_nothing():
    assert otsu_level(np.ones((3, 3), np.float32)) == 0.5


def test_windows_are_cut_off_at_the_image():
    ask = request(np.zeros((40, 60)), [(0, 0), (20, 30), (39, 59)])
    assert windows_of(ask, "none", 33) == [(0, 17, 0, 17), (4, 37, 14, 47), (23, 40, 43, 60)]


@pytest.mark.parametrize(("area", "low", "high"), [(1, 3, 5), (9, 3, 5), (10, 10, 11), (81, 10, 11), (82, 15, 25)])
def test_published_windows_follow_the_true_area(area, low, high):
    points = [(100 + k, 100 - k) for k in range(50)]
    seen = set()
    for (row, column), window in zip(
        points, published_windows(request(np.zeros((200, 200)), points, areas=[area] * 50), "oracle"), strict=True
    ):
        top, bottom, left, right = window
        seen |= {row - top, bottom - row, column - left, right - column}
    assert seen == set(range(low, high + 1))


def test_fixed_windows_are_those_of_spots():
    points = [(50 + k, 60) for k in range(30)]
    ask = request(np.zeros((120, 120)), points, areas=[4] * 30)
    spots = published_windows(request(np.zeros((120, 120)), points, areas=[50] * 30), "oracle")
    assert published_windows(ask, "fixed") == spots


@pytest.mark.parametrize("method", ["diffusion", "d2d-paper", "d2d-code"])
def test_an_oracle_without_areas_is_refused(scene, method):
    params = get_method(method).params(size_prior="oracle")
    with pytest.raises(InputError, match='size_prior="oracle" needs true_area'):
        annotate(scene.image, scene.points, method=method, params=params)
    labels = annotate(scene.image, scene.points, method=method, params=params, true_area=[4, 20, 100])
    assert len(labels.targets) == 3


def test_children_depend_on_seed_and_pixel_alone():
    first = child_rng(np.random.default_rng(1), 3, 4).random()
    used = np.random.default_rng(1)
    used.random(10)
    assert child_rng(used, 3, 4).random() == first
    assert child_rng(np.random.default_rng(1), 4, 3).random() != first
    assert child_rng(np.random.default_rng(2), 3, 4).random() != first


@pytest.mark.parametrize("field", ["n_slic_iter", "window_px", "rho", "level", "alpha", "n_bins"])
def test_parameters_out_of_range_are_named(field):
    with pytest.raises(InputError, match=rf"DiffusionParams.{field} must lie in \[.*\], got -1"):
        get_method("diffusion").params(**{field: -1})


@pytest.mark.parametrize(("field", "value"), [("size_prior", "big"), ("solver", "magic"), ("boundary", "edge")])
def test_unknown_choices_are_named(field, value):
    with pytest.raises(InputError, match=rf"DiffusionParams.{field} must be one of .*, got '{value}'"):
        get_method("diffusion").params(**{field: value})


def test_windows_and_blocks_have_odd_sides():
    with pytest.raises(InputError, match=r"DiffusionParams\.window_px must be odd, got 32"):
        DiffusionParams(window_px=32)
    with pytest.raises(InputError, match=r"PointParams\.side_px must be odd, got 2"):
        PointParams(side_px=2)


@pytest.mark.parametrize("shape", [(32, 32), (33, 33), (7, 50), (3, 3), (1, 1), (1, 9)])
@pytest.mark.parametrize("move", [*MOVES, np.rot90])
def test_equalisation_carries_flips_over(rng, shape, move):
    grey = rng.integers(20, 120, shape).astype(np.uint8)
    even = equalise(grey)
    assert even.dtype == np.uint8
    np.testing.assert_array_equal(equalise(np.ascontiguousarray(move(grey))), move(even))


def test_equalisation_without_a_clip_flattens_the_histogram(rng):
    grey = np.clip(rng.normal(60, 5, (64, 64)), 0, 255).astype(np.uint8)
    even = equalise(grey, clip=1000.0, n_tiles=1)
    shares = np.bincount(grey.ravel(), minlength=256).cumsum() / grey.size
    np.testing.assert_allclose(even, np.round(shares[grey] * 255), atol=1)
    assert even.std() > 5 * grey.std()


def test_a_clip_limits_the_gain_in_contrast(rng):
    """With a clip of 1 no grey level counts for more than twice the mean: the slope stays below 2 or so."""
    grey = np.clip(rng.normal(60, 5, (64, 64)), 0, 255).astype(np.uint8)
    assert equalise(grey, n_tiles=1).std() < 2.1 * grey.std() < equalise(grey, clip=40.0, n_tiles=1).std()
    units, _ = rescale_window(grey)
    even = equalise_window(units)
    assert even.dtype == np.int32
    assert 0 <= even.min() <= even.max() <= 1 << 20
