"""Slow, obvious twins of the kernels of Monte Carlo linear clustering: plain loops and whole matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def crf(
    probability: NDArray[np.float64],
    grey: NDArray[np.uint8],
    n_iter: int,
    bilateral: tuple[float, float, float],
    smooth: tuple[float, float],
) -> NDArray[np.float64]:
    """Dense CRF of two terms with the matrices of all pairs, both labels kept.

    `bilateral` is (pixels, grey levels, weight), `smooth` (pixels, weight).
    """
    rows, columns = np.indices(grey.shape).reshape(2, -1).astype(np.float64)
    colour = grey.ravel().astype(np.float64)
    wide, narrow = bilateral[0], smooth[0]
    terms = []
    for features, weight in (
        ([rows / wide, columns / wide, *[colour / bilateral[1]] * 3], bilateral[2]),
        ([rows / narrow, columns / narrow], smooth[1]),
    ):
        at = np.stack(features, axis=1)
        pairs = np.exp(-0.5 * ((at[:, None] - at[None]) ** 2).sum(axis=-1))
        norm = 1 / np.sqrt(pairs.sum(axis=1))
        terms.append(weight * norm[:, None] * pairs * norm)
    inside = np.clip(probability.ravel(), 1e-5, 1 - 1e-5)
    energy = -np.log(np.stack([1 - inside, inside]))
    belief = np.exp(-energy)
    for _ in range(n_iter):
        score = -energy + sum(belief @ term for term in terms)
        belief = np.exp(score - score.max(axis=0))
        belief /= belief.sum(axis=0)
    return belief[1].reshape(grey.shape)


def salt(state: int, n: int, density: float) -> tuple[int, list[int]]:
    """Chosen ones of `n` places and the generator's next state: SplitMix64 in whole numbers, geometric gaps."""
    hits: list[int] = []
    place = -1
    most = 2**64
    while True:
        state = (state + 0x9E3779B97F4A7C15) % most
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % most
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % most
        z ^= z >> 31
        place += 1 + math.floor(math.log(((z >> 11) + 1) / 2**53) / math.log(1 - density))
        if place >= n:
            return state, hits
        hits.append(place)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (D65) of colours in [0, 1] stretched to the whole range by their smallest and largest value."""
    span = rgb.max() - rgb.min()
    flat = (rgb - rgb.min()) / span if span > 0 else np.zeros(rgb.shape)
    linear = np.where(flat > 0.04045, ((flat + 0.055) / 1.055) ** 2.4, flat / 12.92)
    matrix = [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    bright = linear @ np.array(matrix).T / [0.95047, 1.0, 1.08883]
    bent = np.where(bright > 0.008856, np.cbrt(bright), 7.787 * bright + 16 / 116)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def clusters(
    colours: NDArray[np.float64],
    seeds: tuple[NDArray[np.int64], NDArray[np.int64]],
    reach: tuple[int, int],
    spatial: float,
    n_iter: int,
) -> NDArray[np.int64]:
    """SLIC with clusters that reach from floor(centre - reach) to floor(centre + reach), one cluster at a time."""
    grid: NDArray[np.float64] = np.indices(colours.shape[:2]).astype(np.float64)
    rows, columns = grid[0], grid[1]
    places = [(row, column) for row in seeds[0].tolist() for column in seeds[1].tolist()]
    centres = {k: np.array([*place, 0, 0, 0], np.float64) for k, place in enumerate(places)}
    nearest = np.zeros(colours.shape[:2], np.int64)
    for step in range(n_iter):
        best = np.full(nearest.shape, np.inf)
        for k, centre in centres.items():
            row, column, colour = float(centre[0]), float(centre[1]), centre[2:]
            distance = spatial**2 * ((rows - row) ** 2 + (columns - column) ** 2)
            if step > 0:
                distance = distance + ((colours - colour) ** 2).sum(axis=-1)
            inside = (rows >= math.floor(max(row - reach[0], 0))) & (rows <= math.floor(row + reach[0]))
            inside &= (columns >= math.floor(max(column - reach[1], 0))) & (columns <= math.floor(column + reach[1]))
            nearer = inside & (distance < best)
            best[nearer], nearest[nearer] = distance[nearer], k
        centres = {}
        for k in np.unique(nearest).tolist():
            mine = nearest == k
            centres[k] = np.array([rows[mine].mean(), columns[mine].mean(), *colours[mine].mean(axis=0)])
    return nearest


def parts(nearest: NDArray[np.int64], least: int, most: int) -> NDArray[np.int64]:
    """Connected parts numbered from 1 in raster order; see `connect_kernel` for the small and the large ones."""
    height, width = nearest.shape
    out = np.zeros(nearest.shape, np.int64)
    number = 1
    for start in np.ndindex(height, width):
        if out[start]:
            continue
        neighbour = number
        out[start] = number
        found = [start]
        for i, j in found:  # grows while it is read
            if len(found) >= most:
                break
            for y, x in ((i, j + 1), (i, j - 1), (i + 1, j), (i - 1, j)):
                if not (0 <= y < height and 0 <= x < width):
                    continue
                if out[y, x] == 0 and nearest[y, x] == nearest[start]:
                    out[y, x] = number
                    found.append((y, x))
                    if len(found) >= most:
                        break
                elif out[y, x] > 0 and out[y, x] != number:
                    neighbour = out[y, x].item()
        if len(found) < least:
            for place in found:
                out[place] = neighbour
        else:
            number += 1
    return out


def noisy_copies(grey: NDArray[np.uint8], state: int, n: int, density: float) -> Iterator[NDArray[np.float64]]:
    """Yield `n` copies of a window in three channels in [0, 1] with salt, drawn one after the other."""
    for _ in range(n):
        state, hits = salt(state, 3 * grey.size, density)
        copy = np.repeat(grey[..., None] / 255, 3, axis=-1)
        copy.reshape(-1)[hits] = 1
        yield copy
