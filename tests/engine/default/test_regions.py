"""Backgrounds, floods, sums and features of the candidates against their twins."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from pointlabel.engine.default._background_kernels import fill_residual_kernel, median_residual_kernel
from pointlabel.engine.default._region_kernels import (
    N_SUMS,
    PITCH,
    flood_kernel,
    region_sums_kernel,
    shared_area_kernel,
)
from pointlabel.engine.default.regions import FEATURES, FLOOR_NOISES, LEVELS, SAMPLING, SCALES, grow_regions
from pointlabel.engine.default.window import HALF, MARGIN, cut_window
from pointlabel.synthetic import BACKGROUNDS, draw_scene
from tests.twins.default import regions as twin

SIDE = 2 * HALF + 1
N_LEVELS = len(LEVELS)


def relief(rng, kind):
    """A field of whole numbers with its largest value in the middle."""
    noise = rng.standard_normal((SIDE, SIDE))
    if kind == "smooth":
        noise = 30 * ndimage.gaussian_filter(noise, 4)
    y, x = np.indices((SIDE, SIDE)) - HALF
    field = 9000 * np.exp(-(y**2 + x**2) / 60) + 1500 * noise
    if kind == "plateaus":
        field = 2000 * np.round(field / 2000)
    field = np.rint(field).astype(np.float32)
    field[HALF, HALF] = field.max()
    return field


def flood(residual, inside, extent=HALF):
    thresholds = LEVELS * float(residual[HALF, HALF])
    level_of, box = np.empty((SIDE, SIDE), np.uint8), np.empty(4, np.int64)
    scratch = np.empty((N_LEVELS, SIDE * SIDE), np.int32), np.empty((SIDE + 2, PITCH), np.float32)
    is_whole = flood_kernel(residual, inside, HALF, HALF, thresholds, extent, level_of, *scratch, box)
    return is_whole, thresholds, level_of, box


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", ["white", "ramp", "few values", "flat"])
def test_medians_equal_their_twin(rng, scale, kind):
    side = 2 * MARGIN + 1
    units = {
        "white": rng.integers(0, 65536, (side, side)),
        "ramp": np.add.outer(np.arange(side) * 300, np.arange(side) * 200),
        "few values": np.array([0, 30000, 65535])[rng.integers(0, 3, (side, side))],
        "flat": np.full((side, side), 65535),
    }[kind].astype(np.int32)
    residual = np.empty((SIDE, SIDE), np.float32)
    median_residual_kernel(units, HALF, *SAMPLING[scale], residual)
    np.testing.assert_array_equal(residual, twin.median_rest(units, HALF, *SAMPLING[scale]))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("extents", [(0, 1, 2), (3, 8, 20, HALF), (8, 16, 31), (17, 5, HALF), (HALF,)])
def test_medians_of_parts_are_those_of_the_whole(rng, scale, extents):
    units = rng.integers(0, 65536, (2 * MARGIN + 1, 2 * MARGIN + 1)).astype(np.int32)
    expected, found = np.empty((SIDE, SIDE), np.float32), np.full((SIDE, SIDE), np.nan, np.float32)
    median_residual_kernel(units, HALF, *SAMPLING[scale], expected)
    grid = np.full((SIDE, SIDE), -1, np.int32)
    for extent in extents:
        fill_residual_kernel(units, HALF, *SAMPLING[scale], extent, grid, found)
        part = slice(HALF - extent, HALF + extent + 1)
        np.testing.assert_array_equal(found[part, part], expected[part, part])
    n_known = int((grid >= 0).sum())
    _, _, step = SAMPLING[scale]
    assert n_known <= (2 * max(extents) // step + 3) ** 2  # no more than the square needs


def test_a_flood_that_leaves_its_extent_says_so():
    y, x = np.indices((SIDE, SIDE)) - HALF
    residual, inside = np.rint(9000 * np.exp(-(y**2 + 2 * x**2) / 60)).astype(np.float32), np.ones((SIDE, SIDE), bool)
    _, _, level_of, box = flood(residual, inside)
    reached = int(np.abs(box - HALF).max())
    assert 8 < reached < HALF - 8
    for extent in range(1, HALF):
        # It looks at the neighbours of what it reaches.
        is_whole, _, other, own = flood(residual, inside, extent)
        assert is_whole == (extent > reached)
        if is_whole:
            np.testing.assert_array_equal(other, level_of)
            np.testing.assert_array_equal(own, box)


@pytest.mark.parametrize("background", list(BACKGROUNDS))
def test_heights_are_worked_out_as_far_as_they_are_asked_for(background):
    scene = draw_scene(5, (160, 150), n_targets=2, background=background)
    window = cut_window(scene.image, tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist()))
    regions = grow_regions(window)
    rows, columns = np.nonzero((regions.level_of < N_LEVELS).any(axis=0))
    reached = max(np.abs(rows - HALF).max(), np.abs(columns - HALF).max())
    assert regions.heights.extents.max() >= min(reached + 4, HALF)
    for k, scale in enumerate(SCALES):
        expected = np.empty((SIDE, SIDE), np.float32)
        median_residual_kernel(window.units, HALF, *SAMPLING[scale], expected)
        part = slice(HALF - regions.heights.extents[k], HALF + regions.heights.extents[k] + 1)
        np.testing.assert_array_equal(regions.heights.residual[k][part, part], expected[part, part])
        np.testing.assert_array_equal(regions.residual[k], expected)
    assert (regions.heights.extents == HALF).all()


@pytest.mark.parametrize("kind", ["white", "smooth", "plateaus"])
@pytest.mark.parametrize("holes", [False, True])
def test_floods_and_sums_equal_their_twins(rng, kind, holes):
    residual = relief(rng, kind)
    inside = np.ones((SIDE, SIDE), bool)
    if holes:
        inside[:, : HALF - 2] = False
        inside[HALF + 1, HALF] = False
    is_whole, thresholds, level_of, box = flood(residual, inside)
    assert is_whole
    np.testing.assert_array_equal(level_of, twin.flood(residual, inside, (HALF, HALF), thresholds))
    table = np.empty((N_LEVELS, N_SUMS))
    weak = 0.05 * float(residual[HALF, HALF])
    region_sums_kernel(residual, level_of, box, N_LEVELS, weak, HALF, HALF, table)
    np.testing.assert_array_equal(table, twin.sums(residual, level_of, N_LEVELS, weak, (HALF, HALF)))
    rows, columns = np.nonzero(level_of < N_LEVELS)
    assert box.tolist() == [rows.min(), rows.max(), columns.min(), columns.max()]


def test_sums_hold_at_the_window_border():
    residual = np.zeros((SIDE, SIDE), np.float32)
    residual[:, 0] = 50
    residual[HALF, :] = 100
    _, _, level_of, box = flood(residual, np.ones((SIDE, SIDE), bool))
    table = np.empty((N_LEVELS, N_SUMS))
    region_sums_kernel(residual, level_of, box, N_LEVELS, 5.0, HALF, HALF, table)
    np.testing.assert_array_equal(table, twin.sums(residual, level_of, N_LEVELS, 5.0, (HALF, HALF)))
    assert table[0, 12] == 2
    assert table[-1, 12] == SIDE + 1


def test_shared_areas_equal_a_plain_count(rng):
    inside = np.ones((SIDE, SIDE), bool)
    (*_, one, box), (*_, two, _) = flood(relief(rng, "white"), inside), flood(relief(rng, "smooth"), inside)
    shared = np.empty(N_LEVELS)
    shared_area_kernel(one, two, box, N_LEVELS, shared)
    assert shared.tolist() == [((one <= a) & (two <= a)).sum() for a in range(N_LEVELS)]


@pytest.mark.parametrize("background", list(BACKGROUNDS))
@pytest.mark.parametrize("scales", [SCALES, SCALES[1:3]])
def test_features_equal_their_formulas(background, scales):
    scene = draw_scene(4, (160, 150), n_targets=2, background=background)
    window = cut_window(scene.image, tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist()))
    regions = grow_regions(window, scales)
    level_of, table = [], []
    for residual, contrast in zip(regions.residual, regions.contrast, strict=True):
        thresholds = np.minimum(np.maximum(LEVELS * contrast - 2, FLOOR_NOISES * window.floor), contrast)
        level_of.append(twin.flood(residual, window.inside, (HALF, HALF), thresholds))
        table.append(twin.sums(residual, level_of[-1], N_LEVELS, 0.05 * contrast, (HALF, HALF)))
    np.testing.assert_array_equal(regions.level_of, level_of)
    shared = [twin.shared_area(one, other, N_LEVELS) for one, other in pairwise(level_of)]
    expected = twin.features(
        np.array(table), np.array(shared), regions.contrast, np.array(scales), LEVELS, window.noise, window.spread
    )
    assert list(expected) == list(FEATURES)
    for index, name in enumerate(FEATURES):
        np.testing.assert_allclose(regions.features[..., index], expected[name], rtol=1e-6, atol=1e-7, err_msg=name)
    flat = regions.contrast < 0.15 * regions.contrast.max()
    np.testing.assert_array_equal(regions.bad, (np.array(table)[..., 12] > 0) | flat[:, None])


def test_a_lone_scale_agrees_with_itself(scene):
    window = cut_window(scene.image, tuple(np.ceil(scene.points[0] - 0.5).astype(int).tolist()))
    regions = grow_regions(window, (21,))
    assert regions.features.shape == (1, N_LEVELS, len(FEATURES))
    np.testing.assert_array_equal(regions.features[0, :, FEATURES.index("stability")], 2.0)


@pytest.mark.parametrize("move", [np.fliplr, np.flipud, np.transpose], ids=["left-right", "up-down", "transpose"])
def test_candidates_turn_with_the_window(rng, move):
    image = rng.integers(0, 60, (121, 121)).astype(np.uint8)
    image[58:63, 59:63] += 100
    one, other = (grow_regions(cut_window(view, (60, 60))) for view in (image, move(image)))
    for ours, theirs in zip(one.level_of, other.level_of, strict=True):
        np.testing.assert_array_equal(move(ours), theirs)
    np.testing.assert_array_equal(one.features, other.features)
