"""The refinement of the default method: what the perceptron sees of all pixels near the vote, and its layers."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from pointlabel.engine.default.weights import RefineWeights

OFFSETS = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
ORBITS = [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]
ORBIT_OF = np.array([ORBITS.index((min(abs(y), abs(x)), max(abs(y), abs(x)))) for y, x in OFFSETS])
AVERAGE = (np.arange(6)[:, None] == ORBIT_OF) / np.bincount(ORBIT_OF)[:, None]


def near_vote(field: NDArray, inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels within 2 px of a vote of 0.02, and those within 3 px that have less."""
    voted = field >= 0.02
    return ndimage.maximum_filter(voted, 5) & inside, ndimage.maximum_filter(voted, 7) & ~voted & inside


def relative(field: NDArray, core: NDArray, ring: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Brightness: 0 at the ring's mean, 1 at the mean weighted by the vote."""
    low = core[ring].mean() if ring.any() else 0.0
    weight = field.astype(np.float64)
    high = (weight * core).sum() / weight.sum() if weight.any() else 0.0
    return np.clip((core - low) / max(high - low, 1.0), -1, 2)


def inputs(
    listed: NDArray[np.bool_],
    field: NDArray,
    relative: NDArray,
    level_of: NDArray,
    rests: NDArray,
    levels: NDArray,
    log_area: float,
) -> NDArray[np.float64]:
    """Inputs of the perceptron at each listed pixel, in the order of reading."""
    rows, columns = np.nonzero(listed)
    half, last = len(field) // 2, len(rests) - 1
    bright = sliding_window_view(np.pad(relative, 2, mode="edge"), (5, 5))[rows, columns]
    votes = sliding_window_view(np.pad(field, 2), (5, 5))[rows, columns].reshape(-1, 25)
    own, small, flat = bright[:, 2, 2], bright[:, 1:4, 1:4].reshape(-1, 9), bright.reshape(-1, 25)
    reached = np.append(levels, 0.0)[level_of[np.minimum(range(3), last)][:, rows, columns]]
    two = rests[[0, min(2, last)]]
    heights = np.clip(two[:, rows, columns] / np.maximum(two[:, half, half], 1.0)[:, None], -1, 2)
    down, across = (bright[:, 3, 2] - bright[:, 1, 2]) / 2, (bright[:, 2, 3] - bright[:, 2, 1]) / 2
    y, x = rows - half, columns - half
    distance = np.hypot(y, x)
    rest = [
        small.max(axis=1) - own, own - small.min(axis=1), flat.max(axis=1) - own, own - flat.min(axis=1),
        np.hypot(down, across), (down * y + across * x) / np.maximum(distance, 1.0), distance / np.exp(log_area / 2),
    ]  # fmt: skip
    return np.concatenate([votes @ AVERAGE.T, flat @ AVERAGE.T, reached.T, heights.T, np.stack(rest, axis=1)], axis=1)


def perceptron(inputs: NDArray, votes: NDArray, extra: NDArray, weights: RefineWeights) -> NDArray[np.float64]:
    """Two hidden layers of x sigmoid(x) by matrix products, in float64."""
    both = np.concatenate([inputs, np.broadcast_to(extra, (len(inputs), len(extra)))], axis=1).astype(np.float64)
    z = np.clip((both - weights.centre) / weights.deviation, -5, 5)
    (w1, b1), (w2, b2), (w3, b3) = weights.layers
    for w, b in ((w1, b1), (w2, b2)):
        z = z @ w + b
        z = z * expit(z)
    out: NDArray[np.float64] = expit((z @ w3)[:, 0] + b3[0] + 6 * (votes - 0.5))
    return out
