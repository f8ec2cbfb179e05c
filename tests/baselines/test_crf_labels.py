"""The dense CRF after any method: what it mends, what it leaves alone, and what must not matter to it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel import METHODS, InputError, TargetLabel, annotate
from pointlabel.baselines.crf.labels import LARGEST_PX, MARGIN_PX, CrfParams, first_guess, refine_by_crf
from pointlabel.synthetic import draw_scene
from tests.twins import crf as twin

RUNNABLE = [name for name, entry in METHODS.items() if not entry.needs_checkpoint]
EVERY = pytest.mark.parametrize("method", RUNNABLE)


def label(
    mask: NDArray[np.bool_],
    origin: tuple[int, int] = (0, 0),
    point: tuple[float, float] | None = None,
    **options: Any,
) -> TargetLabel:
    """A label whose soft label is its mask, for a point in the middle of it."""
    middle = np.argwhere(mask).mean(axis=0).round() + origin
    at = (float(middle[0]), float(middle[1])) if point is None else point
    return TargetLabel(at, origin, mask.astype(np.float32), mask, **options)


def whole(target: TargetLabel, shape: tuple[int, int]) -> NDArray[np.bool_]:
    out = np.zeros(shape, bool)
    out[target.window] = target.mask
    return out


def block(
    shape: tuple[int, int] = (40, 50), rows: slice = slice(15, 23), columns: slice = slice(20, 30)
) -> NDArray[np.bool_]:
    out = np.zeros(shape, bool)
    out[rows, columns] = True
    return out


def test_a_rough_border_follows_the_grey_levels(rng):
    truth = block()
    image = rng.normal(50, 2, truth.shape) + 100 * truth
    rough = truth.copy()
    rough[15, 20] = rough[18, 24] = False
    rough[14, 22] = rough[23, 28] = True
    (target,) = refine_by_crf(image, [label(rough, quality=0.8)])
    np.testing.assert_array_equal(whole(target, truth.shape), truth)
    assert target.quality == pytest.approx(0.8 * 78 / 82)
    assert target.soft.dtype == np.float32
    np.testing.assert_array_equal(target.mask, target.soft > 0.5)


def test_it_is_the_mean_field_of_its_twin(rng):
    truth = block()
    image = rng.integers(0, 256, truth.shape)
    image[16, 25], image[17, 25] = 0, 255
    given = label(truth)
    (target,) = refine_by_crf(image, [given])
    top, left = 15 - MARGIN_PX, 20 - MARGIN_PX
    part = (slice(top, 23 + MARGIN_PX), slice(left, 30 + MARGIN_PX))
    guess = first_guess(truth[part].astype(np.float32), truth[part])
    exact = twin.refine_crf(guess, image[part].astype(np.uint8), **asdict(CrfParams()))
    assert target.origin == (top, left)
    np.testing.assert_allclose(target.soft, exact, atol=1e-5)


@pytest.mark.parametrize("method", ["default", "d2d-paper"])
def test_without_pairs_the_component_of_the_point_comes_out(scene, method):
    labels = annotate(scene.image, scene.points, method=method).targets
    for before, after in zip(labels, refine_by_crf(scene.image, labels, CrfParams(compatibility=0)), strict=True):
        parts, _ = ndimage.label(whole(before, scene.image.shape), np.ones((3, 3)))
        kept = whole(after, scene.image.shape)
        (number,) = np.unique(parts[kept])
        np.testing.assert_array_equal(kept, parts == number)
        assert number > 0


@pytest.mark.parametrize("tightness", [0.0, 0.5, 1.0])
def test_the_first_guess_puts_one_half_at_the_border(scene, tightness):
    for target in annotate(scene.image, scene.points, method="default", tightness=tightness).targets:
        guess = first_guess(target.soft, target.mask)
        np.testing.assert_array_equal(guess > 0.5, target.mask)
        assert 0 < guess.min() <= guess.max() < 1


@EVERY
def test_after_every_method(scene, method):
    plain = annotate(scene.image, scene.points, method=method)
    labels = annotate(scene.image, scene.points, method=method, refine="crf")
    assert [target.point for target in labels.targets] == [target.point for target in plain.targets]
    for target, before in zip(labels.targets, plain.targets, strict=True):
        assert target.mask.any()
        assert target.mask.shape == target.soft.shape
        assert 0 <= target.quality <= before.quality
        assert list(target.flags) == sorted(target.flags)
        assert set(target.flags) ^ set(before.flags) <= {"clipped", "overlap"}
        assert target.time_ms >= 0
    again = annotate(scene.image, scene.points, method=method, refine="crf")
    np.testing.assert_array_equal(labels.soft(), again.soft())
    np.testing.assert_array_equal(labels.instances(), again.instances())


def test_dark_targets_are_refined_as_bright_ones(scene):
    bright = annotate(scene.image, scene.points, refine="crf")
    dark = annotate(255 - scene.image, scene.points, polarity="dark", refine="crf")
    np.testing.assert_array_equal(dark.instances(), bright.instances())


def test_the_order_of_the_points_does_not_matter(rng):
    scene = draw_scene(9, (80, 80), n_targets=5, spacing_px=8)
    order = rng.permutation(len(scene.points))
    base = annotate(scene.image, scene.points, refine="crf")
    turned = annotate(scene.image, scene.points[order], refine="crf")
    np.testing.assert_array_equal(base.mask(), turned.mask())
    claims = np.sum([whole(target, base.shape) for target in base.targets], axis=0)
    assert claims.max() == 1


@EVERY
@pytest.mark.parametrize("kind", ["constant", "nan", "noise"])
def test_no_target_is_lost(method, kind, rng):
    shape = (12, 9)
    image = {"constant": np.ones(shape), "nan": np.full(shape, np.nan), "noise": rng.random(shape)}[kind]
    labels = annotate(image, [(0, 0), (11, 8), (5, 4)], method=method, refine="crf")
    assert [target.mask.any() for target in labels.targets] == [kind != "nan"] * 3
    assert all(np.isfinite(target.soft).all() for target in labels.targets)


def test_the_component_of_the_point_is_kept():
    truth = block() | block(rows=slice(18, 19), columns=slice(33, 36))
    image = 50.0 + 100 * truth
    (target,) = refine_by_crf(image, [label(truth, point=(18.0, 22.0))])
    np.testing.assert_array_equal(whole(target, truth.shape), block())
    (target,) = refine_by_crf(image, [label(truth, point=(2.0, 2.0))])  # a point outside: the part that shares most
    np.testing.assert_array_equal(whole(target, truth.shape), block())


def test_pixels_that_are_not_finite_stay_outside():
    truth = block()
    image = np.where(truth, 150.0, 50.0)
    image[18, 25] = np.nan
    (target,) = refine_by_crf(image, [label(truth)])
    assert not whole(target, truth.shape)[18, 25]
    assert target.area == truth.sum() - 1


def test_what_is_too_large_or_empty_stays_as_it_is():
    shape = (100, 100)
    side = LARGEST_PX - 2 * MARGIN_PX
    image = np.random.default_rng(0).random(shape)
    large = label(block(shape, slice(10, 11 + side), slice(20, 22)))
    fits = label(block(shape, slice(10, 10 + side), slice(20, 22)))
    empty = label(block(shape, slice(50, 51), slice(50, 51)), flags=("empty",))
    out = refine_by_crf(image, [large, fits, empty])
    assert out[0] is large
    assert out[1] is not fits
    assert out[2] is empty


def test_the_flag_clipped_follows_the_mask():
    image = np.full((30, 30), 50.0)
    image[:8, 10:18] = 150
    truth = image > 100
    inner = truth.copy()
    inner[0] = False
    (target,) = refine_by_crf(image, [label(inner)])
    np.testing.assert_array_equal(whole(target, image.shape), truth)
    assert target.flags == ("clipped",)


def test_an_unknown_refinement_is_named(scene):
    with pytest.raises(InputError, match=r"refine must be None or one of crf, got 'blur'"):
        annotate(scene.image, scene.points, refine="blur")


def test_bad_strengths_are_named():
    with pytest.raises(InputError, match=r"CrfParams\.spatial_px must lie in \[0\.1, 1000\], got 0"):
        CrfParams(spatial_px=0)
