"""The dense CRF in numpy, twice: as its equations read, and with every saving that numpy allows."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

CLIP = 1e-5


def refine_crf_plain(
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
    """As `baselines.crf.mean_field.refine_crf`: all pairs in one matrix for each of the two terms, mean field."""
    first = np.clip(probability.ravel(), CLIP, 1 - CLIP)
    energy = np.stack([-np.log(1 - first), -np.log(first)])
    rows, columns = np.indices(grey.shape).reshape(2, -1).astype(float)
    flat = grey.ravel().astype(float)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    step = (flat[:, None] - flat) ** 2
    terms = [(compatibility, np.exp(-distance / (2 * spatial_px**2) - 3 * step / (2 * intensity**2)))]
    if smooth_compatibility:
        terms.append((smooth_compatibility, np.exp(-distance / (2 * smooth_px**2))))
    pairs = []
    for weight, kernel in terms:
        norm = kernel.sum(axis=1) ** -0.5
        pairs.append((weight, norm[:, None] * kernel * norm))
    belief = np.exp(-energy) / np.exp(-energy).sum(axis=0)
    for _ in range(n_iter):
        score = -energy
        for weight, kernel in pairs:
            score = score + weight * (belief @ kernel)
        belief = np.exp(score - score.max(axis=0))
        belief /= belief.sum(axis=0)
    return belief[1].reshape(grey.shape)


def refine_crf(
    probability: NDArray[np.float64],
    grey: NDArray[np.uint8],
    *,
    n_iter: int = 5,
    spatial_px: float = 8.0,
    intensity: float = 10.0,
    compatibility: float = 110.0,
) -> NDArray[np.float64]:
    """`refine_crf_plain` with a table of grey steps, distances kept from window to window, and one BLAS call a step."""
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
