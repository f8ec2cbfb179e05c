"""Sums over all pairs of points under a Gaussian, approximated on the permutohedral lattice (Adams et al., 2010)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Odd numbers of 64 bits, one a coordinate: a vertex is known by the sum of its coordinates times these, modulo 2^64,
#: so that a neighbour's number follows by an addition. Two of 10,000 vertices share one with a chance of 1e-11.
_KEYS = np.random.default_rng(0).integers(2**63, size=16, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


class Lattice:
    """Permutohedral lattice of n points of d numbers, for sums of values under exp(-|f_i - f_j|^2 / 2).

    Values are given to the d + 1 vertices of the simplex that holds their point, blurred along the d + 1 axes of the
    lattice, and read at the points again. The result is some per cent off the exact sums, and by more where points are
    far apart: what a vertex without points would pass on is lost.

    A. Adams, J. Baek and M. A. Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Computer
    Graphics Forum 29(2), 2010.

    Parameters
    ----------
    features : (n, d) points, in standard deviations of the Gaussian; d from 1 to 16.
    """

    def __init__(self, features: NDArray[np.float64]) -> None:
        n, d = features.shape
        rows = np.arange(n)[:, None]
        lifted = _lift(features)
        origin, rank = _simplex(lifted)
        # Weights: differences of neighbouring coordinates in the order of their ranks.
        share = np.empty((n, d + 1))
        share[rows, d - rank] = (lifted - origin) / (d + 1)
        self._weights = share - np.roll(share, 1, axis=1)
        self._weights[:, 0] += 1.0
        # Vertex r lies r steps from the origin: coordinates of rank above d - r have stepped down by d + 1.
        keys = _KEYS[:d]
        step = np.arange(d + 1)[:, None]
        vertices = origin[:, None, :d] + step - (d + 1) * (rank[:, None, :d] > d - step)
        names, places = np.unique((vertices.astype(np.int64).view(np.uint64) * keys).sum(axis=2), return_inverse=True)
        self._places = places.reshape(n, d + 1)
        self._size = names.size
        along = (np.full((d + 1, d), -1) + (d + 1) * np.eye(d + 1, d, dtype=np.int64)).view(np.uint64)
        offsets = (along * keys).sum(axis=1)
        self._neighbours = [(_find(names, names + offset), _find(names, names - offset)) for offset in offsets]

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """About sum_j exp(-|f_i - f_j|^2 / 2) values_j at every point i, (n,), times a factor that d alone decides."""
        given = (self._weights * values[:, None]).ravel()
        held = np.bincount(self._places.ravel(), given, self._size + 1).astype(np.float64, copy=False)
        for ahead, behind in self._neighbours:
            held[:-1] += 0.5 * (held[ahead] + held[behind])
        return (self._weights * held[self._places]).sum(axis=1)


def _lift(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on the hyperplane of d + 1 coordinates that add up to 0, scaled so that one blur has deviation 1."""
    n, d = features.shape
    index = np.arange(1, d + 1)
    scaled = features * (np.sqrt(2.0 / 3.0) * (d + 1) / np.sqrt(index * (index + 1)))
    out = np.zeros((n, d + 1))
    out[:, :-1] = np.cumsum(scaled[:, ::-1], axis=1)[:, ::-1]
    out[:, 1:] -= index * scaled
    return out


def _simplex(lifted: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Simplex around each point: its vertex of remainder 0, and each coordinate's rank by how far it lies beyond."""
    d = lifted.shape[1] - 1
    origin = np.rint(lifted / (d + 1)) * (d + 1)
    order = np.argsort(origin - lifted, axis=1, kind="stable")
    rank = np.argsort(order, axis=1) + np.rint(origin.sum(axis=1, keepdims=True) / (d + 1)).astype(np.int64)
    # Rounding each coordinate alone can leave the hyperplane; those that were rounded most turn back.
    origin += (d + 1) * (rank < 0) - (d + 1) * (rank > d)
    return origin, rank % (d + 1)


def _find(names: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Place of each number in the sorted `names`, and `names.size` where it is not there."""
    place = np.searchsorted(names, wanted)
    there = names[np.minimum(place, names.size - 1)] == wanted
    return np.where(there, place, names.size)
