"""Contrast-limited adaptive histogram equalisation (CLAHE), the step before eq. (2) in the published pipeline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.conductance import SCALE, grey_levels

N_GREY = 256


def equalise(grey: NDArray[np.uint8], *, clip: float = 1.0, n_tiles: int = 4) -> NDArray[np.uint8]:
    """Equalise the contrast of an 8-bit image tile by tile, with clipped histograms.

    Parameters
    ----------
    grey : (h, w) uint8.
    clip : a grey level counts at most ``max(1, floor(clip * pixels of the tile / 256))`` times; what is cut off is
        shared out evenly among all levels.
    n_tiles : tiles on each axis.

    Returns
    -------
    (h, w) uint8, a new array. Between the tiles' centres the four nearest curves are blended bilinearly.

    OpenCV's CLAHE, which the published code calls, pads an image whose sides are no multiples of `n_tiles` on the right
    and at the bottom. Here neighbouring tiles share the row or column that the cut falls into, so that a flipped image
    gives the flipped result bit for bit; on sides that are multiples of `n_tiles` the tiles are the same.

    Reference: K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """
    height, width = grey.shape
    n_rows, n_columns = min(n_tiles, height), min(n_tiles, width)
    curves = np.empty((n_rows, n_columns, N_GREY), np.int64)
    for a in range(n_rows):
        rows = slice(a * height // n_rows, -(-(a + 1) * height // n_rows))
        for b in range(n_columns):
            columns = slice(b * width // n_columns, -(-(b + 1) * width // n_columns))
            curves[a, b] = _curve(grey[rows, columns], clip)
    above, below, weight_below = _neighbours(height, n_rows)
    left, right, weight_right = _neighbours(width, n_columns)
    above, below, weight_below = above[:, None], below[:, None], weight_below[:, None]
    weight_above, weight_left = 2 * height - weight_below, 2 * width - weight_right
    total = (
        curves[above, left, grey] * (weight_above * weight_left)
        + curves[above, right, grey] * (weight_above * weight_right)
        + curves[below, left, grey] * (weight_below * weight_left)
        + curves[below, right, grey] * (weight_below * weight_right)
    )
    whole = 4 * height * width
    return ((total + whole // 2) // whole).astype(np.uint8)


def equalise_window(units: NDArray[np.int32], *, clip: float = 1.0, n_tiles: int = 4) -> NDArray[np.int32]:
    """`equalise` for a rescaled window: 0 .. 2^20 becomes 256 grey levels and back, (h, w) int32."""
    return equalise(grey_levels(units), clip=clip, n_tiles=n_tiles).astype(np.int32) * SCALE // (N_GREY - 1)


def _curve(tile: NDArray[np.uint8], clip: float) -> NDArray[np.int64]:
    """Map of grey levels that flattens the tile's clipped histogram, (256,)."""
    counts = np.bincount(tile.ravel(), minlength=N_GREY)
    limit = max(int(clip * tile.size / N_GREY), 1)
    excess = int(np.maximum(counts - limit, 0).sum())
    counts = np.minimum(counts, limit) + excess // N_GREY
    rest = excess % N_GREY
    if rest:
        counts[:: max(N_GREY // rest, 1)][:rest] += 1
    return np.minimum((np.cumsum(counts) * (N_GREY - 1) + tile.size // 2) // tile.size, N_GREY - 1)


def _neighbours(size: int, n_tiles: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Tiles whose centres enclose each pixel, and the later one's weight in parts of 2 size."""
    place = (2 * np.arange(size) + 1) * n_tiles - size
    before = place // (2 * size)
    return np.clip(before, 0, n_tiles - 1), np.clip(before + 1, 0, n_tiles - 1), place - before * 2 * size
