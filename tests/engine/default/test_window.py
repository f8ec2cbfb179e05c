"""The window: whole units, noise, ranks and the peak against their twins, mirrored borders, strides."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.engine.default._window_kernels import (
    noise_kernel,
    rank_of,
    spread_kernel,
    whole_units_kernel,
)
from pointlabel.engine.default.window import HALF, MARGIN, REACH, STRIDES, _cut, cut_window
from pointlabel.methods._peak_kernels import peak_kernel
from pointlabel.methods.peaks import find_peak
from tests.twins.default import window as twin

SIDE = 2 * MARGIN + 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 4), (30, 30)])
def test_units_equal_their_twin(rng, shape):
    values = rng.normal(300, 50, shape)
    units = np.empty(shape, np.int32)
    whole_units_kernel(values, values.min(), values.max(), units)
    np.testing.assert_array_equal(units, twin.units_of(values))


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4", "f8", "strided", "read-only"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 40), (90, 70)])
def test_windows_are_mirrored_as_often_as_it_takes(rng, shape, kind):
    image = rng.integers(0, 200, shape).astype(kind if len(kind) == 2 else np.uint8)
    if kind == "strided":
        image = np.repeat(image, 2, 1)[:, ::2]
    image.flags.writeable = kind != "read-only"
    for reach in (0, 3, 60):
        padded = np.pad(image.astype(float), reach, mode="symmetric")
        for row, column in {(0, 0), (shape[0] // 2, shape[1] // 3), (shape[0] - 1, shape[1] - 1)}:
            expected = padded[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
            values, low, high = _cut(image, (row, column), reach)
            np.testing.assert_array_equal(values, expected)
            assert (low, high) == (expected.min(), expected.max())


@pytest.mark.parametrize("n", [1, 2, 3, 50, 1001])
@pytest.mark.parametrize("top", [2, 200, 589_815])
def test_ranks_equal_a_sort(rng, n, top):
    values = rng.integers(0, top, n).astype(np.int32)
    for rank in {1, (n + 1) // 2, n}:
        assert rank_of(values, rank) == np.sort(values)[rank - 1]


@pytest.mark.parametrize("kind", ["white", "flat", "coarse"])
def test_noise_equals_its_twin(rng, kind):
    units = {
        "white": rng.integers(0, 65536, (SIDE, SIDE)),
        "flat": np.zeros((SIDE, SIDE)),
        "coarse": 6553 * rng.integers(0, 11, (SIDE, SIDE)),
    }[kind].astype(np.int32)
    np.testing.assert_allclose(noise_kernel(units, HALF), twin.noise(units, HALF), rtol=1e-9, atol=1e-6)


def test_spread_lies_between_the_percentiles(rng):
    units = rng.integers(0, 65536, (SIDE, SIDE)).astype(np.int32)
    core = np.sort(units[REACH : SIDE - REACH, REACH : SIDE - REACH].ravel())
    low, high = (core[int(np.ceil(share * core.size)) - 1] for share in (0.05, 0.95))
    assert spread_kernel(units, REACH, 2 * HALF + 1) == high - low


@pytest.mark.parametrize("top", [3, 12, 256])
def test_peaks_equal_their_twin(rng, top):
    for _ in range(200):
        block = np.minimum(rng.integers(0, top, (9, 9)), 255).astype(np.float64)
        block[0, 0], block[8, 8] = 0, 255  # the whole range, so that whole units are the values times 257
        row, column = rng.integers(2, 7, 2)
        assert peak_kernel(block, row, column, 2) == twin.peak(block, row, column, 2)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 19), (11, 0), (11, 19), (5, 0), (6, 10)])
def test_the_peak_is_found_at_the_border_too(rng, row, column):
    image = rng.permutation(12 * 20).reshape(12, 20).astype(np.uint16)
    assert find_peak(image, np.array([row, column])) == twin.peak(image, row, column, 2)


def test_the_peak_is_never_a_pixel_without_a_value():
    image = np.zeros((9, 9), np.float32)
    image[4, 4], image[4, 5], image[3, 4] = 5, np.inf, np.nan
    assert find_peak(image, np.array([5, 5])) == (4, 4)
    assert find_peak(np.full((9, 9), np.nan), np.array([5, 5])) == (5, 5)


def test_equal_peaks_leave_the_point_where_it_is():
    image = np.zeros((9, 9), np.uint8)
    image[4, 3] = image[4, 5] = 200
    assert find_peak(image, np.array([4, 4])) == (4, 4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 200), (64, 65), (130, 300)])
@pytest.mark.parametrize("stride", STRIDES)
def test_beyond_the_border_the_image_is_mirrored(rng, shape, stride):
    image = rng.integers(0, 4096, shape).astype(np.uint16)
    peak = (shape[0] - 1, shape[1] // 3)
    reach = MARGIN * stride + stride - 1
    wide = np.pad(image, reach, mode="symmetric").astype(np.float64)
    values = wide[peak[0] : peak[0] + 2 * reach + 1, peak[1] : peak[1] + 2 * reach + 1]
    for _ in range(stride.bit_length() - 1):
        for _ in range(2):
            values = (0.25 * (values[:-2] + values[2:]) + 0.5 * values[1:-1])[::2].T
    window = cut_window(image, peak, stride)
    np.testing.assert_array_equal(window.units, twin.units_of(values))
    rows, columns = (p + stride * np.arange(-HALF, HALF + 1) for p in peak)
    inside = ((rows >= 0) & (rows < shape[0]))[:, None] & (columns >= 0) & (columns < shape[1])
    np.testing.assert_array_equal(window.inside, inside)


def test_gain_and_offset_cancel(rng):
    image = rng.integers(0, 256, (90, 80))
    first = cut_window(image.astype(np.uint8), (40, 41))
    for other in (
        7 * image.astype(np.int32) - 900,
        0.125 * image.astype(np.float32) + 3,
        image.astype(np.uint16) * 250,
    ):
        window = cut_window(other, (40, 41))
        np.testing.assert_array_equal(window.units, first.units)
        assert (window.noise, window.floor, window.spread) == (first.noise, first.floor, first.spread)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_holes_are_filled_and_left_out(rng, hole):
    image = rng.normal(0, 1, (90, 80))
    image[30:33, 50] = hole
    window = cut_window(image, (40, 41))
    expected = np.ones((65, 65), bool)
    expected[30 - 40 + HALF : 33 - 40 + HALF, 50 - 41 + HALF] = False
    rows, columns = 40 + np.arange(-HALF, HALF + 1), 41 + np.arange(-HALF, HALF + 1)
    expected &= ((rows >= 0) & (rows < 90))[:, None] & (columns >= 0) & (columns < 80)
    np.testing.assert_array_equal(window.inside, expected)
    assert window.units.min() == 0
    assert window.units.max() == 65535
    assert not cut_window(np.full((20, 20), hole), (4, 4)).units.any()
