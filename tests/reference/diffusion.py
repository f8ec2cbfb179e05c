"""Slow, obvious twins of the diffusion methods' kernels: plain loops and whole matrices."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

SCALE = 1 << 20


def rescale(window: NDArray) -> NDArray[np.int32]:
    """Finite pixels on 0 .. 2^20 by their smallest and largest value, the others at the median of the rest."""
    finite = np.isfinite(window)
    out = np.zeros(window.shape, np.int32)
    if not finite.any():
        return out
    low, high = window[finite].min(), window[finite].max()
    if high > low:
        out[finite] = np.floor((window[finite] - low) / (high - low) * SCALE + 0.5)
        out[~finite] = int(np.median(out[finite]))
    return out


def entropy(units: NDArray[np.int32], n_bins: int) -> NDArray[np.float64]:
    """Shannon entropy of the 5 x 5 pixels around each pixel over ln 25."""
    height, width = units.shape
    out = np.zeros(units.shape)
    for i in range(height):
        for j in range(width):
            around = units[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3].ravel().tolist()
            counts = Counter(min(value * n_bins // SCALE, n_bins - 1) for value in around)
            shares = [count / len(around) for count in counts.values()]
            out[i, j] = -sum(share * math.log(share) for share in shares) / math.log(25)
    return out


def gradient(units: NDArray[np.int32]) -> NDArray[np.float64]:
    """Length of the gradient of units / 2^20."""
    levels = units / SCALE
    parts = [np.gradient(levels, axis=axis) if levels.shape[axis] > 1 else np.zeros(levels.shape) for axis in (0, 1)]
    return np.hypot(*parts)


def conductivity(units: NDArray[np.int32], d0: float, beta: float, alpha: float, n_bins: int) -> NDArray[np.float64]:
    """D of eq. (2)."""
    return d0 * np.exp(-beta * (alpha * gradient(units) + (1 - alpha) * entropy(units, n_bins)))


def laplacian(medium: NDArray[np.float64]) -> NDArray[np.float64]:
    """L_D as a matrix over all pixels: the conductance of two neighbours is the mean of their D."""
    height, width = medium.shape
    out = np.zeros((medium.size, medium.size))
    for i in range(height):
        for j in range(width):
            for y, x in ((i, j + 1), (i + 1, j)):
                if y < height and x < width:
                    a, b, c = i * width + j, y * width + x, (medium[i, j] + medium[y, x]) / 2
                    out[a, a] += c
                    out[b, b] += c
                    out[a, b] -= c
                    out[b, a] -= c
    return out


def diffuse(source: NDArray, matrix: NDArray[np.float64], tau: float, n_steps: int) -> NDArray[np.float64]:
    """Eq. (3) by whole matrices."""
    u = source.astype(np.float64).ravel()
    for _ in range(n_steps):
        u = u - tau * (matrix @ u)
    return u.reshape(source.shape)


def solve_steady(source: NDArray, matrix: NDArray[np.float64], leak: float) -> NDArray[np.float64]:
    """(leak + L) x = leak source by a dense solve."""
    exact: NDArray = np.linalg.solve(matrix + leak * np.eye(len(matrix)), leak * source.ravel())
    return exact.reshape(source.shape)


def slic(
    units: NDArray[np.int32], grid: tuple[int, int], pixel: tuple[int, int] | None, compactness: float, n_iter: int
) -> NDArray[np.int32]:
    """Owners of each pixel as bits, in float32 as the kernel, so that near ties fall alike."""
    height, width = units.shape
    pull = np.float32(0.5 * compactness / math.sqrt(units.size / (grid[0] * grid[1])))
    levels = np.float32(1 / SCALE) * units.astype(np.float32)
    y, x = 2 * np.arange(height) - (height - 1), 2 * np.arange(width) - (width - 1)
    rows, columns = pull * y.astype(np.float32)[:, None], pull * x.astype(np.float32)
    centres = []
    for a in range(grid[0]):
        for b in range(grid[1]):
            part = units[
                math.floor(a * height / grid[0]) : math.ceil((a + 1) * height / grid[0]),
                math.floor(b * width / grid[1]) : math.ceil((b + 1) * width / grid[1]),
            ]
            place = ((2 * a + 1 - grid[0]) * (height / grid[0]), (2 * b + 1 - grid[1]) * (width / grid[1]))
            centres.append(
                (np.float32(part.sum(dtype=np.int64) / (SCALE * part.size)), *(pull * np.float32(v) for v in place))
            )
    if pixel is not None:
        centres.append((levels[pixel], rows[pixel[0], 0], columns[pixel[1]]))
    owned = np.zeros((len(centres), height, width), bool)
    for step in range(n_iter):
        distance = np.array([(levels - c[0]) ** 2 + ((rows - c[1]) ** 2 + (columns - c[2]) ** 2) for c in centres])
        before, owned = owned, distance == distance.min(axis=0)
        if np.array_equal(before, owned) or step == n_iter - 1:
            break
        for k, mine in enumerate(owned):
            if mine.any():
                n = int(mine.sum())
                at = np.argwhere(mine)
                centres[k] = (
                    np.float32(int(units[mine].sum(dtype=np.int64)) / (SCALE * n)),
                    pull * np.float32(int(y[at[:, 0]].sum()) / n),
                    pull * np.float32(int(x[at[:, 1]].sum()) / n),
                )
    return np.sum([mine.astype(np.int32) << k for k, mine in enumerate(owned)], axis=0, dtype=np.int32)


def connected(member: NDArray[np.bool_], pixel: tuple[int, int]) -> NDArray[np.bool_]:
    """8-connected part of `member` that holds the pixel, by growing until nothing changes."""
    part = np.zeros(member.shape, bool)
    part[pixel] = member[pixel]
    while True:
        wide = np.pad(part, 1)
        near = np.zeros(member.shape, bool)
        for i in range(3):
            for j in range(3):
                near |= wide[i : i + member.shape[0], j : j + member.shape[1]]
        near &= member
        if np.array_equal(near, part):
            return part
        part = near


def sources(units: NDArray[np.int32], cell: NDArray[np.bool_], pixel: tuple[int, int], n: int) -> NDArray[np.bool_]:
    """The point and the brightest n local maxima (7 x 7) of its cell above its mean + 1.5 deviations."""
    out = np.zeros(units.shape, bool)
    least = units[cell].mean() + 1.5 * units[cell].std()
    maxima = [
        (int(units[i, j]), (int(i), int(j)))
        for i, j in np.argwhere(cell)
        if units[i, j] > least and units[i, j] == units[max(i - 3, 0) : i + 4, max(j - 3, 0) : j + 4].max()
    ]
    for value, place in maxima:
        out[place] = sum(other > value for other, _ in maxima) < n
    out[pixel] = True
    return out


def walk(
    grey: NDArray[np.float64], coefficient: NDArray[np.float64], start: tuple[int, int], noise: NDArray, dt: float
) -> NDArray[np.float64]:
    """Histogram of where particles end, one particle and one step at a time."""
    height, width = grey.shape
    down, across = np.gradient(grey, axis=0), np.gradient(grey, axis=1)
    heat = np.zeros(grey.shape)
    for k in range(noise.shape[1]):
        y, x = float(start[0]), float(start[1])
        for first, second in noise[:, k]:
            i, j = min(max(math.trunc(y), 0), height - 1), min(max(math.trunc(x), 0), width - 1)
            spread = math.sqrt(2 * coefficient[i, j] * dt)
            y, x = y + down[i, j] * dt + spread * first, x + across[i, j] * dt + spread * second
        heat[min(max(math.trunc(y), 0), height - 1), min(max(math.trunc(x), 0), width - 1)] += 1
    return heat


def crf(
    probability: NDArray[np.float64],
    grey: NDArray[np.uint8],
    n_iter: int,
    spatial_px: float,
    intensity: float,
    compatibility: float,
) -> NDArray[np.float64]:
    """Dense CRF with the matrix of all pairs, both labels kept, features of the position and three channels."""
    rows, columns = np.indices(grey.shape).reshape(2, -1)
    grey_flat = grey.ravel().astype(np.float64)
    features = np.stack([rows / spatial_px, columns / spatial_px, *[grey_flat / intensity] * 3], axis=1)
    kernel = np.exp(-0.5 * ((features[:, None] - features[None]) ** 2).sum(axis=-1))
    norm = 1 / np.sqrt(kernel.sum(axis=1))
    kernel = norm[:, None] * kernel * norm
    inside = np.clip(probability.ravel(), 1e-5, 1 - 1e-5)
    energy = -np.log(np.stack([1 - inside, inside]))
    belief = np.exp(-energy)
    for _ in range(n_iter):
        score = -energy + compatibility * belief @ kernel
        belief = np.exp(score - score.max(axis=0))
        belief /= belief.sum(axis=0)
    return belief[1].reshape(grey.shape)


def otsu(soft: NDArray[np.float32]) -> int:
    """Grey level t of Otsu's threshold, the mask being grey > t, by trying all of them."""
    grey = (soft * np.float32(255)).astype(np.int64).ravel()
    best, chosen = -1.0, -1
    for t in range(255):
        low, high = grey[grey <= t], grey[grey > t]
        if low.size and high.size:
            value = low.size * high.size * (high.mean() - low.mean()) ** 2
            if value > best * (1 + 1e-12):
                best, chosen = value, t
    return chosen
