"""Pixels that are not finite belong to no mask, whatever the method, the window and what follows the method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pointlabel import METHODS, ImageLabels, annotate, annotate_images, get_method
from pointlabel.methods.holes import NEAR_PX

METHOD = st.sampled_from([name for name, entry in METHODS.items() if not entry.needs_checkpoint])


def check(image: NDArray, labels: ImageLabels) -> None:
    """What is promised of images with holes."""
    finite = np.isfinite(image)
    assert not (labels.mask() & ~finite).any()
    assert not (labels.instances()[~finite]).any()
    assert not labels.soft()[~finite].any()
    for target in labels.targets:
        row, column = (int(np.ceil(value - 0.5)) for value in target.point)
        near = finite[max(row - NEAR_PX, 0) : row + NEAR_PX + 1, max(column - NEAR_PX, 0) : column + NEAR_PX + 1]
        assert target.mask.any() or not near.any()
        assert np.isfinite(target.soft).all()
        if not target.mask.any():
            assert {"empty", "nan"} <= set(target.flags)
            assert target.quality == 0
            assert not target.presence


@st.composite
def holed(draw: st.DrawFn) -> tuple[NDArray, NDArray]:
    """An image with targets, some large, some touching, and holes: single pixels, lines, blocks, at the points."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 90)), draw(st.integers(1, 90)))
    rows, columns = np.indices(shape)
    image = rng.normal(50, 2, shape)
    points = rng.integers(0, shape, (draw(st.integers(1, 4)), 2))
    if draw(st.booleans()):
        points = np.vstack([points, points[0]])
    for row, column in points:
        image += 100 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / rng.choice([2.0, 20.0, 400.0]))
    value = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    for kind in draw(st.sets(st.sampled_from(["pixels", "line", "block", "points", "border", "all but one"]))):
        if kind == "pixels":
            image[rng.random(shape) < 0.3] = value
        elif kind == "line":
            image[:, points[0, 1]] = value
        elif kind == "block":
            row, column = points[-1] - rng.integers(0, 7, 2)
            image[max(row, 0) : row + 7, max(column, 0) : column + 7] = value
        elif kind == "points":
            image[tuple(points.T)] = value
        elif kind == "border":
            image[:3], image[:, -2:] = value, value
        else:
            image[image != image[shape[0] // 2, shape[1] // 2]] = value
    return image.astype(draw(st.sampled_from([np.float32, np.float64]))), points + rng.uniform(-0.4, 0.4, points.shape)


@settings(max_examples=150, deadline=None)
@given(
    given_image=holed(),
    method=METHOD,
    refine=st.sampled_from([None, None, "crf"]),
    polarity=st.sampled_from(["bright", "dark", "auto"]),
)
def test_holes_belong_to_no_mask_of_any_method(given_image, method, refine, polarity):
    image, points = given_image
    check(image, annotate(image, points, method=method, refine=refine, polarity=polarity))


@settings(max_examples=60, deadline=None)
@given(given_image=holed(), tightness=st.sampled_from([0.0, 0.5, 0.9]), border_px=st.sampled_from([0.0, 1.5, -1.0]))
def test_holes_belong_to_no_mask_of_the_default_with_larger_windows(given_image, tightness, border_px):
    image, points = given_image
    params = get_method("default").params(enlarge=True, border_px=border_px)
    check(image, annotate(image, points, params=params, tightness=tightness))


@settings(max_examples=25, deadline=None)
@given(given_image=holed(), enlarge=st.booleans())
def test_holes_belong_to_no_mask_of_the_torch_backend(given_image, enlarge):
    pytest.importorskip("torch")
    image, points = given_image
    check(image, annotate_images([image], [points], params=get_method("default").params(enlarge=enlarge))[0])


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_dead_pixels_of_a_large_target_are_left_out(backend, rng):
    if backend == "torch":
        pytest.importorskip("torch")
    rows, columns = np.ogrid[:160, :160]
    image = 20 + 180 * ((rows - 80) ** 2 + (columns - 80) ** 2 < 30**2) + rng.normal(0, 2, (160, 160))
    image[70:90:3, 70:90:3] = np.nan
    options: dict[str, Any] = {"params": get_method("default").params(enlarge=True), "backend": backend}
    labels = annotate(image, [[81, 81]], **options)
    check(image, labels)
    assert labels.targets[0].area > 2000
    assert "nan" in labels.targets[0].flags


def test_a_point_on_a_hole_takes_the_nearest_pixel_or_none():
    image = np.full((20, 20), np.nan)
    image[5, 8] = 1.0
    near, far = annotate(image, [(5, 6), (15, 15)], method="point").targets
    assert np.argwhere(near.mask).tolist() == [[5 - near.origin[0], 8 - near.origin[1]]]
    assert not far.mask.any()
    assert near.quality == far.quality == 0
    assert far.flags == ("empty", "nan")
