"""Fixtures that more than one test file uses."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from pointlabel.synthetic import Scene, draw_scene

# The same examples in every run, so that a change passes or fails for what it changes; no clock on a shared machine.
settings.register_profile("pointlabel", derandomize=True, deadline=None)
settings.load_profile("pointlabel")

# A shell that starts the suite in the background has Ctrl-C ignored, and all that the tests start would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts alike in every test."""
    return np.random.default_rng(20240607)


@pytest.fixture
def scene() -> Scene:
    """A cloudy scene of 96 x 128 pixels with three targets well above the clutter."""
    return draw_scene(seed=5, shape=(96, 128), n_targets=3, background="cloud", contrast=(10.0, 15.0))


@pytest.fixture
def draw_dataset(tmp_path: Path) -> Callable[..., Path]:
    """A function (name, n_images) that writes drawn scenes as a data set: images, masks, both kinds of points."""

    def draw(name: str = "drawn", n_images: int = 3) -> Path:
        folder = tmp_path / name
        for part in ("images", "masks", "masks_centroid", "masks_coarse"):
            (folder / part).mkdir(parents=True)
        for k in range(n_images):
            drawn = draw_scene(seed=k, shape=(64, 80), n_targets=2)
            points = np.zeros(drawn.mask.shape, bool)
            points[tuple(drawn.points.astype(int).T)] = True
            parts = {"images": drawn.image, "masks": drawn.mask, "masks_centroid": points, "masks_coarse": points}
            for part, pixels in parts.items():
                grey = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
                Image.fromarray(grey).save(folder / part / f"{k}.png")
        return folder

    return draw


@pytest.fixture
def data() -> Path:
    """The folder with the real data sets, from POINTLABEL_DATA; the test is skipped without it."""
    place = os.environ.get("POINTLABEL_DATA")
    if not place:
        pytest.skip("POINTLABEL_DATA does not name a folder of data sets")
    folder = Path(place)
    assert folder.is_dir(), f"POINTLABEL_DATA names {place}, which is not a folder"
    return folder
