"""The whole default method: what must not matter to it, hostile input, borders, touching and large targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel import InputError, annotate, get_method
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.weights import load_weights
from pointlabel.methods.peaks import find_peak
from pointlabel.synthetic import BACKGROUNDS, SHAPES, draw_scene

FLIPS: dict[str, Callable[[NDArray], NDArray]] = {
    "left-right": np.fliplr,
    "up-down": np.flipud,
    "transpose": np.transpose,
}


def canvases(image, points, **options):
    """Masks (N, H, W) bool and soft labels (N, H, W) float32 of all targets, and the labels."""
    labels = annotate(image, points, **options)
    masks = np.zeros((len(labels.targets), *labels.shape), bool)
    softs = np.zeros(masks.shape, np.float32)
    for mask, soft, target in zip(masks, softs, labels.targets, strict=True):
        mask[target.window], soft[target.window] = target.mask, target.soft
    return masks, softs, labels


def moved(points, name, shape):
    """Points of a flipped image."""
    rows, columns = points.T
    return np.stack(
        {
            "left-right": (rows, shape[1] - 1 - columns),
            "up-down": (shape[0] - 1 - rows, columns),
            "transpose": (columns, rows),
        }[name],
        axis=1,
    )


def pixels(scene):
    """The scene's points on whole pixels, so that a flip does not change how halves are rounded."""
    return np.ceil(scene.points - 0.5)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("background", list(BACKGROUNDS))
@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_flips_and_transposition_are_exact(background, flip, dtype):
    for seed in range(3):
        scene = draw_scene(seed, (120, 150), n_targets=4, background=background, margin_px=2, dtype=dtype)
        points = pixels(scene)
        masks, softs, _ = canvases(scene.image, points)
        turned, turned_softs, _ = canvases(FLIPS[flip](scene.image), moved(points, flip, scene.image.shape))
        for a, b, c, d in zip(masks, turned, softs, turned_softs, strict=True):
            np.testing.assert_array_equal(FLIPS[flip](a), b)
            np.testing.assert_array_equal(FLIPS[flip](c), d)


@pytest.mark.parametrize("background", list(BACKGROUNDS))
def test_scale_offset_and_dtype_do_not_matter(background):
    scene = draw_scene(7, (140, 130), background=background)
    image = scene.image.astype(np.int64)
    masks, softs, _ = canvases(scene.image, scene.points)
    for other in (
        (image * 200).astype(np.uint16),
        (image * 70_000 - 2**23).astype(np.int32),
        (image * 0.5 - 40).astype(np.float32),
        image * 1e-9 + 3.0,
        image / 255.0,
        image * 1e12,
    ):
        theirs, their_softs, _ = canvases(other, scene.points)
        np.testing.assert_array_equal(theirs, masks)
        np.testing.assert_array_equal(their_softs, softs)


def test_a_crop_shifted_around_the_target_does_not_matter():
    scene = draw_scene(3, (300, 300), n_targets=1, background="cloud", margin_px=140)
    mask = canvases(scene.image, scene.points)[0][0]
    top, left = (int(value) - 75 for value in scene.points[0])
    for down, right in ((0, 0), (5, -9), (-7, 3)):
        a, b = top + down, left + right
        crop = np.ascontiguousarray(scene.image[a : a + 160, b : b + 160])
        theirs = canvases(crop, scene.points - (a, b))[0][0]
        np.testing.assert_array_equal(theirs, mask[a : a + 160, b : b + 160])


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 3), (1, 40), (40, 1), (2, 5)])
def test_tiny_images_get_a_mask_that_fits(rng, shape):
    image = rng.integers(0, 255, shape).astype(np.uint8)
    for point in {(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 2)}:
        masks, softs, _ = canvases(image, [point])
        assert masks[0].any()
        assert softs[0].max() > 0


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_image_gives_the_smallest_mask(value):
    masks, _, labels = canvases(np.full((30, 30), value, np.uint8), [[10, 12]])
    assert "empty" in labels.targets[0].flags
    assert labels.targets[0].quality == 0
    assert np.argwhere(masks[0]).tolist() == [[y, x] for y in (9, 10, 11) for x in (11, 12, 13)]


