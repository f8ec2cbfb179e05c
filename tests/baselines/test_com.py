"""The level set: its kernels against slow twins, the term that is left out, masks, flags, parameters, real images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pointlabel import InputError, TargetLabel, annotate, get_method
from pointlabel.baselines.com._enclose_kernels import enclose_kernel
from pointlabel.baselines.com._level_set_kernels import BUMP, NEGLIGIBLE, WELL, evolve_kernel
from pointlabel.baselines.com.label import ComParams, evolve, gaussian_taps
from pointlabel.engine.conductance import SCALE, rescale_window
from pointlabel.synthetic import draw_scene
from tests.real_data import real_samples
from tests.twins import com as twin

SHAPES = [(1, 1), (1, 9), (7, 1), (2, 2), (3, 3), (3, 20), (4, 4), (5, 30), (21, 40), (41, 41)]
MOVES: list[Callable[[NDArray], NDArray]] = [np.fliplr, np.flipud, np.transpose, np.rot90]
ALL_OPEN = (True, True, True, True)


def one(image: NDArray, point: tuple[float, float], **changes: float) -> TargetLabel:
    """Label of one point."""
    return annotate(image, [point], method="com", params=get_method("com").params(**changes)).targets[0]


def spot(shape: tuple[int, int], at: tuple[float, float], sigma: float = 2.0) -> NDArray[np.float64]:
    """A Gaussian target of height 200 on a ground of 20."""
    rows, columns = np.indices(shape)
    return 20 + 200 * np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (2 * sigma**2))


def window(rng: np.random.Generator, shape: tuple[int, int], noise: float = 8.0) -> NDArray[np.int32]:
    """A rescaled window with a target in the middle."""
    grey = spot(shape, (shape[0] / 2, shape[1] / 2)) + rng.normal(0, noise, shape)
    return rescale_window(grey)[0]


def test_polynomials_stand_for_their_functions():
    t = np.linspace(0, 1, 10_001)
    s = np.sqrt(t)
    np.testing.assert_allclose(np.polyval(WELL, 4 * t), 0.25 * (np.sinc(2 * s) - 1), rtol=0, atol=1e-8)
    np.testing.assert_allclose(np.polyval(BUMP, t), (1 + np.cos(np.pi * s)) / 2, rtol=0, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [1.0, 8.0, 60.0])
def test_evolution_equals_its_twin(rng, shape, noise):
    units = window(rng, shape, noise)
    phi = evolve(units, ComParams())
    np.testing.assert_allclose(phi, twin.evolve(units), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"start": 100.0},
        {"n_outer": 0},
        {"n_outer": 1, "n_inner": 1},
        {"n_outer": 2, "n_inner": 9, "time_step": 2.0, "regularity": 0.1},
        {"shrink": 3.0, "grow": 1.0},
        {"dirac_px": 2.5, "sigma_px": 0.8},
        {"band_px": 1, "difference": 1e-3},
        {"band_px": 9, "difference": 1.0},
    ],
)
def test_other_parameters_equal_the_twin(rng, changes):
    units = window(rng, (24, 31), 30.0)
    np.testing.assert_allclose(evolve(units, ComParams(**changes)), twin.evolve(units, **changes), rtol=0, atol=1e-5)


def steps_counted(units: NDArray[np.int32], difference: float) -> int:
    phi = np.empty(units.shape)
    taps = gaussian_taps(1.5)
    return int(evolve_kernel(units, float(SCALE), taps, 50.0, 10, 5, 5.0, 0.04, 1.5, 0.1, difference, 1.5, 3, phi))


def test_the_expectation_difference_counts_where_the_means_are_near(rng):
    """Left out where it could not add NEGLIGIBLE in the whole evolution, and taken in where i and e nearly agree."""
    apart = window(rng, (41, 41), 1.0)
    assert steps_counted(apart, 1e-9) == 0
    assert steps_counted(apart, 1e-3) == 50
    with_it, without = (evolve(apart, ComParams(difference=d)) for d in (1e-9, 0.0))
    exact = twin.evolve(apart)
    np.testing.assert_array_equal(with_it, without)
    assert np.abs(exact - twin.evolve(apart, difference=0.0)).max() < NEGLIGIBLE

    # a board of two grey levels, both above the start: the inside has the mean of its surroundings
    board = (np.indices((40, 40)).sum(axis=0) % 2 * SCALE // 2 + SCALE // 2).astype(np.int32)
    board[:, 30:] = 0
    board[10:14, 33:37] = (3 * SCALE) // 4
    strong = ComParams(difference=1e-2)
    np.testing.assert_allclose(evolve(board, strong), twin.evolve(board, difference=1e-2), rtol=0, atol=1e-5)
    assert np.abs(evolve(board, strong) - evolve(board, ComParams(difference=0.0))).max() > 1e-4


def test_whole_weights_of_the_gaussian_change_nothing_that_shows(rng):
    units = window(rng, (41, 41), 20.0)
    np.testing.assert_allclose(evolve(units, ComParams()), twin.evolve(units, whole_weights=False), rtol=0, atol=1e-3)
    taps = gaussian_taps(1.5)
    assert len(taps) == 7
    assert abs(taps[0] + 2 * taps[1:].sum() - 2**21) <= 7


@pytest.mark.parametrize("move", MOVES)
def test_evolution_carries_flips_over_bit_for_bit(rng, move):
    units = window(rng, (33, 40), 20.0)
    moved = evolve(np.ascontiguousarray(move(units)), ComParams())
    np.testing.assert_array_equal(moved, move(evolve(units, ComParams())))


@pytest.mark.parametrize("open_sides", [ALL_OPEN, (False, True, True, True), (True, False, True, False), (False,) * 4])
@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (9, 9), (14, 17)])
def test_enclosing_equals_its_twin(rng, shape, open_sides):
    for _ in range(12):
        rows, columns = np.indices(shape)
        phi = rng.normal(0.3, 1, shape) + 0.4 * np.cos(rows) + 0.4 * np.sin(0.8 * columns)
        soft = np.empty(shape, np.float32)
        for row, column in rng.integers(0, shape, (8, 2)):
            n = enclose_kernel(phi, row, column, open_sides, 1.5, soft)
            expected = twin.enclosed(phi, (row, column), open_sides)
            np.testing.assert_array_equal(soft >= 0.5, expected)
            assert n == expected.sum()
            assert 0 <= soft.min() <= soft.max() <= 1


def test_what_a_contour_encloses():
    """A ring is filled; the pixels of its contour are left out where the contour is nearer to them."""
    rows, columns = np.indices((31, 31)) - 15
    distance = np.hypot(rows, columns)
    soft = np.empty((31, 31), np.float32)
    assert enclose_kernel(distance - 6.2, 15, 15, ALL_OPEN, 1.5, soft) == (soft >= 0.5).sum()
    disc = soft >= 0.5
    assert disc[distance <= 5.5].all()
    assert not disc[distance > 6.2].any()
    assert soft[15, 15] == 1
    assert 0 < soft[15, 21] < 0.5
    assert not soft[distance > 8.5].any()

    ring = np.abs(distance - 4) - 2.2  # its outer border is the disc's
    enclose_kernel(ring, 15, 15, ALL_OPEN, 1.5, soft)
    np.testing.assert_array_equal(soft >= 0.5, disc)

    assert enclose_kernel(distance - 6.2, 2, 2, ALL_OPEN, 1.5, soft) == 0
    assert not soft.any()


def test_only_closed_contours_enclose():
    """A contour that leaves the window holds nothing; one that leaves the image is closed by the image's border."""
    rows, columns = np.indices((21, 21))
    phi = np.maximum(np.abs(rows - 10) - 3.2, columns - 9.2)
    soft = np.empty((21, 21), np.float32)
    assert enclose_kernel(phi, 10, 2, ALL_OPEN, 1.5, soft) == 0
    assert enclose_kernel(phi, 10, 2, (True, True, False, True), 1.5, soft) == 5 * 9
    np.testing.assert_array_equal(np.argwhere(soft >= 0.5).max(axis=0), (12, 8))
    image = np.zeros((21, 40))
    image[8:13, :6] = 100
    target = one(image, (10, 2))
    assert "clipped" in target.flags
    assert target.area >= 15


