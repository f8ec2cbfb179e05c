"""Slow twin of M as the published code of the bi-level method has it: one map, composed of scipy's filters, float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

Array = NDArray[np.float64]


def diffused(y: Array, *, d0: float, beta: float, alpha: float, rho: float) -> Array:
    """M of a map of probabilities; all beyond the border is 0."""
    border = {"mode": "constant", "cval": 0.0}
    gradient = np.hypot(ndimage.sobel(y, 0, **border), ndimage.sobel(y, 1, **border))
    mean = np.clip(ndimage.uniform_filter(y, 7, **border), 1e-4, 1 - 1e-4)
    texture = alpha * gradient + (1 - alpha) * (special.entr(mean) + special.entr(1 - mean)) / math.log(2)
    rate = d0 * np.exp(-beta * (texture - texture.mean()) / max(texture.std(ddof=1), 1e-4))
    heat = y
    for _ in range(3):
        heat = heat + 0.15 * np.maximum(rate, 1e-4) * ndimage.laplace(heat, **border)
    bar = sorted(y.ravel())[-max(int(y.size / 200), 1)]
    peaks = np.maximum(y - bar, 0)
    source = ndimage.uniform_filter(peaks / (peaks.max() + 1e-6), 3, **border)
    return special.expit(rho * np.clip(heat, 0, 1) + (1 - rho) * np.clip(source, 0, 1) - 0.15 * gradient)
