"""Candidates in torch are those of the Numba kernels, whatever the image."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from pointlabel._checks import pixel_of
from pointlabel.engine.default.regions import SCALES
from pointlabel.engine.torch.batch import WindowBatch
from pointlabel.engine.torch.label import grow_candidates
from pointlabel.engine.torch.regions import flood, grow_windows
from pointlabel.engine.torch.window import Spot, cut_windows, gather_parts, nth_smallest
from pointlabel.methods.peaks import find_peak
from pointlabel.synthetic import draw_scene
from tests.real_data import real_samples

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def grow(spots: list[Spot], stride: int = 1, n_scales: int = 4, *, compiled: bool = False) -> WindowBatch:
    return grow_candidates(spots, stride, n_scales, CPU, compiled=compiled)


def assert_equal(spots: list[Spot], stride: int, n_scales: int) -> None:
    """Everything whole is equal; the features differ by a last digit of their logarithms at most."""
    ours, theirs = grow(spots, stride, n_scales), grow(spots, stride, n_scales, compiled=True)
    for field in fields(ours):
        one, other = getattr(ours, field.name), getattr(theirs, field.name)
        assert one.dtype == other.dtype, field.name
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12 if field.name == "features" else 0)


def spots_of_scene(seed: int) -> list[Spot]:
    scene = draw_scene(seed=seed, shape=(96, 128), n_targets=3, background="cloud")
    return [(scene.image, find_peak(scene.image, pixel)) for pixel in pixel_of(scene.points, scene.image.shape)]


@pytest.mark.parametrize(("stride", "n_scales"), [(1, 4), (1, 1), (2, 2), (4, 3)])
def test_drawn_scenes(stride, n_scales):
    assert_equal(spots_of_scene(3), stride, n_scales)


def odd_spots() -> list[Spot]:
    image = draw_scene(seed=8, shape=(70, 90), n_targets=1).image
    holes = image.astype(np.float32)
    holes[:7, :9] = np.nan
    holes[20, 30] = np.inf
    return [
        (image, (0, 0)),
        (image, (69, 89)),
        (image, (0, 44)),
        (holes, (10, 12)),
        (holes, (2, 3)),
        (np.full((40, 40), np.nan), (20, 20)),
        (np.zeros((5, 9)), (2, 3)),
        (np.arange(12).reshape(3, 4).astype(np.uint16), (2, 3)),
        (np.arange(300).reshape(1, 300).astype(np.uint64), (0, 299)),
        (-image.astype(np.int64) * 10**9, (30, 40)),
    ]


@pytest.mark.parametrize("stride", [1, 2])
def test_borders_holes_flat_and_tiny_images(stride):
    assert_equal(odd_spots(), stride, 4)


def test_real_images(data):
    for name in ("SIRST-v1", "NUDT-SIRST", "IRSTD-1k"):
        spots = []
        for image, points, _, _ in real_samples(data / name, every=60):
            spots += [(image, find_peak(image, pixel)) for pixel in pixel_of(points, (image.shape[0], image.shape[1]))]
        assert len(spots) >= 3
        assert_equal(spots[:12], 1, 4)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_order_statistics_are_those_of_a_sort(seed, size):
    values = torch.from_numpy(np.random.default_rng(seed).integers(-9, 250, (5, size)).astype(np.int16))
    for rank in {1, (size + 1) // 2, size}:
        found = nth_smallest(values, rank, n_bits=9, lowest=-9) - 9
        torch.testing.assert_close(found, values.sort(1).values[:, rank - 1].int())


def test_a_flood_finds_the_end_of_a_labyrinth():
    own = np.full((65, 65), 4, np.uint8)
    own[::2] = 1  # corridors, joined at alternate ends
    own[1::4, 64] = own[3::4, 0] = 2
    own[32, 32] = 3  # the peak belongs whatever its own level
    level_of = flood(torch.from_numpy(own)[None], 4)[0].numpy()
    assert (level_of[32, [0, 31, 33, 64]] == 1).all()
    assert level_of[32, 32] == 0
    assert (level_of[::2][np.arange(33) != 16] == 2).all()
    assert (level_of[1::4, :63] == 4).all()


class Waits(TorchDispatchMode):
    """Counts the operations by which the host waits for what the device found."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func.overloadpacket.__name__ in ("_local_scalar_dense", "nonzero", "equal", "item")
        return func(*args, **(kwargs or {}))


def test_the_host_waits_as_often_for_many_windows_as_for_few():
    counts = []
    for spots in (spots_of_scene(3)[:1], spots_of_scene(3)[:1] * 6):
        with Waits() as waits:
            grow(spots)
        counts.append(waits.n)
    assert counts[0] == counts[1] > 0


def test_one_window_or_many_give_the_same():
    spots = spots_of_scene(4)
    together = grow(spots)
    for k, spot in enumerate(spots):
        alone = grow([spot])
        assert torch.equal(alone.level_of[0], together.level_of[k])
        assert torch.equal(alone.features[0], together.features[k])


def test_grow_windows_leaves_its_windows_alone():
    windows = cut_windows(gather_parts(spots_of_scene(5), 1, CPU), 1)
    before = windows.units.clone()
    grow_windows(windows, SCALES)
    assert torch.equal(windows.units, before)