def test_a_contour_too_small_to_hold_a_pixel_holds_its_own():
    phi = np.ones((9, 9))
    phi[4, 4] = phi[4, 5] = -0.2
    soft = np.empty((9, 9), np.float32)
    assert enclose_kernel(phi, 4, 4, ALL_OPEN, 1.5, soft) == 2
    np.testing.assert_array_equal(np.argwhere(soft >= 0.5), [(4, 4), (4, 5)])


@pytest.mark.parametrize("sigma", [2.5, 4.0])
def test_clear_targets_are_found(sigma):
    image = spot((81, 90), (40, 45), sigma)
    target = one(image, (40, 45))
    found = np.zeros(image.shape, bool)
    found[target.window] = target.mask
    truth = image > 20 + 0.3 * 200
    assert (found & truth).sum() / (found | truth).sum() > 0.6
    assert target.flags == ()
    assert target.quality > 0.4
    assert target.soft[target.mask].min() >= 0.5
    assert target.soft[~target.mask].max() < 0.5


def test_flags_of_odd_targets():
    flat = one(np.full((50, 50), 9, np.uint8), (20, 20))
    assert flat.flags == ("empty", "low_contrast")
    assert flat.area == 1
    assert flat.quality == 0
    stripe = np.zeros((90, 90))
    stripe[40:50] = 100.0  # its contour runs out of the window on both sides
    assert "empty" in one(stripe, (45, 45)).flags
    assert one(stripe, (45, 45)).area == 1


def test_windows_are_cut_off_at_the_image():
    scene = draw_scene(3, (64, 64), n_targets=1, contrast=15.0)
    corner = one(scene.image, (0, 63))
    assert corner.origin == (0, 43)
    assert corner.mask.shape == (21, 21)
    middle = one(scene.image, (32, 32))
    assert middle.origin == (12, 12)
    assert middle.mask.shape == (41, 41)
    assert one(scene.image, (32, 32), window_px=11).mask.shape == (11, 11)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_px": 40}, "ComParams.window_px must be odd, got 40"),
        ({"window_px": 7}, r"ComParams.window_px must lie in \[9, 257\], got 7"),
        ({"start": 256.0}, r"ComParams.start must lie in \[0, 255\], got 256"),
        ({"regularity": 0.06}, r"ComParams.regularity must lie in \[0, 0.05\], got 0.06"),
        ({"time_step": 0.0}, r"ComParams.time_step must lie in \[1e-06, 100\], got 0"),
        ({"n_inner": 0}, r"ComParams.n_inner must lie in \[1, 10000\], got 0"),
        ({"sigma_px": 0.1}, r"ComParams.sigma_px must lie in \[0.3, 10\], got 0.1"),
    ],
)
def test_parameters_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        get_method("com").params(**changes)


@pytest.mark.parametrize(("name", "every", "least"), [("SIRST-v1", 1, 0.538), ("IRSTD-1k", 5, 0.46)])
def test_real_images_give_the_iou_of_the_published_masks(data, name, every, least):
    shared, union = 0, 0
    for image, points, mask, _ in real_samples(data / name, every=every):
        found = annotate(image, points, method="com").mask()
        shared += int((found & mask).sum())
        union += int((found | mask).sum())
    assert shared / union >= least
