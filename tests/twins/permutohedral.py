"""The permutohedral lattice point by point, its vertices in a dictionary."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def lattice_sum(features: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Splat, blur along each axis in turn, slice: (n,) for features (n, d) and values (n,)."""
    d = features.shape[1]
    simplices = [simplex(point) for point in features]
    held: dict[tuple[int, ...], float] = {}
    for corners, value in zip(simplices, values, strict=True):
        for vertex, weight in corners:
            held[vertex] = held.get(vertex, 0.0) + weight * value
    for axis in range(d + 1):
        step = [-1] * (d + 1)
        step[axis] = d
        held = {
            vertex: own
            + 0.5 * held.get(tuple(a + b for a, b in zip(vertex, step, strict=True)), 0.0)
            + 0.5 * held.get(tuple(a - b for a, b in zip(vertex, step, strict=True)), 0.0)
            for vertex, own in held.items()
        }
    return np.array([sum(weight * held[vertex] for vertex, weight in corners) for corners in simplices])


def simplex(point: NDArray[np.float64]) -> list[tuple[tuple[int, ...], float]]:
    """The d + 1 vertices around a point, coordinates that add up to 0, with their weights."""
    d = len(point)
    lifted = [0.0] * (d + 1)
    for k in range(1, d + 1):  # the k-th basis vector: k ones, then -k, then zeros
        length = math.sqrt(2 / 3) * (d + 1) * point[k - 1] / math.sqrt(k * (k + 1))
        for m in range(k):
            lifted[m] += length
        lifted[k] -= k * length
    # The vertex of remainder 0: multiples of d + 1 that add up to 0 and are nearest.
    origin = [(d + 1) * round(x / (d + 1)) for x in lifted]
    while sum(origin) > 0:
        k = min(range(d + 1), key=lambda m: (lifted[m] - origin[m], -m))
        origin[k] -= d + 1
    while sum(origin) < 0:
        k = max(range(d + 1), key=lambda m: (lifted[m] - origin[m], -m))
        origin[k] += d + 1
    beyond = [x - o for x, o in zip(lifted, origin, strict=True)]
    order = sorted(range(d + 1), key=lambda m: -beyond[m])
    out = []
    for remainder in range(d + 1):
        vertex = [o + remainder for o in origin]
        for k in order[d + 1 - remainder :]:  # the last coordinates step back, so that the sum stays 0
            vertex[k] -= d + 1
        if remainder:
            weight = (beyond[order[d - remainder]] - beyond[order[d + 1 - remainder]]) / (d + 1)
        else:
            weight = 1 - (beyond[order[0]] - beyond[order[d]]) / (d + 1)
        out.append((tuple(vertex), weight))
    return out
