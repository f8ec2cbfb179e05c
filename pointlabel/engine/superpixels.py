"""The superpixel prior C_p of "Diffuse to Detect" (arXiv 2605.20766), eq. (4): SLIC, the point's cell, its sources.

R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Süsstrunk, "SLIC Superpixels Compared to State-of-the-Art
Superpixel Methods", IEEE TPAMI 34(11), 2012.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._superpixel_kernels import connected_kernel, slic_kernel, source_kernel
from .conductance import SCALE

#: Clusters are kept as bits of an int32, which come in fours.
MAX_CLUSTERS = 28


def grow_superpixels(
    units: NDArray[np.int32],
    pixel: tuple[int, int],
    *,
    n_segments: int = 16,
    compactness: float = 0.32,
    n_iter: int = 10,
    point_seed: bool = False,
) -> NDArray[np.int32]:
    """Cluster a rescaled window by intensity and position (SLIC).

    Parameters
    ----------
    units : (h, w) int32 in 0 .. 2^20, from `rescale_window`.
    pixel : (row, column) of the point.
    n_segments : about how many clusters, laid out on a symmetric grid; at most 25.
    compactness : weight of the distance in grid steps against the difference in intensity in [0, 1].
    n_iter : largest number of iterations; they end as soon as no pixel changes.
    point_seed : start one more cluster at the point.

    Returns
    -------
    (h, w) int32, one bit for each cluster. A pixel as near to several clusters as to one has a bit for each: no other
    rule for ties would survive a flip of the window.

    Unlike scikit-image's `slic` each cluster competes for every pixel of the window, and small parts are not merged.
    """
    height, width = units.shape
    if not 1 <= n_segments <= 25:
        raise InputError(f"n_segments must lie in [1, 25], got {n_segments}")
    side = math.sqrt(height * width / n_segments)
    n_rows = min(max(round(height / side), 1), height)
    n_columns = min(max(round(width / side), 1), width)
    most = (MAX_CLUSTERS - 1) // min(n_rows, n_columns)
    n_rows, n_columns = min(n_rows, most), min(n_columns, most)  # fewer along the longer side of an oblong window
    owners = np.empty(units.shape, np.int32)
    slic_kernel(units, SCALE, n_rows, n_columns, pixel[0], pixel[1], point_seed, float(compactness), n_iter, owners)
    return owners


def cell_of(owners: NDArray[np.int32], pixel: tuple[int, int]) -> NDArray[np.bool_]:
    """C_p: the 8-connected part, holding the point, of the pixels that share a cluster with it, (h, w) bool."""
    cell = np.empty(owners.shape, np.bool_)
    connected_kernel((owners & owners[pixel]) != 0, pixel[0], pixel[1], cell)
    return cell


def place_sources(
    units: NDArray[np.int32],
    cell: NDArray[np.bool_],
    pixel: tuple[int, int],
    *,
    n_maxima: int = 5,
    n_std: float = 1.5,
    half_px: int = 3,
) -> NDArray[np.float32]:
    """One unit of heat on the point and on the local maxima of its cell, (h, w) float32.

    Parameters
    ----------
    units, cell : the rescaled window and the cell of the point.
    n_maxima : at most so many maxima, the brightest first; those that tie for the last place all count.
    n_std : maxima lie above the cell's mean plus so many standard deviations.
    half_px : a maximum is the largest of the (2 half_px + 1)^2 pixels around it.
    """
    source = np.empty(units.shape, np.float32)
    source_kernel(units, cell, pixel[0], pixel[1], n_maxima, float(n_std), half_px, source)
    return source
