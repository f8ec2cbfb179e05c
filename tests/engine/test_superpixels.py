"""The superpixel prior: clusters, the point's cell, the sources and the outline against their twins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pointlabel import InputError
from pointlabel.engine._superpixel_kernels import connected_kernel
from pointlabel.engine.conductance import rescale_window
from pointlabel.engine.superpixels import cell_of, grow_superpixels, place_sources
from tests.twins import diffusion as twin

MOVES: list[Callable[[NDArray], NDArray]] = [np.fliplr, np.flipud, np.transpose, np.rot90]


def window(rng, shape, kind="noise"):
    values = {
        "noise": rng.gamma(2.0, 20.0, shape),
        "flat": np.zeros(shape),
        "steps": rng.integers(0, 4, shape).astype(float),  # many ties
    }[kind]
    return rescale_window(values)[0]


def centre(shape):
    return shape[0] // 2, shape[1] // 2


def moved_pixel(move, shape, pixel):
    mark = np.zeros(shape, bool)
    mark[pixel] = True
    return tuple(int(v) for v in np.argwhere(move(mark))[0])


@pytest.mark.parametrize("kind", ["noise", "flat", "steps"])
@pytest.mark.parametrize("shape", [(33, 33), (20, 20), (12, 12)])
@pytest.mark.parametrize("point_seed", [False, True])
@pytest.mark.parametrize("n_iter", [1, 4, 10])
def test_clusters_equal_their_twin(rng, kind, shape, point_seed, n_iter):
    units = window(rng, shape, kind)
    pixel = (2, shape[1] - 5)
    ours = grow_superpixels(units, pixel, n_iter=n_iter, point_seed=point_seed)
    assert ours.dtype == np.int32
    np.testing.assert_array_equal(ours, twin.slic(units, (4, 4), pixel if point_seed else None, 0.32, n_iter))


@pytest.mark.parametrize("shape", [(1, 1), (1, 33), (33, 1), (2, 40), (3, 3), (33, 9), (7, 257)])
@pytest.mark.parametrize("n_segments", [1, 16, 25])
def test_every_pixel_of_any_window_has_an_owner(rng, shape, n_segments):
    owners = grow_superpixels(window(rng, shape), centre(shape), n_segments=n_segments, point_seed=True)
    assert owners.shape == shape
    assert (owners > 0).all()
    assert owners.max() < 1 << 28  # what four bits at a time can hold
    cell = cell_of(owners, centre(shape))
    assert cell[centre(shape)]
    np.testing.assert_array_equal(twin.connected(cell, centre(shape)), cell)


def test_a_bright_target_is_a_cell_of_its_own(rng):
    image = rng.normal(50, 1, (33, 33))
    disc = np.hypot(*np.mgrid[-16:17, -16:17]) <= 3.2
    image[disc] += 60
    cell = cell_of(grow_superpixels(rescale_window(image)[0], (16, 16), point_seed=True), (16, 16))
    np.testing.assert_array_equal(cell, disc)


def test_clusters_follow_position_where_compactness_is_large(rng):
    """16 clusters on a window without pull of the intensity are 16 squares."""
    owners = grow_superpixels(window(rng, (32, 32)), (1, 1), compactness=100.0)
    assert set(np.unique(owners).tolist()) == {1 << k for k in range(16)}
    assert all((owners == 1 << k).sum() == 64 for k in range(16))


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("kind", ["noise", "flat", "steps"])
@pytest.mark.parametrize("shape", [(33, 20), (4, 90)])
def test_flips_and_transposition_carry_over(rng, move, kind, shape):
    units = window(rng, shape, kind)
    for pixel in (centre(shape), (0, shape[1] - 1), (3, 5)):
        moved, there = np.ascontiguousarray(move(units)), moved_pixel(move, shape, pixel)
        for point_seed in (False, True):
            cell = cell_of(grow_superpixels(units, pixel, point_seed=point_seed), pixel)
            moved_cell = cell_of(grow_superpixels(moved, there, point_seed=point_seed), there)
            np.testing.assert_array_equal(moved_cell, move(cell))
            np.testing.assert_array_equal(
                place_sources(moved, moved_cell, there), move(place_sources(units, cell, pixel))
            )


@pytest.mark.parametrize("n_segments", [0, 26])
def test_too_many_clusters_are_refused(n_segments):
    with pytest.raises(InputError, match=rf"n_segments must lie in \[1, 25\], got {n_segments}"):
        grow_superpixels(np.zeros((9, 9), np.int32), (4, 4), n_segments=n_segments)


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (9, 9), (20, 33)])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.6, 1.0])
def test_the_connected_part_equals_its_twin(rng, shape, share):
    member = rng.random(shape) < share
    part = np.empty(shape, np.bool_)
    assert connected_kernel(member, *centre(shape), part) == part.sum()
    np.testing.assert_array_equal(part, twin.connected(member, centre(shape)))


@pytest.mark.parametrize("kind", ["noise", "steps"])
@pytest.mark.parametrize("n_maxima", [1, 2, 5])
def test_sources_equal_their_twin(rng, kind, n_maxima):
    units = window(rng, (33, 33), kind)
    cell = rng.random((33, 33)) < 0.7
    source = place_sources(units, cell, (16, 16), n_maxima=n_maxima)
    assert source.dtype == np.float32
    assert source[16, 16] == 1
    np.testing.assert_array_equal(source, twin.sources(units, cell, (16, 16), n_maxima))


def test_without_maxima_only_the_point_is_a_source(rng):
    units = window(rng, (9, 9))
    source = place_sources(units, np.ones((9, 9), bool), (0, 8), n_maxima=0)
    np.testing.assert_array_equal(np.argwhere(source), [(0, 8)])
