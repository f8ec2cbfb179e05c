"""Pair sums of the dense CRF through modes: few where the Gaussian of the distance is wide beside the window.

A Gaussian of the distance on a grid of pixels is a symmetric matrix, the product of one for rows and one for columns.
All but few of its eigenvalues vanish, so that exp(-|p_i - p_j|^2 / (2 s^2)) = sum_r m_ir m_jr with few modes m. The sum
over all pixels j is then one over the modes and the grey levels, whatever the number of pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ._mode_kernels import LEAST

#: The number of modes is filled up to a multiple of this, so that whole vectors are added.
LANES = 8

#: Most modes a pixel of the window. With more of them the sum over the pixels themselves is the faster one.
MOST = 1 / 4


@lru_cache(maxsize=256)
def modes_of(height: int, width: int, deviation_px: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Modes of the Gaussian of the distance on a grid, as products: m_r at (y, x) is rows[y, r] columns[x, r].

    Returns
    -------
    (height, R) and (width, R) float64, the largest mode first, then zeros up to a multiple of `LANES`; R is 0 where the
    modes are too many to be worth their while.
    """
    row_values, row_vectors = _eigen(height, deviation_px)
    column_values, column_vectors = _eigen(width, deviation_px)
    shares = np.outer(row_values, column_values)
    order = np.argsort(-shares, axis=None)
    kept = order[shares.ravel()[order] > LEAST * shares.max()]
    if kept.size > MOST * shares.size:
        return np.zeros((height, 0)), np.zeros((width, 0))
    first, second = np.unravel_index(kept, shares.shape)
    fill = ((0, 0), (0, -kept.size % LANES))
    rows = np.pad(row_vectors[:, first] * np.sqrt(row_values[first]), fill)
    columns = np.pad(column_vectors[:, second] * np.sqrt(column_values[second]), fill)
    return np.ascontiguousarray(rows), np.ascontiguousarray(columns)


@lru_cache(maxsize=256)
def _eigen(size: int, deviation_px: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues, none below 0, and eigenvectors of the Gaussian of the distance of `size` places in a row."""
    places = np.arange(size)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * ((places[:, None] - places) / deviation_px) ** 2))
    return np.maximum(values, 0.0), vectors
