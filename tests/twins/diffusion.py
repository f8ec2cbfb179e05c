"""The diffusion methods, eqs. (2) to (4), as scipy, scikit-image and numpy have them; SLIC with a cluster at the point.

`label_diffusion` takes scikit-image's SLIC with the settings that give the best masks; the others are equal to ours.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import segmentation
from skimage.filters import rank

SCALE = 1 << 20
HALF_PX = 16
EIGHT = np.ones((3, 3), bool)
FIVE = np.ones((5, 5), np.uint8)

#: Parameters of the method `diffusion`. SLIC of scikit-image, without a cluster at the point, needs 20 iterations.
BETA, ALPHA, RHO, LEVEL, N_STEPS, TAU_SHARE, N_BINS = 12.0, 0.9, 0.65, 0.25, 100, 0.9, 32
N_SEGMENTS, COMPACTNESS, N_SLIC_ITER = 16, 0.32, 20


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
    """Entropy of the grey levels of the 5 x 5 block, which ends at the border, over ln 25."""
    bins = np.minimum(units * n_bins // SCALE, n_bins - 1).astype(np.uint8)
    return rank.entropy(bins, FIVE) / np.log2(25)


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


def diffuse(source: NDArray, medium: NDArray, n_steps: int, tau_share: float = TAU_SHARE) -> NDArray:
    """Eq. (3) by `n_steps` steps of `tau_share` of the longest stable one, in the precision of the source."""
    height, width = medium.shape
    # flat fields with a spare column, whose conductances are 0: every step works on contiguous arrays
    east, south = np.zeros((height + 2, width + 1), source.dtype), np.zeros((height + 2, width + 1), source.dtype)
    east[1:-1, : width - 1] = (medium[:, :-1] + medium[:, 1:]) / 2
    south[1:-2, :width] = (medium[:-1] + medium[1:]) / 2
    stride, n = width + 1, height * (width + 1)
    a, b = stride, stride + n
    e, s = east.ravel(), south.ravel()
    outflow = e[a - 1 : b - 1] + e[a:b] + s[a - stride : b - stride] + s[a:b]
    tau = source.dtype.type(tau_share / max(outflow.max(), 1e-30))
    keep, e, s = 1 - tau * outflow, tau * e, tau * s
    u, v = np.zeros(len(e), source.dtype), np.zeros(len(e), source.dtype)
    u[a:b].reshape(height, stride)[:, :width] = source
    u += source.dtype.type(1e-20)  # numbers that are not normal are slow
    weights = ((e[a - 1 : b - 1], -1), (e[a:b], 1), (s[a - stride : b - stride], -stride), (s[a:b], stride))
    total, part = np.empty(n, source.dtype), np.empty(n, source.dtype)
    for _ in range(n_steps):
        np.multiply(keep, u[a:b], out=total)
        for weight, shift in weights:
            np.multiply(weight, u[a + shift : b + shift], out=part)
            np.add(total, part, out=total)
        v[a:b] = total
        u, v = v, u
    return u[a:b].reshape(height, stride)[:, :width]


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
    """8-connected part of `member` that holds the pixel; nothing where the pixel is no member."""
    parts, _ = ndimage.label(member, EIGHT)
    return (parts == parts[pixel]) & member[pixel]


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


def label(image: NDArray, points: NDArray, rho: float) -> NDArray[np.bool_]:
    """Heat and the point's SLIC cell mixed by `rho`, the component of the point above the level; (H, W) bool."""
    out = np.zeros(image.shape, bool)
    for row, column in np.ceil(points - 0.5).astype(int):
        top, left = max(row - HALF_PX, 0), max(column - HALF_PX, 0)
        view = (slice(top, row + HALF_PX + 1), slice(left, column + HALF_PX + 1))
        here = (row - top, column - left)
        units = rescale(image[view])
        soft: NDArray = np.zeros(units.shape, np.float32)
        if rho < 1:
            clusters = segmentation.slic(
                units / SCALE,
                n_segments=N_SEGMENTS,
                compactness=COMPACTNESS,
                max_num_iter=N_SLIC_ITER,
                channel_axis=None,
                enforce_connectivity=False,
            )
            soft += (1 - rho) * connected(clusters == clusters[here], here)
        if rho > 0:
            source = np.zeros(units.shape, np.float32)
            source[here] = 1
            heat = diffuse(source, conductivity(units, 1.0, BETA, ALPHA, N_BINS), N_STEPS)
            soft += rho / heat.max() * heat
        mask = connected(soft >= LEVEL * soft.max(), here)
        mask[here] = True
        out[view] |= mask
    return out


label_diffusion, label_heat, label_superpixel = (
    partial(label, rho=RHO),
    partial(label, rho=1.0),
    partial(label, rho=0.0),
)
