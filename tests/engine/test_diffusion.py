"""Equations (3) and (4): the steps and the steady state against whole matrices, conserved heat, fusion."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel import InputError
from pointlabel.engine.conductance import rescale_window, window_conductance
from pointlabel.engine.diffusion import diffuse, fuse, largest_outflow, solve_steady
from tests.twins import diffusion as twin

SHAPES = [(1, 1), (1, 9), (7, 1), (2, 2), (4, 3), (12, 11)]
MOVES = [np.fliplr, np.flipud, np.transpose, np.rot90]


def medium(rng, shape, source_at=None):
    units, _ = rescale_window(rng.gamma(2.0, 20.0, shape))
    source = np.zeros(shape, np.float32)
    source[source_at or (shape[0] // 2, shape[1] // 2)] = 1
    return source, *window_conductance(units), twin.conductivity(units, 3.2, 6.0, 0.6, 32)


@pytest.mark.parametrize("shape", SHAPES)
def test_largest_outflow_is_the_largest_diagonal_entry(rng, shape):
    _, east, south, conductivity = medium(rng, shape)
    np.testing.assert_allclose(largest_outflow(east, south), twin.laplacian(conductivity).diagonal().max(), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_steps", [0, 1, 2, 17])
@pytest.mark.parametrize("corner", [False, True])
def test_steps_equal_their_twin(rng, shape, n_steps, corner):
    source, east, south, conductivity = medium(rng, shape, (0, shape[1] - 1) if corner else None)
    ours = diffuse(source, east, south, n_steps=n_steps)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, twin.diffuse(source.astype(float), conductivity, n_steps), atol=1e-6)


def test_heat_never_turns_negative(rng):
    source, east, south, _ = medium(rng, (33, 33))
    for n_steps in range(8):
        assert diffuse(source, east, south, n_steps=n_steps, tau_share=1.0).min() >= 0


def test_a_step_that_is_too_long_is_refused(rng):
    source, east, south, _ = medium(rng, (9, 9))
    limit = 1 / largest_outflow(east, south)
    diffuse(source, east, south, tau=limit * (1 - 1e-9))
    with pytest.raises(InputError, match=rf"tau must lie in \[0, 1 / max L_ii = {limit:.6g}\], got {2 * limit:g}"):
        diffuse(source, east, south, tau=2 * limit)
    with pytest.raises(InputError, match=r"tau must lie in .* got -1"):
        diffuse(source, east, south, tau=-1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [1.0, 0.05, 0.005])
def test_the_steady_state_equals_a_dense_solve(rng, shape, share):
    source, east, south, conductivity = medium(rng, shape)
    leak = share * max(largest_outflow(east, south), 1.0)
    ours = solve_steady(source, east, south, leak=leak, tolerance=1e-6)
    exact = twin.solve_steady(source, twin.laplacian(conductivity), leak)
    np.testing.assert_allclose(ours, exact, atol=2e-5 * exact.max())
    assert ours.sum(dtype=float) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leak": 0.0}, "leak must be positive, got 0"),
        ({"leak": 1.0, "tolerance": 1.0}, r"tolerance must lie in \(0, 1\), got 1"),
    ],
)
def test_bad_solver_options(rng, options, message):
    source, east, south, _ = medium(rng, (5, 5))
    with pytest.raises(InputError, match=message):
        solve_steady(source, east, south, **options)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("shape", [(33, 33), (20, 33)])
def test_flips_and_transposition_carry_over_bit_for_bit(rng, move, shape):
    units, _ = rescale_window(rng.gamma(2.0, 20.0, shape))
    source = (rng.random(shape) < 0.02).astype(np.float32)
    moved_source = np.ascontiguousarray(move(source))
    medium_here, medium_there = window_conductance(units), window_conductance(np.ascontiguousarray(move(units)))
    there = diffuse(moved_source, *medium_there, n_steps=99)
    np.testing.assert_array_equal(there, move(diffuse(source, *medium_here, n_steps=99)))
    leak = 0.01 * largest_outflow(*medium_here)
    there = solve_steady(moved_source, *medium_there, leak=leak)
    np.testing.assert_array_equal(there, move(solve_steady(source, *medium_here, leak=leak)))


def test_inputs_are_not_changed(rng):
    source, east, south, _ = medium(rng, (9, 9))
    for array in (source, east, south):
        array.flags.writeable = False
    before = source.copy()
    diffuse(source, east, south)
    solve_steady(source, east, south, leak=0.1)
    np.testing.assert_array_equal(source, before)


@pytest.mark.parametrize("heat_first", [False, True])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.84, 1.0])
def test_fusion_follows_eq_4(rng, rho, heat_first):
    heat = rng.random((7, 6)).astype(np.float32) / 50
    cell = rng.random((7, 6)) < 0.4
    soft = fuse(heat, cell, rho, heat_first=heat_first)
    exact = rho * (heat / heat.max() if heat_first else heat) + (1 - rho) * cell
    np.testing.assert_allclose(soft, exact / exact.max(), atol=1e-6)
    assert soft.dtype == np.float32
    assert soft.max() == 1


def test_nothing_fused_with_nothing_is_nothing():
    nothing = np.zeros((3, 3), np.float32)
    assert not fuse(nothing, nothing, 0.5, heat_first=True).any()
