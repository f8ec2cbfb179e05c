"""Tightness: nested masks, and the shares of the local contrast at its ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from pointlabel import ImageLabels, annotate
from pointlabel.engine.default.border import LOOSEST, TIGHTEST, border_field
from pointlabel.synthetic import draw_scene

FIELDS = arrays.arrays(np.float32, (5, 6), elements=st.floats(0, 1, width=32))
RELIEFS = arrays.arrays(np.float32, (5, 6), elements=st.floats(-1, 2, width=32))
EIGHT = np.ones((3, 3), bool)


def masks_at(image, points, tightness):
    """Each target's own mask; annotated alone, because targets that meet share their pixels out."""
    out = np.zeros((len(points), *image.shape), bool)
    labels = ImageLabels(
        image.shape, tuple(annotate(image, np.asarray(point)[None], tightness=tightness).targets[0] for point in points)
    )
    for canvas, target in zip(out, labels.targets, strict=True):
        canvas[target.window] = target.mask
    return out


@given(FIELDS, RELIEFS, st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_a_looser_border_holds_a_tighter_one(soft, relief, one, other, least):
    loose, tight = (border_field(soft, relief, t, least) >= 0 for t in sorted((one, other)))
    assert not (tight & ~loose).any()


@given(FIELDS, RELIEFS, st.floats(0, 0.5))
def test_the_ends_and_the_middle_are_plain_cuts(soft, relief, least):
    np.testing.assert_array_equal(border_field(soft, relief, 0.5, least) >= 0, soft >= 0.5)
    outer = (relief >= np.float32(LOOSEST)) & (relief >= least)
    np.testing.assert_array_equal(border_field(soft, relief, 0.0, least) >= 0, (soft >= 0.5) | outer)
    inner = (soft >= 0.5) & (relief >= np.float32(TIGHTEST))
    np.testing.assert_array_equal(border_field(soft, relief, 1.0, least) >= 0, inner)


@pytest.mark.parametrize(("noise", "background"), [(0.0, "flat"), (0.01, "cloud"), (0.05, "sea")])
def test_masks_are_nested(noise, background):
    for seed in range(3):
        scene = draw_scene(seed, (160, 160), n_targets=3, noise=noise, background=background)
        before = masks_at(scene.image, scene.points, 0.0)
        for tightness in np.linspace(0, 1, 21)[1:]:
            now = masks_at(scene.image, scene.points, float(tightness))
            assert not (now & ~before).any(), f"seed {seed}, tightness {tightness:g}"
            before = now


def test_masks_are_nested_where_the_window_grows_with_the_loose_mask():
    scene = draw_scene(38, n_targets=4, noise=0.05)  # its loosest mask reaches the border of the first window
    before = masks_at(scene.image, scene.points, 0.0)
    for tightness in np.linspace(0, 1, 21)[1:]:
        now = masks_at(scene.image, scene.points, float(tightness))
        assert not (now & ~before).any()
        before = now


def test_together_the_masks_of_targets_that_meet_are_nested():
    scene = draw_scene(1, (160, 160), n_targets=3, noise=0.01, background="cloud")
    loosest = annotate(scene.image, scene.points, tightness=0.0)
    assert any("overlap" in target.flags for target in loosest.targets)
    before = loosest.mask()
    for tightness in np.linspace(0, 1, 21)[1:]:
        now = annotate(scene.image, scene.points, tightness=float(tightness)).mask()
        assert not (now & ~before).any()
        before = now


@pytest.mark.parametrize("sigma_px", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_on_a_clean_spot_the_ends_lie_at_5_and_60_percent(sigma_px):
    rows, columns = np.indices((129, 129)) - 64
    profile = np.exp(-(rows**2 + columns**2) / (2 * sigma_px**2))
    for tightness, share in ((0.0, LOOSEST), (1.0, TIGHTEST)):
        mask = masks_at((100 + 1000 * profile).astype(np.float32), [[64, 64]], tightness)[0]
        level_set = profile >= share
        # the tolerance: one pixel on either side, because the spot lifts its own background
        assert not (mask & ~ndimage.binary_dilation(level_set, EIGHT)).any()
        assert not (ndimage.binary_erosion(level_set, EIGHT) & ~mask).any()
        assert mask.sum() == pytest.approx(level_set.sum(), rel=0.15)
