"""Local signal-to-clutter ratio against published values and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.scr import local_scr, target_scrs

FIXTURES = Path(__file__).parent.parent / "data" / "scr_fixtures.npz"


def test_published_values():
    with np.load(FIXTURES) as file:
        for image, target, scr in zip(file["image"], file["target"], file["scr"], strict=True):
            assert local_scr(image, target) == pytest.approx(float(scr), rel=1e-5, abs=1e-6)


def test_by_hand(rng):
    image = rng.random((40, 40))
    target = np.zeros((40, 40), bool)
    target[20:23, 10:14] = True
    # Rows: extent 3, centre 21, half 2 inside and 7 outside. Columns: extent 4, centre 12 (11.5 to even), 3 and 8.
    ring = np.zeros((40, 40), bool)
    ring[14:29, 4:21] = True
    ring[19:24, 9:16] = False
    expected = abs(image[target].mean() - image[ring].mean()) / (image[ring].std(ddof=1) + 2e-6)
    assert local_scr(image, target) == pytest.approx(expected)


def test_small_targets_count_as_published_unless_asked():
    image = np.zeros((30, 30))
    image[::2] = 0.1
    target = np.zeros((30, 30), bool)
    target[15, 15:18] = True
    image[target] = 1
    assert local_scr(image, target) == 0
    assert local_scr(image, target, min_area_px=1) > 4


def test_the_ratio_is_clipped(rng):
    image = rng.normal(0, 1e-3, (30, 30))
    target = np.zeros((30, 30), bool)
    target[10:14, 10:14] = True
    image[target] = 1
    assert local_scr(image, target) == 12


def test_the_whole_background_where_the_ring_is_too_small():
    image = np.arange(25.0).reshape(5, 5)
    target = np.zeros((5, 5), bool)
    target[:, :4] = True
    around = image[~target]
    assert local_scr(image, target) == pytest.approx(abs(image[target].mean() - around.mean()) / around.std(ddof=1))


def test_nothing_finite_is_zero():
    target = np.zeros((9, 9), bool)
    target[3:6, 3:6] = True
    assert local_scr(np.where(target, np.nan, 1.0), target) == 0
    assert local_scr(np.where(target, 1.0, np.nan), target) == 0
    assert local_scr(np.ones((9, 9)), np.zeros((9, 9), bool)) == 0


def test_each_target_on_its_own_and_in_any_unit(rng):
    image = rng.normal(0, 1, (60, 60))
    mask = np.zeros((60, 60), bool)
    mask[10:13, 10:13] = mask[14:16, 14:16] = mask[40, 40] = True
    image[10:13, 10:13] += 6
    image[14:16, 14:16] += 1000
    targets = find_components(mask)
    scrs = target_scrs(image, targets)
    assert scrs.shape == (3,)
    assert 4 < scrs[0] < 9  # the far brighter neighbour is not in its ring
    assert scrs[1] == 12
    np.testing.assert_allclose(target_scrs(image * 1e-7 + 250, targets), scrs, rtol=1e-3)
    kelvin = np.where(np.arange(60) > 55, np.nan, image)
    np.testing.assert_allclose(target_scrs(kelvin, targets), scrs, rtol=0.5)
    assert target_scrs(np.zeros((60, 60), np.uint8), targets).tolist() == [0, 0, 0]