def test_a_saturated_target_is_filled():
    image = np.full((80, 80), 60, np.uint8)
    image[38:44, 40:47] = 255
    for point in ((38, 40), (41, 43), (43, 46)):
        masks, _, _ = canvases(image, [point])
        assert iou(masks[0], image == 255) >= 0.95


@pytest.mark.parametrize("at", [(0, 0), (0, 59), (49, 0), (49, 59), (0, 30), (49, 30), (25, 0), (25, 59)])
def test_targets_at_corners_and_borders(at):
    rows, columns = np.indices((50, 60))
    distance = np.hypot(rows - at[0], columns - at[1])
    image = np.where(distance <= 3, 200, 80).astype(np.uint8)
    masks, _, labels = canvases(image, [at])
    assert iou(masks[0], distance <= 3) >= 0.9
    assert "clipped" in labels.targets[0].flags


def test_pixels_without_a_value_belong_to_no_mask(scene):
    image = scene.image.astype(np.float32)
    row, column = (int(value) for value in np.ceil(scene.points[0] - 0.5))
    for hole in (np.nan, np.inf, -np.inf):
        image[row - 1, column - 3 : column + 4] = hole
        masks, softs, labels = canvases(image, scene.points)
        assert not masks[:, ~np.isfinite(image)].any()
        assert not softs[:, ~np.isfinite(image)].any()
        assert masks[0].any()
        assert "nan" in labels.targets[0].flags


def test_an_image_without_values_gets_an_empty_mask():
    _, _, labels = canvases(np.full((20, 20), np.nan), [[5, 5]])
    assert labels.targets[0].area == 0
    assert {"empty", "nan"} <= set(labels.targets[0].flags)


@pytest.mark.parametrize("gap", [5, 6, 7, 8])
def test_touching_targets_share_no_pixel(gap):
    rows, columns = np.indices((70, 80))
    spots = [(35, 36), (35, 36 + gap)]
    heights = [np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.8**2)) for y, x in spots]
    image = (60 + 120 * np.maximum(*heights)).astype(np.uint8)
    masks, _, _ = canvases(image, spots)
    back, _, _ = canvases(image, spots[::-1])
    assert not (masks[0] & masks[1]).any()
    assert all(mask[spot] for mask, spot in zip(masks, spots, strict=True))
    np.testing.assert_array_equal(back[::-1], masks)
    assert iou(masks.any(axis=0), np.maximum(*heights) > 0.25) >= 0.6
    np.testing.assert_array_equal(masks[0][:, 36 - 20 : 36 + gap + 21], masks[1][:, 36 - 20 : 36 + gap + 21][:, ::-1])


def test_points_in_one_pixel_are_flagged_and_share_it(scene):
    point = np.ceil(scene.points[0] - 0.5)
    _, _, labels = canvases(scene.image, [point, point + 0.2])
    assert all("duplicate" in target.flags for target in labels.targets)
    assert all(target.area >= 1 for target in labels.targets)


def test_a_doubtful_peak_is_compared_with_the_click():
    """A grain of the noise on a faint target takes the point; what is grown from it is hardly a target."""
    rng = np.random.default_rng(0)
    grains = ndimage.gaussian_filter(rng.normal(0, 16, (96, 96)), 1)
    image = 100 + grains + 14 * np.exp(-np.sum((np.indices((96, 96)) - 48) ** 2, axis=0) / (2 * 6**2))
    peak = find_peak(image, (48, 48))
    assert peak != (48, 48)
    still = DefaultParams(snap=False)
    at_peak, at_click, found = (
        annotate(image, [place], params=params).targets[0]
        for place, params in ((peak, still), ((48, 48), still), ((48, 48), DefaultParams()))
    )
    assert at_peak.presence is not None
    assert at_click.presence is not None
    assert at_peak.presence < 0.1 < at_click.presence
    assert "moved" not in found.flags
    assert np.array_equal(found.mask, at_click.mask)


