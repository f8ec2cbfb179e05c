"""How masks are drawn: what the engine makes of `loosest`, `border_px` and `style`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from pointlabel import annotate
from pointlabel.engine.default.border import disc, shift_border
from pointlabel.engine.default.params import N_STYLE, DefaultParams
from pointlabel.engine.default.style import fold_style, leaks, load_styles, named_style, styled_weights
from pointlabel.engine.default.weights import load_weights
from pointlabel.errors import InputError
from pointlabel.synthetic import draw_scene

FIELDS = arrays.arrays(np.float32, (9, 11), elements=st.floats(-1, 1, width=32))
RADII = st.sampled_from([-3.0, -2.3, -2.0, -1.5, -1.0, -0.4, 0.0, 0.9, 1.0, 1.5, 2.0, 2.3, 3.0])
WILD = tuple(np.random.default_rng(5).uniform(-3, 3, N_STYLE).tolist())
STYLES = {
    "grown": DefaultParams(border_px=1.5),
    "shrunk": DefaultParams(border_px=-1.0),
    "loose": DefaultParams(loosest=0.03),
    **{name: DefaultParams(style=style) for name, style in load_styles().named.items() if any(style)},
    "all": DefaultParams(loosest=0.1, border_px=-1.0, style=WILD),
}
each_style = pytest.mark.parametrize("params", STYLES.values(), ids=STYLES)


def scenes(n=3, **options):
    return [draw_scene(seed, (96, 112), n_targets=3, background="cloud", **options) for seed in range(n)]


def masks_of(image, points, params, tightness=0.5):
    """Each target's own mask on the whole image, annotated alone: targets that meet share their pixels out."""
    labels = [annotate(image, point[None], params=params, tightness=tightness) for point in np.asarray(points, float)]
    return np.stack([each.mask() for each in labels])


@given(FIELDS, RADII)
def test_the_border_moves_as_the_mask_would(field, border_px):
    """At every level: the cut of the moved field is the cut of the field, dilated or eroded."""
    moved = shift_border(field, border_px)
    footprint = disc(abs(border_px))
    for level in (-0.5, 0.0, 0.25):
        mask = field >= level
        if border_px >= 0:
            wanted = ndimage.binary_dilation(mask, footprint)
        else:
            wanted = ndimage.binary_erosion(mask, footprint, border_value=1)
        np.testing.assert_array_equal(moved >= level, wanted)


@pytest.mark.parametrize(("radius_px", "n_pixels"), [(0, 1), (0.9, 1), (1, 5), (1.5, 9), (2, 13), (2.3, 21), (3, 29)])
def test_discs(radius_px, n_pixels):
    footprint = disc(radius_px)
    assert footprint.sum() == n_pixels
    for same in (footprint[::-1], footprint[:, ::-1], footprint.T):
        np.testing.assert_array_equal(footprint, same)


@pytest.mark.parametrize("border_px", [1.0, 1.5, 2.0])
def test_a_mask_grows_by_the_disc(border_px):
    for scene in scenes():
        plain = masks_of(scene.image, scene.points, DefaultParams())
        grown = masks_of(scene.image, scene.points, DefaultParams(border_px=border_px))
        for one, other in zip(plain, grown, strict=True):
            wanted = ndimage.binary_dilation(one, disc(border_px))
            assert not (wanted & ~other).any()
            # regions that had not met the peak's may do so when all of them grow
            labels, _ = ndimage.label(ndimage.binary_erosion(other, disc(border_px), border_value=1))
            assert (labels[one] > 0).all()
        assert (grown.sum((1, 2)) > plain.sum((1, 2))).all()


def test_a_mask_shrinks_by_the_disc_and_never_vanishes():
    n_left = 0
    for scene in scenes(6):
        plain = masks_of(scene.image, scene.points, DefaultParams())
        shrunk = masks_of(scene.image, scene.points, DefaultParams(border_px=-1.0))
        for point, one, other in zip(scene.points, plain, shrunk, strict=True):
            wanted = ndimage.binary_erosion(one, disc(1.0))
            assert (other & ~wanted).sum() <= 1  # the peak always belongs
            assert not (other & ~one).any()
            labels, _ = ndimage.label(wanted | other, np.ones((3, 3)))
            np.testing.assert_array_equal(labels == labels[other][0], other)
            assert np.abs(np.argwhere(other) - point).max(axis=1).min() <= 2.5
            n_left += int(wanted.sum() > 1)
    assert n_left >= 5


@pytest.mark.parametrize("border_px", [-3.0, -1.0, 1.0, 3.0])
@pytest.mark.parametrize("loosest", [0.01, 0.05, 0.3])
def test_masks_are_nested_over_tightness(loosest, border_px):
    params = DefaultParams(loosest=loosest, border_px=border_px)
    for scene in scenes(2, noise=0.02):
        before = masks_of(scene.image, scene.points, params, 0.0)
        for tightness in np.linspace(0, 1, 11)[1:]:
            now = masks_of(scene.image, scene.points, params, float(tightness))
            assert not (now & ~before).any(), f"tightness {tightness:g}"
            before = now


@pytest.mark.parametrize("loosest", [0.03, 0.05, 0.15, 0.3])
def test_the_loosest_border_lies_at_its_level(loosest):
    rows, columns = np.indices((129, 129)) - 64
    profile = np.exp(-(rows**2 + columns**2) / (2 * 2.0**2))
    image = (100 + 1000 * profile).astype(np.float32)
    mask = masks_of(image, [[64, 64]], DefaultParams(loosest=loosest), 0.0)[0]
    plain = masks_of(image, [[64, 64]], DefaultParams())[0]
    level_set = profile >= loosest
    eight = np.ones((3, 3), bool)
    # the tolerance: one pixel on either side, because the spot lifts its own background
    assert not (mask & ~(ndimage.binary_dilation(level_set, eight) | plain)).any()
    assert not (ndimage.binary_erosion(level_set, eight) & ~mask).any()


