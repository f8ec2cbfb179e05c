"""The dense CRF of two labels with the matrix of all pairs in numpy."""

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
    smooth_px: float = 3.0,
    smooth_compatibility: float = 0.0,
) -> NDArray[np.float64]:
    """As `baselines.crf.mean_field.refine_crf`; by the score, the logit q of the target: 2 q - 1 = tanh(score / 2).

    Three equal channels of grey levels; their differences come out of a table, distances are kept from call to call.
    """
    first = np.clip(probability.ravel(), CLIP, 1 - CLIP)
    unary = np.log(first) - np.log1p(-first)
    flat = grey.ravel().astype(np.int16)
    by_step = np.exp(-1.5 * (np.arange(-255, 256) / intensity) ** 2)
    pairs = by_step[flat[:, None] - flat + 255]
    pairs *= _near(*grey.shape, spatial_px)
    terms = [(compatibility, pairs)]
    if smooth_compatibility:
        terms.append((smooth_compatibility, _near(*grey.shape, smooth_px)))
    normalised = [(weight, matrix, 1 / np.sqrt(matrix.sum(axis=1))) for weight, matrix in terms]
    score = unary
    for _ in range(n_iter):
        belief = np.tanh(0.5 * score)
        score = unary + sum(weight * norm * (matrix @ (norm * belief)) for weight, matrix, norm in normalised)
    return (0.5 + 0.5 * np.tanh(0.5 * score)).reshape(grey.shape)


@cache
def _near(height: int, width: int, spatial_px: float) -> NDArray[np.float64]:
    rows, columns = np.indices((height, width)).reshape(2, -1)
    return np.exp(-0.5 * ((rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2) / spatial_px**2)