def test_points_that_would_move_to_one_peak_stay_apart():
    image = np.full((60, 60), 50, np.uint8)
    image[29:32, 28:33] = 150
    image[30, 30] = 200
    masks, _, labels = canvases(image, [[30, 29], [30, 31]])
    assert all("duplicate" in target.flags and "moved" not in target.flags for target in labels.targets)
    assert masks[0][30, 29]
    assert masks[1][30, 31]
    assert not (masks[0] & masks[1]).any()


@pytest.mark.parametrize("across_px", [20, 60, 100])
@pytest.mark.parametrize("edge_px", [0.01, 2.0], ids=["sharp", "soft"])
def test_large_targets_get_a_larger_window(across_px, edge_px):
    rng = np.random.default_rng(0)
    rows, columns = np.indices((480, 512))
    distance = np.hypot(rows - 230, columns - 260) - across_px / 2
    level = 0.3 + 0.4 / (1 + np.exp(np.clip(distance / edge_px, -50, 50))) + 0.01 * rng.standard_normal(rows.shape)
    params = get_method("default").params(enlarge=True)
    masks, _, _ = canvases(np.rint(level * 255).astype(np.uint8), [[230, 260]], params=params)
    assert iou(masks[0], distance <= 0) >= 0.75


def test_without_larger_windows_a_large_target_is_flagged_or_small():
    rows, columns = np.indices((300, 300))
    image = np.where(np.hypot(rows - 150, columns - 150) <= 50, 200, 80).astype(np.uint8)
    masks, _, labels = canvases(image, [[150, 150]])
    assert masks[0].sum() <= 65 * 65
    assert {"touches_window", "empty", "low_contrast"} & set(labels.targets[0].flags)


@pytest.mark.parametrize("shape", list(SHAPES))
def test_drawn_targets_are_found(shape):
    inside, union = 0, 0
    for seed in range(6):
        scene = draw_scene(seed, n_targets=4, shapes=[shape], background="flat", noise=0.004, contrast=15.0)
        mask = canvases(scene.image, scene.points)[0].any(axis=0)
        inside, union = inside + (mask & scene.mask).sum(), union + (mask | scene.mask).sum()
    assert inside / union >= 0.6


@pytest.mark.parametrize(
    "change", [{"snap": False}, {"n_scales": 1}, {"n_scales": 2}, {"n_steps": 0}, {"refine": False}, {"enlarge": True},
               {"share_heat": False}, {"temperature": 5.0}]
)  # fmt: skip
def test_each_step_can_be_switched(scene, change):
    mask = canvases(scene.image, scene.points, params=get_method("default").params(**change))[0].any(axis=0)
    assert iou(mask, scene.mask) >= 0.4


@pytest.mark.parametrize("change", [{"n_scales": 5}, {"temperature": 0.0}, {"rho": 1.5}, {"n_steps": -1}])
def test_parameters_out_of_range_are_refused(change):
    (name,) = change
    with pytest.raises(InputError, match=rf"DefaultParams.{name} must lie in"):
        DefaultParams(**change)


def test_there_are_no_weights_of_an_unknown_name():
    with pytest.raises(InputError, match="there are no fitted weights called 'nothing'"):
        load_weights("nothing")


def test_the_cost_is_one_window_a_target_whatever_the_image():
    scene = draw_scene(2, (200, 200), n_targets=1, background="cloud", margin_px=90)
    row, column = find_peak(scene.image, pixels(scene)[0].astype(np.int64))
    wide = np.pad(scene.image, 400, mode="reflect")
    small = annotate(scene.image, [(row, column)]).targets[0]
    large = annotate(wide, [(row + 400, column + 400)]).targets[0]
    np.testing.assert_array_equal(small.mask, large.mask)
    assert large.origin == (small.origin[0] + 400, small.origin[1] + 400)
