"""The diffusion methods composed of scikit-image, scipy and numpy calls: what they cost without kernels of our own.

Same windows, steps and levels, with the settings of scikit-image's functions that give the best masks. The steps of the
heat come twice: as the equation reads, and with every saving that numpy allows.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.filters.rank import entropy
from skimage.segmentation import slic

HALF_PX = 16
EIGHT = np.ones((3, 3), bool)
FIVE = np.ones((5, 5), np.uint8)

#: Parameters of the method `diffusion`.
BETA, ALPHA, RHO, LEVEL, N_STEPS, TAU_SHARE = 12.0, 0.9, 0.65, 0.25, 100, 0.9
N_SEGMENTS, COMPACTNESS, N_BINS = 16, 0.32, 32

#: scikit-image's SLIC starts on its grid only, and on the real data sets its cells get better up to 20 iterations
#: without the pass that merges small parts; ours have a cluster at the point and need 4.
N_SLIC_ITER = 20

#: Values of `d2d-code`: particles, steps and step of spot targets, and of the CRF.
N_PARTICLES, N_WALK_STEPS, DT = 260, 40, 0.2
MARGIN, REACH = 4, 10


def label_diffusion(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """`diffusion`: heat fused with the superpixel, the component of the point above the level."""
    return _label(image, points, RHO)


def label_diffusion_tuned(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """The same with the tuned steps of the heat."""
    return _label(image, points, RHO, tuned=True)


def label_heat(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """`heat`: the heat alone."""
    return _label(image, points, 1.0)


def label_superpixel(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """`superpixel`: the point's SLIC cell alone."""
    return _label(image, points, 0.0)


def _label(image: NDArray, points: NDArray, rho: float, *, tuned: bool = False) -> NDArray[np.bool_]:
    out = np.zeros(image.shape, bool)
    for row, column in np.ceil(points - 0.5).astype(int):
        top, left = max(row - HALF_PX, 0), max(column - HALF_PX, 0)
        view = (slice(top, row + HALF_PX + 1), slice(left, column + HALF_PX + 1))
        here = (row - top, column - left)
        window = image[view].astype(np.float32)
        low, high = window.min(), window.max()
        levels = (window - low) / max(high - low, 1e-9)
        soft: NDArray = np.zeros(levels.shape, np.float32)
        if rho < 1:
            soft += (1 - rho) * _cell(levels, here)
        if rho > 0:
            heat = (_spread_tuned if tuned else _spread)(_medium(levels), here)
            soft += rho / heat.max() * heat
        regions, _ = ndimage.label(soft >= LEVEL * soft.max(), EIGHT)
        mask = regions == regions[here] if regions[here] else np.zeros(soft.shape, bool)
        mask[here] = True
        out[view] |= mask
    return out


def _cell(levels: NDArray, here: tuple[int, int]) -> NDArray[np.bool_]:
    clusters = slic(
        levels,
        n_segments=N_SEGMENTS,
        compactness=COMPACTNESS,
        max_num_iter=N_SLIC_ITER,
        channel_axis=None,
        enforce_connectivity=False,
    )
    parts, _ = ndimage.label(clusters == clusters[here], EIGHT)
    return parts == parts[here]


def _medium(levels: NDArray) -> NDArray:
    bins = np.minimum((levels * N_BINS).astype(np.uint8), N_BINS - 1)
    texture = entropy(bins, FIVE) / np.log2(25)
    down, across = np.gradient(levels)
    medium: NDArray = np.exp(-BETA * (ALPHA * np.hypot(down, across) + (1 - ALPHA) * texture)).astype(np.float32)
    return medium


def edges_of(medium: NDArray) -> tuple[NDArray, NDArray, float]:
    """Conductances of the edges to the east and to the south, and the longest stable step."""
    east, south = medium[:, :-1] + medium[:, 1:], medium[:-1] + medium[1:]
    outflow = np.zeros_like(medium)
    outflow[:, :-1] += east
    outflow[:, 1:] += east
    outflow[:-1] += south
    outflow[1:] += south
    return east, south, 1 / outflow.max()


def _spread(medium: NDArray, here: tuple[int, int]) -> NDArray:
    east, south, longest = edges_of(medium)
    tau = TAU_SHARE * longest
    u = np.zeros_like(medium)
    u[here] = 1
    for _ in range(N_STEPS):
        across, down = east * np.diff(u, axis=1), south * np.diff(u, axis=0)
        change = np.zeros_like(u)
        change[:, :-1] += across
        change[:, 1:] -= across
        change[:-1] += down
        change[1:] -= down
        u += tau * change
    return u


