"""`annotate`: what holds for every method, and what bad arguments are told."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from pointlabel import METHODS, ImageLabels, InputError, PointLabelError, annotate, get_method
from pointlabel._checks import pixel_of
from pointlabel.errors import UnknownMethodError
from pointlabel.synthetic import draw_scene

# What runs on images and points alone.
RUNNABLE = {name: entry for name, entry in METHODS.items() if not entry.needs_checkpoint}
EVERY = pytest.mark.parametrize("method", RUNNABLE)
# Published pipelines are kept as published; what they lack in symmetry is theirs.
OURS = pytest.mark.parametrize("method", [name for name in RUNNABLE if not name.startswith(("d2d", "mclc"))])


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def in_image(labels: ImageLabels, index: np.integer | int) -> NDArray[np.bool_]:
    out = np.zeros(labels.shape, bool)
    target = labels.targets[int(index)]
    out[target.window] = target.mask
    return out


@EVERY
def test_one_target_for_each_point_in_their_order(scene, method):
    labels = annotate(scene.image, scene.points, method=method)
    assert labels.shape == scene.image.shape
    assert [target.point for target in labels.targets] == [tuple(point) for point in scene.points]
    for target in labels.targets:
        assert target.mask.any()
        assert target.mask.dtype == bool
        assert target.soft.dtype == np.float32
        assert target.soft.shape == target.mask.shape
        assert 0 <= target.soft.min() <= target.soft.max() <= 1
        assert 0 <= target.quality <= 1
        assert target.polarity == "bright"
        assert list(target.flags) == sorted(target.flags)
    assert labels.mask().dtype == bool
    assert labels.soft().dtype == np.float32
    assert labels.instances().dtype == np.uint16
    np.testing.assert_array_equal(labels.instances() > 0, labels.mask())


@EVERY
def test_inputs_are_not_changed(scene, method):
    image, points = scene.image.copy(), scene.points.copy()
    image.flags.writeable = points.flags.writeable = False
    annotate(image, points, method=method)
    np.testing.assert_array_equal(image, scene.image)
    np.testing.assert_array_equal(points, scene.points)


@EVERY
def test_the_order_of_the_points_does_not_matter(method, rng):
    scene = draw_scene(9, (80, 80), n_targets=5, spacing_px=8)  # close together, so that masks meet
    order = rng.permutation(len(scene.points))
    straight = annotate(scene.image, scene.points, method=method)
    shuffled = annotate(scene.image, scene.points[order], method=method)
    assert np.sum([in_image(straight, index) for index in order], axis=0).max() == 1
    for place, index in enumerate(order):
        np.testing.assert_array_equal(in_image(shuffled, place), in_image(straight, index))
        np.testing.assert_array_equal(shuffled.targets[place].soft, straight.targets[index].soft)
        assert shuffled.targets[place].flags == straight.targets[index].flags


@EVERY
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 40)])
@pytest.mark.parametrize("kind", ["constant", "nan", "noise", "infinite"])
def test_odd_images_lose_no_target(method, shape, kind, rng):
    image = {
        "constant": np.full(shape, 7, np.uint8),
        "nan": np.full(shape, np.nan),
        "noise": rng.standard_normal(shape),
        "infinite": np.where(rng.random(shape) < 0.5, np.inf, rng.standard_normal(shape)),
    }[kind]
    corners = [(-0.5, -0.5), (shape[0] - 0.6, shape[1] - 0.6)]
    labels = annotate(image, corners[: 1 if image.size == 1 else 2], method=method)
    for target in labels.targets:
        assert target.mask.any() or not np.isfinite(image).all()  # see test_holes.py
        assert np.isfinite(target.soft).all()


@EVERY
def test_no_points_give_empty_masks(method):
    labels = annotate(np.zeros((4, 6), np.uint16), [], method=method)
    assert labels.targets == ()
    for array in (labels.mask(), labels.soft(), labels.instances()):
        assert array.shape == (4, 6)
        assert not array.any()


@EVERY
@pytest.mark.parametrize("dtype", [np.uint8, "uint64", np.int8, np.float32, ">u2"])
def test_the_dtype_carries_no_meaning(scene, method, dtype):
    base = annotate((scene.image // 2).astype(np.int64), scene.points, method=method)
    cast = annotate((scene.image // 2).astype(dtype), scene.points, method=method)
    np.testing.assert_array_equal(cast.instances(), base.instances())


@OURS
@pytest.mark.parametrize(("scale", "offset"), [(0.5, 0.0), (1.0, -1024.0), (256.0, 64.0)])
def test_scale_and_offset_carry_no_meaning(scene, method, scale, offset):
    """Powers of two, so that the scaled image holds the same information to the last bit."""
    base = annotate(scene.image, scene.points, method=method)
    moved = annotate(scene.image * scale + offset, scene.points, method=method)
    np.testing.assert_array_equal(moved.instances(), base.instances())


@OURS
@pytest.mark.parametrize("turn", ["rows", "columns", "transpose"])
def test_flips_and_transposition(method, turn):
    scene = draw_scene(6, (90, 75), n_targets=3, background="cloud", contrast=8.0)
    points = pixel_of(scene.points, scene.image.shape)  # whole numbers: halves go down, which no flip can keep
    last = np.array(scene.image.shape) - 1
    image, spots = {
        "rows": (scene.image[::-1], points * (-1, 1) + (last[0], 0)),
        "columns": (scene.image[:, ::-1], points * (1, -1) + (0, last[1])),
        "transpose": (scene.image.T, points[:, ::-1]),
    }[turn]
    out = annotate(image, spots, method=method).instances()
    back = {"rows": out[::-1], "columns": out[:, ::-1], "transpose": out.T}[turn]
    np.testing.assert_array_equal(back, annotate(scene.image, points, method=method).instances())


@EVERY
def test_dark_targets_are_bright_ones_turned_round(scene, method):
    bright = annotate(scene.image, scene.points, method=method)
    dark = annotate(255 - scene.image, scene.points, method=method, polarity="dark")
    np.testing.assert_array_equal(dark.instances(), bright.instances())
    assert {target.polarity for target in dark.targets} == {"dark"}


@EVERY
def test_auto_polarity_decides_for_each_target(method):
    scene = draw_scene(
        2, n_targets=6, background="flat", contrast=12.0, polarity="mixed", shapes=["disc", "square"], dtype=np.uint16
    )
    assert len(set(scene.dark.tolist())) == 2
    labels = annotate(scene.image, scene.points, method=method, polarity="auto")
    assert [target.polarity == "dark" for target in labels.targets] == scene.dark.tolist()
    for is_dark in (False, True):
        one = annotate(
            scene.image, scene.points[scene.dark == is_dark], method=method, polarity="dark" if is_dark else "bright"
        )
        for place, index in enumerate(np.flatnonzero(scene.dark == is_dark)):
            np.testing.assert_array_equal(in_image(one, place), in_image(labels, index))


@pytest.mark.parametrize("method", [name for name, entry in RUNNABLE.items() if entry.has_tightness])
def test_tightness_nests_the_masks(method):
    scene = draw_scene(4, (96, 96), n_targets=4, background="cloud", contrast=15.0, shapes=["gaussian"])
    masks = [annotate(scene.image, scene.points, method=method, tightness=t).mask() for t in (0.0, 0.25, 0.5, 0.75, 1)]
    for wide, narrow in itertools.pairwise(masks):
        assert not (narrow & ~wide).any()
    assert masks[0].sum() > masks[-1].sum()


@pytest.mark.parametrize("method", [name for name, entry in RUNNABLE.items() if entry.has_tightness])
def test_tightness_per_point(scene, method):
    mixed = annotate(scene.image, scene.points, method=method, tightness=[0.1, 0.5, 0.9])
    for index, value in enumerate([0.1, 0.5, 0.9]):
        alone = annotate(scene.image, scene.points, method=method, tightness=value)
        np.testing.assert_array_equal(in_image(mixed, index), in_image(alone, index))


@pytest.mark.parametrize("background", ["cloud", "sea", "noise", "flat"])
@pytest.mark.parametrize("method", [name for name in RUNNABLE if name in {"default", "threshold"}])
def test_clear_targets_are_found(background, method):
    scene = draw_scene(11, n_targets=5, background=background, contrast=15.0, shapes=["disc", "ellipse", "arm"])
    labels = annotate(scene.image, scene.points, method=method)
    assert iou(labels.mask(), scene.mask) > 0.7


def test_a_point_on_the_outer_edge_labels_the_corner_pixel():
    image = np.zeros((20, 20))
    image[0, 0] = 10
    labels = annotate(image, [(-0.5, -0.5)], method="threshold")
    np.testing.assert_array_equal(np.argwhere(labels.mask()), [(0, 0)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "treshold"}, "unknown method 'treshold'; did you mean threshold?"),
        ({"method": "xyzzy"}, "unknown method 'xyzzy'; there are .*threshold"),
        ({"polarity": "black"}, "polarity must be one of bright, dark, auto, got 'black'"),
        ({"tightness": 1.01}, r"tightness must lie in \[0, 1\], got 1.01"),
        ({"tightness": [0.5]}, "tightness must be one number or 3 numbers"),
        ({"true_area": [4]}, r"true_area must hold 3 areas, one for each point, got shape \(1,\)"),
    ],
)
def test_bad_options(scene, options, message):
    with pytest.raises(InputError, match=message):
        annotate(scene.image, scene.points, **{"method": "threshold", **options})


def test_bad_arrays(scene):
    with pytest.raises(InputError, match=r"image must be a non-empty 2-D array .* got shape \(96, 128, 2\)"):
        annotate(np.dstack([scene.image, scene.image]), scene.points, method="threshold")
    with pytest.raises(InputError, match=r"points must lie inside the 96 x 128 image, got \(300, 12.5\) as point 1"):
        annotate(scene.image, [(1, 2), (300.0, 12.5)], method="threshold")


@pytest.mark.parametrize("method", [name for name, entry in RUNNABLE.items() if not entry.has_tightness])
def test_tightness_is_refused_where_it_does_nothing(scene, method):
    with pytest.raises(InputError, match=f"method {method} does not follow tightness"):
        annotate(scene.image, scene.points, method=method, tightness=0.4)


def test_unknown_methods_are_library_errors():
    assert issubclass(UnknownMethodError, InputError)
    assert issubclass(InputError, PointLabelError)
    with pytest.raises(PointLabelError, match="unknown method"):
        get_method("none")


def test_unknown_parameters_suggest_the_nearest():
    with pytest.raises(InputError, match=r"method threshold has no parameter levle; did you mean level\?"):
        get_method("threshold").params(levle=0.2)
    with pytest.raises(InputError, match="method threshold has no parameter zzz; it has background_px, level"):
        get_method("threshold").params(zzz=1)


def test_results_are_crops_of_the_image(scene):
    labels = annotate(scene.image, scene.points, method="threshold")
    for number, target in enumerate(labels.targets, start=1):
        assert target.area == int((labels.instances() == number).sum())
        row, column = pixel_of(np.array([target.point]), labels.shape)[0]
        assert labels.instances()[row, column] == number


def test_params_of_another_method_are_refused(scene):
    with pytest.raises(InputError, match="params of method default must be DefaultParams, got ThresholdParams"):
        annotate(scene.image, scene.points, params=get_method("threshold").params())


@pytest.mark.parametrize("areas", [2.5, 0.0, float("nan")])
def test_areas_must_be_whole_and_positive(scene, areas):
    with pytest.raises(InputError, match="true_area must hold whole numbers of pixels >= 1"):
        annotate(scene.image, scene.points, method="diffusion", true_area=np.full(len(scene.points), areas))
