"""Equation (2): the rescaled window, the local entropy and the conductances against their twins."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.engine.conductance import (
    gradient_length,
    grey_entropy,
    local_entropy,
    rescale_window,
    window_conductance,
)
from tests.twins import diffusion as twin

SHAPES = [(1, 1), (1, 9), (7, 1), (2, 2), (4, 3), (5, 5), (33, 33), (20, 33)]
MOVES = [np.fliplr, np.flipud, np.transpose, np.rot90]
ONE = 1 << 20


def window(rng, shape):
    return np.round(rng.gamma(2.0, 20.0, shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_bad", [0, 1, 5])
def test_rescaling_equals_its_twin(rng, shape, n_bad):
    values = window(rng, shape)
    values.flat[rng.integers(0, values.size, n_bad)] = rng.choice([np.nan, np.inf, -np.inf], n_bad)
    units, finite = rescale_window(values)
    assert units.dtype == np.int32
    np.testing.assert_array_equal(finite, np.isfinite(values))
    np.testing.assert_array_equal(units, twin.rescale(values))


def test_rescaling_spans_the_whole_range(rng):
    units, _ = rescale_window(window(rng, (9, 9)))
    assert (units.min(), units.max()) == (0, ONE)


@pytest.mark.parametrize("values", [np.full((4, 4), 7), np.full((4, 4), np.nan), np.full((1, 1), np.inf)])
def test_a_window_without_contrast_is_zero(values):
    units, _ = rescale_window(values)
    assert not units.any()


def test_values_near_the_largest_float_do_not_overflow():
    units, _ = rescale_window(np.array([[-1.7e308, 0.0, 1.7e308]]))
    np.testing.assert_array_equal(units, [[0, ONE // 2, ONE]])


@pytest.mark.parametrize(("gain", "offset"), [(0.1, 0.0), (3.7, -1e3), (1e-6, 42.0), (257.0, 1 / 3)])
def test_gain_and_offset_cancel(rng, gain, offset):
    values = window(rng, (33, 33))
    np.testing.assert_array_equal(rescale_window(gain * values + offset)[0], rescale_window(values)[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_bins", [2, 8, 32, 256])
def test_entropy_equals_its_twin(rng, shape, n_bins):
    units, _ = rescale_window(window(rng, shape))
    ours = local_entropy(units, n_bins=n_bins)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, twin.entropy(units, n_bins), atol=1e-6)


def test_entropy_is_0_where_flat_and_1_where_all_differ():
    assert not local_entropy(np.zeros((9, 9), np.int32)).any()
    units = (np.arange(25, dtype=np.int32) * (ONE // 25)).reshape(5, 5)
    np.testing.assert_allclose(local_entropy(units)[2, 2], 1, atol=1e-6)


def test_entropy_of_grey_levels_is_in_bits_over_8():
    grey = np.arange(25, dtype=np.uint8).reshape(5, 5)
    np.testing.assert_allclose(grey_entropy(grey)[2, 2], np.log2(25) / 8, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_equals_its_twin(rng, shape):
    units, _ = rescale_window(window(rng, shape))
    np.testing.assert_allclose(gradient_length(units), twin.gradient(units), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("d0", "beta", "alpha"), [(3.2, 6.0, 0.6), (1.0, 0.0, 0.5), (0.5, 12.0, 1.0)])
def test_conductances_equal_their_twin(rng, shape, d0, beta, alpha):
    units, _ = rescale_window(window(rng, shape))
    east, south = window_conductance(units, d0=d0, beta=beta, alpha=alpha)
    medium = twin.conductivity(units, d0, beta, alpha, 32)
    np.testing.assert_allclose(east[:, :-1], (medium[:, :-1] + medium[:, 1:]) / 2, rtol=1e-5)
    np.testing.assert_allclose(south[:-1], (medium[:-1] + medium[1:]) / 2, rtol=1e-5)
    assert not east[:, -1].any()
    assert not south[-1].any()


@pytest.mark.parametrize("move", MOVES)
def test_flips_and_transposition_carry_over_bit_for_bit(rng, move):
    units, _ = rescale_window(window(rng, (21, 33)))
    moved = np.ascontiguousarray(move(units))
    np.testing.assert_array_equal(local_entropy(moved), move(local_entropy(units)))
    np.testing.assert_array_equal(gradient_length(moved), move(gradient_length(units)))