def _spread_tuned(medium: NDArray, here: tuple[int, int]) -> NDArray:
    height, width = medium.shape
    # flat fields with a spare column, whose conductances are 0: every step works on contiguous arrays
    east, south = np.zeros((height + 2, width + 1), np.float32), np.zeros((height + 2, width + 1), np.float32)
    east[1:-1, : width - 1] = medium[:, :-1] + medium[:, 1:]
    south[1:-2, :width] = medium[:-1] + medium[1:]
    stride, n = width + 1, height * (width + 1)
    a, b = stride, stride + n
    e, s = east.ravel(), south.ravel()
    outflow = e[a - 1 : b - 1] + e[a:b] + s[a - stride : b - stride] + s[a:b]
    tau = np.float32(TAU_SHARE / outflow.max())
    e *= tau
    s *= tau
    keep = 1 - tau * outflow
    u, v = np.full(len(e), 1e-20, np.float32), np.full(len(e), 1e-20, np.float32)
    u[a + here[0] * stride + here[1]] = 1
    west, north, east_of, south_of = e[a - 1 : b - 1], s[a - stride : b - stride], e[a:b], s[a:b]
    total, part = np.empty(n, np.float32), np.empty(n, np.float32)
    for _ in range(N_STEPS):
        np.multiply(keep, u[a:b], out=total)
        for weight, shift in ((west, -1), (east_of, 1), (north, -stride), (south_of, stride)):
            np.multiply(weight, u[a + shift : b + shift], out=part)
            np.add(total, part, out=total)
        v[a:b] = total
        u, v = v, u
    return u[a:b].reshape(height, stride)[:, :width]


def label_particles(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """`d2d-code` without CLAHE, its window in the middle of the published range: particles, Otsu, dense CRF."""
    rng = np.random.default_rng(0)
    whole = np.zeros(image.shape, np.float32)
    pixels = np.ceil(points - 0.5).astype(int)
    for row, column in pixels:
        top, left = max(row - REACH - MARGIN, 0), max(column - REACH - MARGIN, 0)
        view = (slice(top, row + REACH + MARGIN), slice(left, column + REACH + MARGIN))
        soft = _walk(image[view], (row - top, column - left), rng)
        whole[view] = np.maximum(whole[view], soft)
    binary = (whole * 255).astype(np.uint8)
    binary = binary > threshold_otsu(binary)
    out = np.zeros(image.shape, bool)
    for row, column in pixels:
        view = (slice(max(row - REACH, 0), row + REACH), slice(max(column - REACH, 0), column + REACH))
        out[view] |= _crf(binary[view], image[view])
    return out


def _walk(grey: NDArray, here: tuple[int, int], rng: np.random.Generator) -> NDArray:
    levels = grey / 255
    down, across = np.gradient(levels, axis=0), np.gradient(levels, axis=1)
    texture = 0.6 * np.hypot(down, across) + 0.4 * entropy(grey, FIVE) / 8
    spread = np.sqrt(2 * DT * 3.2 * np.exp(-6 * texture))
    clusters = slic(levels, n_segments=N_SEGMENTS, compactness=COMPACTNESS, channel_axis=None)
    cell = clusters == clusters[here]
    maxima = (grey == ndimage.maximum_filter(grey, 7)) & (levels > levels.mean() + 1.5 * levels.std()) & cell
    starts = np.array([here, *np.argwhere(maxima)[:5]], float)
    place = np.repeat(starts, N_PARTICLES, axis=0)
    limit = np.array(grey.shape) - 1
    for _ in range(N_WALK_STEPS):
        i, j = np.clip(place.astype(int), 0, limit).T
        drift = DT * np.stack([down[i, j], across[i, j]], axis=1)
        place = place + drift + spread[i, j][:, None] * rng.standard_normal(place.shape)
    i, j = np.clip(place.astype(int), 0, limit).T
    heat = np.bincount(i * grey.shape[1] + j, minlength=grey.size).reshape(grey.shape).astype(float)
    for axis in (0, 1):
        heat = ndimage.correlate1d(heat, [0.25, 0.5, 0.25], axis=axis, mode="mirror")
    return 0.84 * heat / heat.max() + 0.16 * cell


@cache
def _near(height: int, width: int) -> NDArray:
    rows, columns = np.indices((height, width)).reshape(2, -1)
    return np.exp(-0.5 * ((rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2) / 8.0**2)


def _crf(binary: NDArray, grey: NDArray) -> NDArray[np.bool_]:
    height, width = grey.shape
    flat = grey.ravel().astype(float)
    kernel = _near(height, width) * np.exp(-1.5 * ((flat[:, None] - flat) / 10.0) ** 2)
    norm = 1 / np.sqrt(kernel.sum(axis=1))
    kernel *= norm[:, None] * norm
    unary = np.where(binary.ravel(), 1.0, -1.0) * np.log((1 - 1e-5) / 1e-5)
    score = unary
    for _ in range(5):
        score = unary + 110 * kernel @ np.tanh(score / 2)
    return (score > 0).reshape(height, width)
