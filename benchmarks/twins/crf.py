"""The dense CRF composed of numpy calls: the matrix of all pairs, its distances kept from window to window."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

CLIP = 1e-5


def refine_crf(
    probability: NDArray[np.float64],
    grey: NDArray[np.uint8],
    *,
    n_iter: int = 5,
    spatial_px: float = 8.0,
    intensity: float = 10.0,
    compatibility: float = 110.0,
) -> NDArray[np.float64]:
    """As `pointlabel.engine.crf.refine_crf` without pairs of the distance alone."""
    first = np.clip(probability.ravel(), CLIP, 1 - CLIP)
    unary = np.log(first) - np.log1p(-first)
    by_step = np.exp(-1.5 * (np.arange(-255, 256) / intensity) ** 2)
    flat = grey.ravel().astype(np.int16)
    kernel = by_step[flat[:, None] - flat + 255]
    kernel *= _near(*grey.shape, spatial_px)
    norm = 1 / np.sqrt(kernel.sum(axis=1))
    score = unary
    for _ in range(n_iter):
        score = unary + compatibility * norm * (kernel @ (norm * np.tanh(0.5 * score)))
    return (0.5 + 0.5 * np.tanh(0.5 * score)).reshape(grey.shape)


@cache
def _near(height: int, width: int, spatial_px: float) -> NDArray[np.float64]:
    rows, columns = np.indices((height, width)).reshape(2, -1)
    return np.exp(-0.5 * ((rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2) / spatial_px**2)
