"""Crops: where they lie, and that every map of an image is cut and turned alike."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointlabel.errors import InputError
from pointlabel.training.augment import View, draw_grey_change, draw_numbers, view_of

TURNS = list(product((False, True), repeat=3))


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize(("top", "left", "side"), [(3, 5, 16), (0, 0, 16), (-2, -7, 16)])
def test_a_point_lands_on_its_pixel(rng, turns, top, left, side):
    image = rng.permutation(30 * 40).reshape(30, 40).astype(np.float32)
    view = View(top, left, side, 16, *turns)
    crop = view.cut(image).numpy()
    points = np.argwhere(np.ones_like(image)).astype(float)
    inside = ((points >= (top, left)) & (points < (top + side, left + side))).all(axis=1)
    places = mapped(view, points).astype(int)
    assert len(places) == inside.sum()
    assert (crop[tuple(places.T)] == image[tuple(points[inside].astype(int).T)]).all()


def mapped(view: View, points: NDArray) -> NDArray:
    """Where points (N, 2) of the image lie in the view; those outside are left out."""
    out = (points - (view.top, view.left) + 0.5) * view.size / view.side - 0.5
    if view.flip_rows:
        out[:, 0] = view.size - 1 - out[:, 0]
    if view.flip_columns:
        out[:, 1] = view.size - 1 - out[:, 1]
    if view.transpose:
        out = out[:, ::-1]
    return out[((out >= -0.5) & (out < view.size - 0.5)).all(axis=1)]


def test_a_resized_view_keeps_targets_and_mass():
    mask = np.zeros((64, 64), np.float16)
    mask[31, 33] = 1
    small, large = View(11, 13, 40, 32).cut(mask), View(21, 23, 20, 32).cut(mask)
    assert small.max() > 0.4
    assert small.sum() == pytest.approx((32 / 40) ** 2, rel=0.1)
    assert large.sum() == pytest.approx((32 / 20) ** 2, rel=0.1)
    for view, crop in ((View(11, 13, 40, 32), small), (View(21, 23, 20, 32), large)):
        (point,) = mapped(view, np.array([[31.0, 33.0]]))
        peak = np.unravel_index(int(crop.argmax()), crop.shape)
        assert np.abs(point - peak).max() <= 0.6


def test_an_image_smaller_than_the_crop_is_mirrored(rng):
    image = rng.random((5, 9)).astype(np.float32)
    crop = View(-5, -3, 16, 16).cut(image).numpy()
    assert (crop[5:10, 3:12] == image).all()
    assert (crop == np.pad(image, ((5, 6), (3, 4)), mode="reflect")).all()
    assert (View(-1, -1, 4, 4).cut(np.ones((1, 1), np.float32)) == 1).all()


def test_crops_hold_a_target_as_often_as_asked(rng, small_config):
    points = np.array([[10.0, 20.0], [90.0, 110.0]])

    def share(chance: float) -> float:
        generator = torch.Generator().manual_seed(0)
        config = small_config(target_share=chance, crop=16)
        views = [view_of((100, 120), points, config, draw_numbers(generator)) for _ in range(400)]
        return float(np.mean([len(mapped(view, points)) > 0 for view in views]))

    assert share(1.0) == 1.0
    assert share(0.75) == pytest.approx(0.75, abs=0.07)
    assert share(0.0) < 0.12


def test_a_view_lies_inside_where_it_fits(rng, small_config):
    generator = torch.Generator().manual_seed(1)
    config = small_config(crop=32, zoom=0.2)
    for shape in ((64, 80), (33, 300)):
        for _ in range(100):
            view = view_of(shape, np.array([[0.0, 0.0]]), config, draw_numbers(generator))
            for size, start in zip(shape, (view.top, view.left), strict=True):
                assert 0 <= start <= size - view.side or (view.side > size and start <= 0 <= start + view.side - size)


def test_every_turn_and_zoom_occurs(small_config):
    generator = torch.Generator().manual_seed(2)
    views = [view_of((64, 64), np.zeros((0, 2)), small_config(), draw_numbers(generator)) for _ in range(200)]
    assert {(view.flip_rows, view.flip_columns, view.transpose) for view in views} == set(TURNS)
    sides = [view.side for view in views]
    assert (min(sides), max(sides)) == (27, 40)


def test_images_are_scaled_to_a_longer_side_of_the_range(small_config):
    generator = torch.Generator().manual_seed(2)
    config = small_config(crop=64, long_side_low=32, long_side_high=128)
    views = [view_of((64, 80), np.zeros((0, 2)), config, draw_numbers(generator)) for _ in range(200)]
    longer = [80 * view.size / view.side for view in views]
    assert min(longer) == pytest.approx(32, abs=1)
    assert max(longer) == pytest.approx(128, abs=2)
    assert np.median(longer) == pytest.approx(80, abs=8)


@pytest.mark.parametrize(("low", "high"), [(0, 128), (128, 0), (200, 100)])
def test_half_a_range_of_longer_sides_is_refused(low, high, small_config):
    with pytest.raises(InputError, match=f"long_side_low must be at most .* or both 0, got {low} and {high}"):
        small_config(long_side_low=low, long_side_high=high)


def test_an_image_draws_as_many_numbers_as_any_other(small_config):
    first, second = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    view_of((64, 80), np.zeros((0, 2)), small_config(), draw_numbers(first))
    view_of((20, 300), np.array([[3.0, 4.0]]), small_config(), draw_numbers(second))
    assert torch.equal(first.get_state(), second.get_state())


def test_grey_levels_change_as_far_as_asked(small_config):
    image = torch.linspace(-2, 2, 64).reshape(1, 1, 8, 8).repeat(50, 1, 1, 1)

    def changed(**settings: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(4)
        return draw_grey_change(50, small_config(crop=8, **settings), generator).apply(image)

    assert torch.equal(changed(noise=0, brightness=0), image)
    bright = changed(noise=0, brightness=0.3)
    assert float((bright - image).abs().max()) <= 0.3 * 2 + 0.3 + 1e-5
    assert float(bright.mean((1, 2, 3)).std()) > 0.05
    noisy = changed(noise=0.2, brightness=0)
    spread = (noisy - image).std((1, 2, 3))
    assert float(spread.max()) < 0.3
    assert float(spread.min()) < 0.05
