"""Bright or dark: which sign a target's contrast has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._checks import pixel_of

POLARITIES = ("bright", "dark", "auto")


def invert(image: NDArray) -> NDArray:
    """Turn dark targets into bright ones without loss of depth, for any real dtype."""
    if image.dtype.kind == "u":
        return np.iinfo(image.dtype).max - image
    if image.dtype.kind == "i":
        return -1 - image  # the bitwise complement: no overflow at the smallest value
    return -image


def choose_polarity(image: NDArray, points: NDArray[np.float64], polarity: str | Sequence[str]) -> NDArray[np.bool_]:
    """Whether each point's target is taken as dark, (N,) bool.

    `polarity` is one of `POLARITIES` for all points, or one for each. ``"auto"`` compares the pixels within 1 px of the
    point with the ring 6 to 9 px away: the target is dark where the extreme below the ring's median lies farther from
    it than the extreme above.
    """
    if isinstance(polarity, str):
        dark, auto = np.full(len(points), polarity == "dark"), np.full(len(points), polarity == "auto")
    else:
        dark = np.array([each == "dark" for each in polarity], bool)
        auto = np.array([each == "auto" for each in polarity], bool)
    if not auto.any():
        return dark
    height, width = image.shape
    for index, (row, column) in enumerate(pixel_of(points, (height, width)).tolist()):
        if not auto[index]:
            continue
        window = image[max(row - 9, 0) : row + 10, max(column - 9, 0) : column + 10].astype(np.float64)
        rows = np.abs(np.arange(max(row - 9, 0), min(row + 10, height)) - row)[:, None]
        columns = np.abs(np.arange(max(column - 9, 0), min(column + 10, width)) - column)
        distance = np.maximum(rows, columns)
        finite = np.isfinite(window)
        ring, core = window[(distance >= 6) & finite], window[(distance <= 1) & finite]
        if ring.size and core.size:
            level = np.median(ring)
            dark[index] = level - core.min() > core.max() - level
    return dark
