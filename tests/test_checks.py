"""Arguments are checked once, with a sentence that names the parameter, the rule and the value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointlabel._checks import as_image, as_points, as_unit_vector, pixel_of
from pointlabel.baselines.threshold import ThresholdParams
from pointlabel.errors import InputError


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"])
def test_as_image_keeps_real_arrays(kind):
    image = np.arange(6).reshape(2, 3).astype(kind)
    assert as_image(image) is image or np.shares_memory(as_image(image), image)
    assert as_image(image).dtype == image.dtype


@pytest.mark.parametrize(
    ("given_dtype", "expected"), [("?", "u1"), ("f2", "f8"), (">u2", "u2"), (">f4", "f8"), ("longdouble", "f8")]
)
def test_as_image_converts_what_the_engine_does_not_take(given_dtype, expected):
    image = np.array([[0, 1], [1, 0]]).astype(given_dtype)
    out = as_image(image)
    assert out.dtype == np.dtype(expected)
    assert out.dtype.isnative
    np.testing.assert_array_equal(out, [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5), r"non-empty 2-D array \(height, width\), got shape \(5,\)"),
        (np.zeros((4, 4, 3)), r"got shape \(4, 4, 3\)"),
        (np.zeros((0, 4)), r"got shape \(0, 4\)"),
        (np.zeros((2, 2), complex), "real numbers, got dtype complex128"),
        (np.array([["a"]]), "real numbers, got dtype <U1"),
        (np.array([[None]]), "real numbers, got dtype object"),
        ("frame.png", "must be an array, got the path 'frame.png'; read_image reads a file"),
        (Path("frame.png"), "must be an array, got the path 'frame.png'; read_image reads a file"),
    ],
)
def test_as_image_refuses(image, message):
    with pytest.raises(InputError, match=message):
        as_image(image)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(300.0, 12.5)], r"inside the 256 x 128 image, got \(300, 12.5\) as point 0"),
        ([(0, 0), (1, 128)], r"got \(1, 128\) as point 1"),
        ([(0, 0), (255.5, 0)], r"got \(255.5, 0\) as point 1"),
        ([(-0.51, 0)], r"got \(-0.51, 0\) as point 0"),
        ([(0, np.nan)], r"got \(0, nan\) as point 0"),
        ([(np.inf, 0)], r"got \(inf, 0\) as point 0"),
        ([(1, 2, 3)], r"shape \(N, 2\) as \(row, column\), got \(1, 3\)"),
        ([1, 2, 3], r"shape \(N, 2\) as \(row, column\), got \(3,\)"),
        ([(1, 2), (3,)], "points must be real numbers in rows of equal length"),
        ([("a", "b")], "points must be real numbers"),
        ([(1j, 2)], "points must be real numbers"),
    ],
)
def test_as_points_refuses(points, message):
    with pytest.raises(InputError, match=message):
        as_points(points, (256, 128))


@pytest.mark.parametrize("points", [[], np.zeros((0, 2)), np.zeros((0,)), ()])
def test_no_points_are_fine(points):
    assert as_points(points, (4, 4)).shape == (0, 2)


def test_points_cover_the_outer_pixels_whole():
    """The image covers [-0.5, size - 0.5): its pixels' squares, closed below and open above."""
    below = np.nextafter(3.5, 0)
    out = as_points([(-0.5, -0.5), (below, below)], (4, 4))
    np.testing.assert_array_equal(pixel_of(out, (4, 4)), [(0, 0), (3, 3)])


@given(st.floats(-0.5, 6.5, exclude_max=True), st.floats(-0.5, 8.5, exclude_max=True))
def test_pixel_of_is_the_nearest_with_halves_down(row, column):
    spots = as_points([(row, column)], (7, 9))
    (pixel,) = pixel_of(spots, (7, 9))
    assert pixel.dtype == np.int64
    assert (pixel >= 0).all()
    assert (pixel < (7, 9)).all()
    assert (np.abs(spots[0] - pixel) <= 0.5).all()
    for value, nearest in zip((row, column), pixel, strict=True):
        if value % 1 == 0.5 and value > 0:  # -0.5 has no pixel below
            assert nearest == value - 0.5


def test_unit_vector_spreads_one_number():
    np.testing.assert_array_equal(as_unit_vector(0.25, 3, "tightness"), [0.25, 0.25, 0.25])
    np.testing.assert_array_equal(as_unit_vector([0, 1], 2, "tightness"), [0.0, 1.0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (1.5, r"tightness must lie in \[0, 1\], got 1.5"),
        ([0.5, np.nan], r"tightness must lie in \[0, 1\], got nan"),
        ([0.5], r"one number or 2 numbers, got shape \(1,\)"),
        ([[0.5, 0.5]], r"one number or 2 numbers, got shape \(1, 2\)"),
        ("tight", "tightness must be real numbers"),
    ],
)
def test_unit_vector_refuses(values, message):
    with pytest.raises(InputError, match=message):
        as_unit_vector(values, 2, "tightness")


def test_parameter_ranges_name_class_field_and_value():
    with pytest.raises(InputError, match=r"ThresholdParams.level must lie in \[0.01, 0.99\], got 3"):
        ThresholdParams(level=3)
    with pytest.raises(InputError, match=r"ThresholdParams\.level must be a finite number, got nan"):
        ThresholdParams(level=float("nan"))
