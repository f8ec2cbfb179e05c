"""Drawn scenes are what their fields say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointlabel._checks import pixel_of
from pointlabel.errors import InputError
from pointlabel.synthetic import BACKGROUNDS, MASK_LEVEL, SHAPES, draw_scene


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(60, 130), st.integers(60, 130)),
    n_targets=st.integers(0, 5),
    background=st.sampled_from([None, *BACKGROUNDS]),
    points=st.sampled_from(["centroid", "coarse"]),
    polarity=st.sampled_from(["bright", "dark", "mixed"]),
)
def test_every_point_lies_on_its_own_mask(seed, shape, n_targets, background, points, polarity):
    scene = draw_scene(
        seed, shape, n_targets=n_targets, background=background, points=points, polarity=polarity, margin_px=0
    )
    assert scene.image.shape == shape
    assert scene.points.shape == (n_targets, 2)
    assert scene.masks.shape == (n_targets, *shape)
    rows, columns = pixel_of(scene.points, shape).T
    np.testing.assert_array_equal(scene.labels[rows, columns], np.arange(1, n_targets + 1))
    np.testing.assert_array_equal(scene.mask, scene.masks.any(axis=0))
    assert len(scene.shapes) == len(scene.contrasts) == len(scene.dark) == n_targets


def test_equal_seeds_give_equal_scenes():
    first, again, other = draw_scene(7), draw_scene(7), draw_scene(8)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.points, again.points)
    assert (first.image != other.image).any()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_masks_are_exact(name, polarity):
    """Without noise on a flat background, the mask is what exceeds the level of the drawn target's peak."""
    for seed in range(5):
        scene = draw_scene(
            seed, (50, 50), n_targets=1, background="flat", noise=0, shapes=[name], polarity=polarity, dtype=float
        )
        height = np.abs(scene.image - np.median(scene.image))
        np.testing.assert_array_equal(scene.mask, height > MASK_LEVEL * height.max())
        assert (scene.image.max() > np.median(scene.image)) == (polarity == "bright")


@pytest.mark.parametrize(("name", "area"), [("pixel", 1), ("square", 4)])
def test_areas_of_the_smallest_targets(name, area):
    scene = draw_scene(3, n_targets=5, shapes=[name])
    assert scene.masks.sum(axis=(1, 2)).tolist() == [area] * 5


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_contrast_is_measured_against_the_surroundings(background):
    """The same seed without targets differs by the targets alone; their height over the spread is `contrasts`."""
    options = {"background": background, "shapes": ["disc"], "dtype": np.float64, "contrast": 6.0}
    scene = draw_scene(2, n_targets=1, **options)
    row, column = pixel_of(scene.points, scene.image.shape)[0]
    window = (slice(row - 12, row + 13), slice(column - 12, column + 13))
    ring = scene.image[window][~scene.mask[window]]
    measured = (scene.image[scene.mask].mean() - ring.mean()) / ring.std()
    assert scene.contrasts[0] == pytest.approx(6.0)
    assert measured == pytest.approx(6.0, rel=0.35)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_dtype_and_range(dtype):
    scene = draw_scene(1, dtype=dtype)
    assert scene.image.dtype == dtype
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    assert scene.image.min() >= 0
    assert 0.5 * top < scene.image.max() <= top


def test_depth_changes_nothing_else():
    deep, flat = draw_scene(4, dtype=np.uint16), draw_scene(4, dtype=np.float64)
    np.testing.assert_array_equal(deep.labels, flat.labels)
    np.testing.assert_allclose(deep.image / 65535, flat.image, atol=1 / 65535)


def test_close_targets_share_no_pixel_and_may_touch():
    scene = draw_scene(0, (40, 40), n_targets=6, spacing_px=5, shapes=["disc"], margin_px=6)
    assert scene.masks.sum(axis=0).max() == 1
    assert scene.masks.any(axis=(1, 2)).all()


def test_small_images():
    scene = draw_scene(0, (1, 1), n_targets=1)
    assert scene.image.shape == (1, 1)
    assert scene.mask.all()
    assert draw_scene(0, (3, 3), n_targets=1).mask.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "sand"}, "background must be None or one of cloud, .*, got 'sand'"),
        ({"points": "fine"}, "points must be one of centroid, coarse, got 'fine'"),
        ({"polarity": "auto"}, "polarity must be one of bright, dark, mixed, got 'auto'"),
        ({"shapes": ["ring"]}, "shapes must be one of gaussian, .*, got 'ring'"),
        ({"noise": 0.2}, r"noise must lie in \[0, 0.1\], got 0.2"),
        ({"contrast": 0.0}, "contrast must be positive"),
        ({"contrast": (5.0, 2.0)}, r"ordered \(low, high\), got \(5.0, 2.0\)"),
        ({"dtype": bool}, "dtype must be one of integers or floats, got bool"),
        ({"n_targets": -1}, r"n_targets must lie in \[0, 65535\], got -1"),
        ({"n_targets": 90, "shape": (90, 99)}, "90 targets 18 px apart found no room in 90 x 99"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        draw_scene(**options)