@each_style
def test_no_mask_is_empty(params):
    flat = np.full((80, 80), 7, np.uint8)
    lone = flat.copy()
    lone[40, 40] = 200
    for image in (flat, lone):
        for tightness in (0.0, 0.5, 1.0):
            labels = annotate(image, [[40, 40], [0, 0]], params=params, tightness=tightness)
            assert all(target.mask.any() for target in labels.targets)
    for scene in scenes(2, noise=0.05, contrast=3.0):
        assert all(target.mask.any() for target in annotate(scene.image, scene.points, params=params).targets)


@each_style
def test_soft_labels_stay_in_range_and_hold_the_mask(params):
    for scene in scenes(2):
        for target in annotate(scene.image, scene.points, params=params).targets:
            assert target.soft.dtype == np.float32
            assert target.soft.min() >= 0
            assert target.soft.max() <= 1
            if "overlap" not in target.flags:
                assert (target.soft[target.mask] >= 0.5).all()


@each_style
def test_gain_offset_flips_and_transposition_change_nothing(params):
    scene = scenes(1, noise=0.02)[0]
    image = scene.image.astype(np.float32)
    height = len(image)
    points = np.floor(scene.points)
    own = masks_of(image, points, params)
    np.testing.assert_array_equal(masks_of(4 * image + 100, points, params), own)
    flipped = np.column_stack([height - 1 - points[:, 0], points[:, 1]])
    np.testing.assert_array_equal(masks_of(image[::-1], flipped, params), own[:, ::-1])
    np.testing.assert_array_equal(masks_of(image.T, points[:, ::-1], params), own.transpose(0, 2, 1))


def test_a_style_is_added_to_the_fitted_numbers():
    """By slow sums over the numbers of the style, those of layers without directions stay."""
    fitted, styles = load_weights(), load_styles()
    before = fitted.score.coefficients.copy()
    styled = fold_style(fitted, styles, WILD)
    wanted = before + sum(number * change for number, change in zip(WILD, styles.score, strict=False))
    np.testing.assert_allclose(styled.score.coefficients, wanted)
    for (w, b), (w0, b0), (change, shift) in zip(
        styled.refine.layers, fitted.refine.layers, styles.layers, strict=True
    ):
        np.testing.assert_allclose(w, w0 + sum(n * c for n, c in zip(WILD, change, strict=True)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(b, b0 + sum(n * c for n, c in zip(WILD, shift, strict=True)), rtol=1e-4, atol=1e-5)
        assert (w.dtype, b.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(fitted.score.coefficients, before)
    assert styled.plain is fitted
    assert styled.quality is fitted.quality


def test_the_default_style_is_no_style():
    fitted = load_weights()
    assert styled_weights(DefaultParams()) is fitted
    assert styled_weights(DefaultParams(style=named_style("infrared"))) is fitted
    assert not any(named_style("infrared"))
    assert styled_weights(STYLES["tight"]) is styled_weights(STYLES["tight"])


def test_named_styles_draw_as_their_names_say():
    areas = {}
    for name in ("tight", "infrared", "loose"):
        params = DefaultParams(style=named_style(name))
        areas[name] = sum(masks_of(scene.image, scene.points, params).sum() for scene in scenes())
    assert areas["tight"] < areas["infrared"] < areas["loose"]


def test_an_unknown_name_gets_a_sentence():
    with pytest.raises(InputError, match=r"there is no style 'lose'; did you mean loose\?"):
        named_style("lose")


def test_where_a_style_leaks_or_loses_the_target_the_default_style_stands():
    """Over many styles and scenes no mask is far larger than the default's or empty, and some would have been."""
    from pointlabel.engine.default import label
    from pointlabel.engine.default.window import cut_window

    rng = np.random.default_rng(2)
    n_leaks = n_lost = 0
    for seed in range(12):
        scene = draw_scene(seed, (96, 112), n_targets=3, background="cloud", contrast=3.0, noise=0.05)
        params = DefaultParams(style=tuple(rng.choice([-3.0, 3.0], N_STYLE).tolist()))
        weights = styled_weights(params)
        for point in np.floor(scene.points).astype(int):
            window = cut_window(scene.image, tuple(point))
            regions = label.grow_regions(window)
            plain = label.label_window(window, regions, params, load_weights())
            alone = label._cast_and_cut(window, regions, params, weights)
            ours = label.label_window(window, regions, params, weights)
            has_leaked = leaks(alone.mask.sum(), plain.mask.sum())
            np.testing.assert_array_equal(ours.mask, (plain if has_leaked or not alone.found else alone).mask)
            n_leaks += has_leaked
            n_lost += plain.found and not alone.found
    assert n_leaks
    assert n_lost


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loosest": 0.5}, r"loosest must lie in \[0.01, 0.3\], got 0.5"),
        ({"border_px": -3.5}, r"border_px must lie in \[-3, 3\], got -3.5"),
        ({"style": (1.0,)}, r"style must be a tuple of no or 7 numbers in \[-3, 3\], got \(1.0,\)"),
        ({"style": (4.0,) * 7}, r"style must be a tuple of no or 7 numbers"),
        ({"style": ("a",) * 7}, r"style must be a list of finite numbers"),
        ({"style": (float("nan"),) * 7}, r"style must be a list of finite numbers"),
    ],
)
def test_a_style_out_of_range_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        DefaultParams(**change)
