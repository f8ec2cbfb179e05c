"""Peaks of points, and what a target says of its mask: box, border, crop."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from pointlabel._checks import pixel_of
from pointlabel.methods.peaks import find_peaks
from pointlabel.methods.targets import at_border, has_holes, make_target, open_sides, widen, window_around
from pointlabel.types import LabelRequest, TargetLabel, is_doubtful


def test_points_that_share_a_peak_stay():
    image = np.zeros((20, 20))
    image[5, 5] = image[12, 12] = 1.0
    points = [(4, 4), (6, 6), (11, 12), (0, 0)]
    assert find_peaks(image, points) == ([(4, 4), (6, 6), (12, 12), (0, 0)], [True, True, False, False])
    assert find_peaks(image, [(4, 4), (4, 4)], snap=False) == ([(4, 4), (4, 4)], [True, True])


def test_the_pixels_of_a_request_are_those_of_pixel_of(rng):
    points = np.concatenate([rng.uniform(-0.5, 6.49, (50, 2)), [[-0.5, -0.5], [0.5, 1.5], [2.5, 6.0]]])
    request = LabelRequest(np.zeros((7, 7)), points, np.full(len(points), 0.5), None, rng)
    assert request.pixels == [tuple(pixel) for pixel in pixel_of(points, (7, 7)).tolist()]


def test_the_box_of_a_mask_is_half_open_and_lies_in_the_image():
    mask = np.zeros((6, 7), bool)
    assert TargetLabel((0, 0), (10, 20), mask.astype(np.float32), mask).box is None
    mask[1:3, 2:6] = True
    assert TargetLabel((0, 0), (10, 20), mask.astype(np.float32), mask).box == (11, 22, 13, 26)


def test_trust_is_quality_times_presence_where_there_is_one():
    mask = np.ones((3, 3), bool)
    made = make_target((1, 1), (5, 5), mask.astype(np.float32), mask, (40, 40), start=perf_counter(), quality=0.8)
    assert (made.presence, made.trust) == (None, 0.8)
    assert replace(made, presence=0.25).trust == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("quality", "presence", "flags", "doubtful"),
    [
        (0.5, 0.5, (), False),
        (0.9, None, ("moved", "clipped"), False),
        (0.49, 0.9, (), True),
        (0.9, 0.49, (), True),
        (0.49, None, (), True),
        (0.9, 0.9, ("empty",), True),
    ],
)
def test_what_is_doubtful(quality, presence, flags, doubtful):
    assert is_doubtful(quality, presence, flags) is doubtful


@pytest.mark.parametrize("side", range(4))
def test_a_mask_at_the_border_is_clipped(side):
    mask = np.zeros((5, 6), bool)
    mask[(0, -1, 2, 2)[side], (3, 3, 0, -1)[side]] = True
    inner = open_sides((10, 15, 10, 16), (40, 40))
    assert inner == (True,) * 4
    assert not at_border(mask, 10, 10, (40, 40))
    top, left = ((0, 9), (35, 9), (9, 0), (9, 34))[side]
    assert at_border(mask, top, left, (40, 40))
    assert open_sides((top, top + 5, left, left + 6), (40, 40)) == tuple(k != side for k in range(4))
    made = make_target((1, 2), (top, left), mask.astype(np.float32), mask, (40, 40), start=perf_counter(), nan=True)
    assert made.flags == ("clipped", "nan")


def test_a_cropped_target_is_what_its_mask_and_soft_label_need():
    soft, mask = np.zeros((9, 9), np.float32), np.zeros((9, 9), bool)
    soft[3, 4:7] = 0.25
    mask[4, 4] = True
    made = make_target((4, 4), (-3, -3), soft, mask, (40, 40), start=perf_counter(), quality=1.5, crop=True)
    assert (made.origin, made.mask.shape) == ((0, 1), (2, 3))
    assert (made.box, made.quality, made.flags) == ((1, 1, 2, 2), 1.0, ())
    assert made.time_ms >= 0


def test_windows_end_at_the_image():
    assert window_around((1, 38), 4, (40, 41)) == (0, 6, 34, 41)
    assert widen((0, 6, 34, 41), 2, (40, 41)) == (0, 8, 32, 41)
    image = np.zeros((9, 9))
    image[0, 0] = np.nan
    assert has_holes(image, (2, 2), 2)
    assert not has_holes(image, (3, 2), 2)
