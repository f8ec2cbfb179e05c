"""Targets of a mask: its 8-connected components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Components:
    """The 8-connected components of a mask, ordered by their first pixel in reading order.

    Attributes
    ----------
    labels : (H, W) int32, 0 for background, k + 1 for component k.
    areas : (K,) int64, pixels.
    centroids : (K, 2) float64, mean (row, column) of the pixels.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.int64]
    centroids: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.areas)

    def pixels(self) -> list[NDArray[np.int64]]:
        """Pixels of each component, (area, 2) as (row, column) in reading order; one pass for all of them."""
        spots = np.argwhere(self.labels)
        order = np.argsort(self.labels[tuple(spots.T)], kind="stable")
        return np.split(spots[order], np.cumsum(self.areas)[:-1]) if len(self) else []


def find_components(mask: NDArray[np.bool_]) -> Components:
    """Find the components of a mask, (H, W) bool; the time beyond one pass grows with the mask's area only."""
    from scipy import ndimage  # not at the top: most runs over a folder start without it

    labels, n = ndimage.label(mask, _EIGHT)
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns]
    # scipy does not promise an order, and the published matching depends on it.
    _, first = np.unique(numbers, return_index=True)
    rank = np.zeros(n + 1, np.int32)
    rank[numbers[np.sort(first)]] = np.arange(1, n + 1)
    ranked = rank[numbers]
    labels = labels.astype(np.int32, copy=False)
    labels[rows, columns] = ranked
    areas = np.bincount(ranked, minlength=n + 1)[1:]
    sums = [np.bincount(ranked, weights=axis, minlength=n + 1)[1:] for axis in (rows, columns)]
    return Components(labels, areas, np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None])
