"""Monte Carlo linear clustering: its salt number by number, the rest composed of scikit-image and numpy calls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import slic

from tests.twins.crf import refine_crf

N_REPEATS, DENSITY, N_SEGMENTS, COMPACTNESS = 50, 0.05, 9, 20.0
#: Largest area of a size class and how far its window reaches, in the middle of the published range.
CLASSES = ((9, 4), (81, 10), (np.inf, 20))


def salt(state: int, n: int, density: float) -> tuple[int, list[int]]:
    """Chosen ones of `n` places and the generator's next state: SplitMix64 in whole numbers, geometric gaps."""
    hits: list[int] = []
    place = -1
    most = 2**64
    while True:
        state = (state + 0x9E3779B97F4A7C15) % most
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % most
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % most
        z ^= z >> 31
        place += 1 + math.floor(math.log(((z >> 11) + 1) / 2**53) / math.log(1 - density))
        if place >= n:
            return state, hits
        hits.append(place)


def noisy_copies(grey: NDArray[np.uint8], state: int, n: int, density: float) -> Iterator[NDArray[np.float64]]:
    """Yield `n` copies of a window in three channels in [0, 1] with salt, drawn one after the other."""
    for _ in range(n):
        state, hits = salt(state, 3 * grey.size, density)
        copy = np.repeat(grey[..., None] / 255, 3, axis=-1)
        copy.reshape(-1)[hits] = 1
        yield copy


def votes(copies: Iterable[NDArray[np.float64]], here: tuple[int, int], n_segments: int) -> NDArray[np.int64]:
    """How many salted copies have each pixel in the point's superpixel, (h, w)."""
    cells = [slic(copy, n_segments=n_segments, compactness=COMPACTNESS) for copy in copies]
    return np.sum([cell == cell[here] for cell in cells], axis=0)


def label_mclc(image: NDArray, points: NDArray, areas: NDArray | None = None) -> NDArray[np.bool_]:
    """Masks of all points of one image, (H, W) bool; without `areas` windows are of a spot. Salt is numpy's."""
    out = np.zeros(image.shape, bool)
    rng = np.random.default_rng(0)
    for index, (row, column) in enumerate(np.ceil(points - 0.5).astype(int)):
        area = 81 if areas is None else areas[index]
        reach = next(px for most, px in CLASSES if area <= most)
        top, left = max(row - reach, 0), max(column - reach, 0)
        view = (slice(top, row + reach + 1), slice(left, column + reach + 1))
        grey = image[view].astype(np.uint8)
        clean = np.repeat((grey / 255)[..., None], 3, axis=-1)
        copies = np.where(rng.random((N_REPEATS, *clean.shape), np.float32) < DENSITY, 1.0, clean)
        share = votes(copies, (row - top, column - left), N_SEGMENTS) / N_REPEATS
        strengths = {"spatial_px": 32.0, "intensity": 13.0, "compatibility": 10.0}
        out[view] |= refine_crf(share, grey, n_iter=1, **strengths, smooth_px=3.0, smooth_compatibility=3.0) > 0.5
    return out
