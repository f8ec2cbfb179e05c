"""Monte Carlo linear clustering composed of scikit-image and numpy calls: what it costs without kernels of our own.

The published windows in the middle of their range, each by the target's true area. SLIC is scikit-image's; numpy draws
all of a target's salt at once. The CRF comes twice: a matrix of all pairs as its equations read, and one in single
precision whose two halves are looked up in tables and multiplied by BLAS.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import slic

from .crf import CLIP, refine_crf_plain

N_REPEATS, DENSITY, N_SEGMENTS, COMPACTNESS = 50, 0.05, 9, 20.0
SMOOTH_PX, SMOOTH_WEIGHT, WIDE_PX, INTENSITY, WIDE_WEIGHT = 3.0, 3.0, 32.0, 13.0, 10.0

#: Largest area of a size class and how far its window reaches.
CLASSES = ((9, 4), (81, 10), (np.inf, 20))


Sharpen = Callable[[NDArray[np.float64], NDArray[np.uint8]], NDArray[np.float64]]


def label_mclc(
    image: NDArray, points: NDArray, areas: NDArray | None = None, *, sharpen: Sharpen | None = None
) -> NDArray[np.bool_]:
    """Masks of all points of one image, (H, W) bool; without `areas` windows are of a Spot, the CRF the plain one."""
    refine = sharpen or sharpen_plain
    out = np.zeros(image.shape, bool)
    rng = np.random.default_rng(0)
    for index, (row, column) in enumerate(np.ceil(points - 0.5).astype(int)):
        area = 81 if areas is None else areas[index]
        reach = next(px for most, px in CLASSES if area <= most)
        top, left = max(row - reach, 0), max(column - reach, 0)
        view = (slice(top, row + reach + 1), slice(left, column + reach + 1))
        window = image[view].astype(np.uint8)
        out[view] |= refine(votes(window, (row - top, column - left), rng) / N_REPEATS, window) > 0.5
    return out


def votes(grey: NDArray[np.uint8], here: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """How many salted copies have each pixel in the point's superpixel, (h, w)."""
    total = np.zeros(grey.shape, int)
    clean = np.repeat((grey / 255)[..., None], 3, axis=-1)
    salted = rng.random((N_REPEATS, *clean.shape), np.float32) < DENSITY
    for salt in salted:
        cells = slic(np.where(salt, 1.0, clean), n_segments=N_SEGMENTS, compactness=COMPACTNESS)
        total += cells == cells[here]
    return total


def sharpen_plain(probability: NDArray[np.float64], grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """One iteration of mean field of the dense CRF as its equations read, (h, w) probability of the target."""
    return refine_crf_plain(
        probability,
        grey,
        n_iter=1,
        spatial_px=WIDE_PX,
        intensity=INTENSITY,
        compatibility=WIDE_WEIGHT,
        smooth_px=SMOOTH_PX,
        smooth_compatibility=SMOOTH_WEIGHT,
    )


@cache
def _near(height: int, width: int, spatial_px: float) -> NDArray[np.float32]:
    rows, columns = np.indices((height, width)).reshape(2, -1)
    distance2 = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    return np.exp(-0.5 * distance2 / spatial_px**2).astype(np.float32)


@cache
def _smooth(height: int, width: int) -> NDArray[np.float32]:
    """Pairs by the distance alone, normalised: the same for every window of a shape."""
    near = _near(height, width, SMOOTH_PX)
    norm = 1 / np.sqrt(near.sum(axis=1))
    return SMOOTH_WEIGHT * norm[:, None] * near * norm


#: Gaussian of the difference of two grey levels, by the difference as it is stored, modulo 2^16.
_STEPS = np.exp(-1.5 * (np.minimum(np.arange(65536), 65536 - np.arange(65536)) / INTENSITY) ** 2).astype(np.float32)


def sharpen_tuned(probability: NDArray[np.float64], grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """`sharpen_plain` with tables, kept distances and BLAS in single precision."""
    flat = grey.ravel().astype(np.uint16)
    pairs = _STEPS[flat[:, None] - flat]
    pairs *= _near(*grey.shape, WIDE_PX)
    norm = 1 / np.sqrt(pairs.sum(axis=1))
    inside = np.clip(probability.ravel(), CLIP, 1 - CLIP)
    unary = np.log(inside) - np.log1p(-inside)
    belief = (2 * inside - 1).astype(np.float32)
    score = unary + WIDE_WEIGHT * norm * (pairs @ (norm * belief)) + _smooth(*grey.shape) @ belief
    exact: NDArray = 1 / (1 + np.exp(-score))
    return exact.reshape(grey.shape)
