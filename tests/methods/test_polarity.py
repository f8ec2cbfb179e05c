"""Bright, dark or decided per point; inversion that loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pointlabel.methods.polarity import choose_polarity, invert
from pointlabel.synthetic import draw_scene

INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]


@pytest.mark.parametrize("kind", INTEGERS)
def test_invert_spans_the_dtype(kind):
    info = np.iinfo(kind)
    image = np.array([[info.min, 0, 1, info.max - 1, info.max]], kind)
    out = invert(image)
    assert out.dtype == image.dtype
    assert int(out.max()) <= info.max
    np.testing.assert_array_equal([int(v) for v in out[0]], [info.max + info.min - int(v) for v in image[0]])


@given(st.sampled_from([*INTEGERS, "f4", "f8"]).flatmap(lambda kind: hnp.arrays(kind, (3, 4))))
def test_invert_twice_is_nothing_and_order_turns_round(image):
    np.testing.assert_array_equal(invert(invert(image)), image)
    finite = image[np.isfinite(image)] if image.dtype.kind == "f" else image.ravel()
    ranks = np.argsort(finite, kind="stable")
    assert (np.diff(invert(finite)[ranks].astype(object)) <= 0).all()


@pytest.mark.parametrize(("polarity", "expected"), [("bright", False), ("dark", True)])
def test_a_fixed_polarity_holds_for_all(polarity, expected):
    dark = choose_polarity(np.zeros((5, 5)), np.zeros((3, 2)), polarity)
    assert dark.dtype == bool
    assert dark.tolist() == [expected] * 3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("background", ["cloud", "noise", "gradient", "flat"])
def test_auto_decides_for_each_point(background, seed):
    scene = draw_scene(
        seed, n_targets=6, background=background, contrast=8.0, polarity="mixed", shapes=("disc", "gaussian", "square")
    )
    np.testing.assert_array_equal(choose_polarity(scene.image, scene.points, "auto"), scene.dark)


def test_auto_ignores_what_is_not_finite():
    image = np.zeros((21, 21))
    image[10, 10] = -5
    image[9, 9], image[2, 2] = np.inf, np.nan
    assert choose_polarity(image, np.array([[10.0, 10.0]]), "auto").tolist() == [True]


@pytest.mark.parametrize("image", [np.zeros((1, 1)), np.zeros((30, 30)), np.full((9, 9), np.nan)])
def test_auto_takes_what_it_cannot_tell_as_bright(image):
    assert choose_polarity(image, np.array([[-0.5, -0.5]]), "auto").tolist() == [False]


def test_auto_at_the_corner():
    image = np.full((30, 30), 100, np.uint8)
    image[0, 0] = 20
    assert choose_polarity(image, np.array([[-0.5, 0.5]]), "auto").tolist() == [True]
