"""The default method composed of scipy, scikit-image and numpy calls: what it costs without kernels of our own.

Same windows, backgrounds, levels, features and fitted numbers. Each step is written the way that is fastest with
whole arrays, such as sums over nested regions by counting per level. The medians come in two ways: by the library's
own filter on the lattice of samples, which is what one would call, and by one partition over a view of all samples,
which is faster.
Smoothing of larger windows and targets that touch are left out: few targets need them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit
from skimage.filters.rank import entropy

from pointlabel.engine.default.weights import ScoreWeights, Weights, load_weights

from .diffusion import TAU_SHARE, edges_of

HALF, REACH, SNAP_PX = 32, 28, 2
SIDE = 2 * HALF + 1
EIGHT = np.ones((3, 3), bool)
FIVE = np.ones((5, 5), np.uint8)
SCALES = np.array([13, 21, 35, 57])
SAMPLING = ((6, 2, 2), (10, 2, 4), (16, 4, 4), (28, 4, 8))  # reach, stride, pitch of the grid
LEVELS = np.array([0.90, 0.82, 0.75, 0.68, 0.61, 0.55, 0.49, 0.43, 0.38, 0.33, 0.28, 0.23, 0.18, 0.14, 0.10, 0.06])
N_LEVELS = len(LEVELS)
TEMPERATURE, N_STEPS, RHO, BETA, ALPHA, N_BINS = 0.5, 6, 0.3, 6.0, 0.6, 32
OFFSETS = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
ORBITS = [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]
ORBIT_OF = np.array([ORBITS.index((min(abs(y), abs(x)), max(abs(y), abs(x)))) for y, x in OFFSETS])
AVERAGE = (np.arange(6)[:, None] == ORBIT_OF) / np.bincount(ORBIT_OF)[:, None]
ROWS, COLUMNS = np.indices((SIDE, SIDE)) - HALF
AT_BORDER = (np.abs(ROWS) == HALF) | (np.abs(COLUMNS) == HALF)


def _tent(pitch: int) -> NDArray[np.float64]:
    """Matrix that interpolates linearly between grid points `pitch` pixels apart."""
    at = np.arange(SIDE) / pitch
    return np.maximum(1 - np.abs(at[:, None] - np.arange(2 * HALF // pitch + 1)), 0)


TENTS = [_tent(pitch) for _, _, pitch in SAMPLING]


Medians = Callable[[NDArray[np.int32], int, int], NDArray]


def label_default(image: NDArray, points: NDArray, medians: Medians | None = None) -> NDArray[np.bool_]:
    """`default` in its first window; `medians` None takes the library's filter."""
    medians = medians or medians_by_filter
    weights = load_weights()
    out = np.zeros(image.shape, bool)
    wide = np.pad(image, HALF + REACH, mode="symmetric")
    for row, column in np.ceil(points - 0.5).astype(int):
        top, left = max(row - SNAP_PX, 0), max(column - SNAP_PX, 0)
        block = image[top : row + SNAP_PX + 1, left : column + SNAP_PX + 1]
        far = (np.arange(block.shape[0]) + top - row)[:, None] ** 2 + (np.arange(block.shape[1]) + left - column) ** 2
        dy, dx = np.unravel_index(np.argmax(block - 1e-3 * far), block.shape)
        row, column = top + dy, left + dx
        window = wide[row : row + 2 * (HALF + REACH) + 1, column : column + 2 * (HALF + REACH) + 1].astype(np.float64)
        rows, columns = row + ROWS[:, :1], column + COLUMNS[:1]
        inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
        mask = _label_window(window, inside, weights, medians)
        rows, columns = np.nonzero(mask & inside)
        out[rows + row - HALF, columns + column - HALF] = True
    return out


def _label_window(
    window: NDArray[np.float64], inside: NDArray[np.bool_], weights: Weights, medians: Medians
) -> NDArray[np.bool_]:
    low, high = window.min(), window.max()
    units = np.rint((window - low) / max(high - low, 1e-9) * 65535).astype(np.int32)
    core = units[REACH:-REACH, REACH:-REACH]
    detail = np.abs(core - ndimage.uniform_filter(units.astype(np.float32), 3)[REACH:-REACH, REACH:-REACH])
    floor = detail.mean()
    noise = max(1.4826 * np.median(detail), 0.8 * floor, 50.0)
    spread = max(np.subtract(*np.percentile(core, [95, 5])), 1.0)
    rest = np.stack([core - _background(units, *how, tent, medians) for how, tent in zip(SAMPLING, TENTS, strict=True)])
    contrast = rest[:, HALF, HALF]
    level_of = np.stack([_flood(one, inside, floor) for one in rest])
    features, touches = _features(rest, level_of, contrast, noise, spread)
    bad = touches | ((contrast < 0.15 * contrast.max()) | (contrast <= 0))[:, None]
    if bad.all():
        return (np.abs(ROWS) <= 1) & (np.abs(COLUMNS) <= 1)
    share, best = _shares(features, bad, weights.score)
    holds = np.zeros((4, N_LEVELS + 1))
    holds[:, :-1] = share[:, ::-1].cumsum(axis=1)[:, ::-1]
    field = sum(holds[k][level_of[k]] for k in range(4)).astype(np.float32)
    summary = _summary(features, share, best)
    field = _heat(field, core)
    soft = _refine(field, core, inside, level_of, rest, contrast, summary, weights.refine)
    parts, _ = ndimage.label(soft >= 0.5, EIGHT)
    if not parts[HALF, HALF]:
        return (np.abs(ROWS) <= 1) & (np.abs(COLUMNS) <= 1)
    return parts == parts[HALF, HALF]


def medians_by_filter(lattice: NDArray[np.int32], side: int, pitch: int) -> NDArray:
    """Medians of side x side samples by `scipy.ndimage.median_filter`, every pitch-th of them."""
    half = side // 2
    return ndimage.median_filter(lattice, side)[half:-half:pitch, half:-half:pitch]


def medians_by_partition(lattice: NDArray[np.int32], side: int, pitch: int) -> NDArray:
    """The same by one `np.partition` over a view of all samples."""
    samples = sliding_window_view(lattice, (side, side))[::pitch, ::pitch]
    flat = samples.reshape(*samples.shape[:2], -1)
    return np.partition(flat, flat.shape[2] // 2, axis=2)[:, :, flat.shape[2] // 2]


def label_default_partition(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """`label_default` with the faster medians."""
    return label_default(image, points, medians_by_partition)


def _background(
    units: NDArray[np.int32], reach: int, stride: int, pitch: int, tent: NDArray, medians: Medians
) -> NDArray[np.float64]:
    start = REACH - reach
    lattice = units[start : start + 2 * (HALF + reach) + 1 : stride, start : start + 2 * (HALF + reach) + 1 : stride]
    grid = medians(lattice, 2 * reach // stride + 1, pitch // stride)
    return np.rint(tent @ grid @ tent.T)


def _flood(rest: NDArray, inside: NDArray[np.bool_], floor: float) -> NDArray[np.intp]:
    """Index of the highest level whose region holds the pixel, N_LEVELS where none does."""
    peak = rest[HALF, HALF]
    thresholds = np.minimum(np.maximum(LEVELS * peak - 2, 0.7 * floor), peak)
    out = np.full(rest.shape, N_LEVELS)
    rest = np.where(inside, rest, -1e9)
    for level in range(N_LEVELS - 1, -1, -1):
        parts, _ = ndimage.label(rest >= thresholds[level], EIGHT)
        out[parts == parts[HALF, HALF]] = level
    return out


def _per_level(low: NDArray, high: NDArray, weight: NDArray | None) -> NDArray[np.float64]:
    """Sum of the weights over the pixels with low <= level < high, for every level."""
    begin = np.bincount(low, weight, N_LEVELS + 1)[:N_LEVELS]
    end = np.bincount(high, weight, N_LEVELS + 1)[:N_LEVELS]
    return np.cumsum(begin - end)


def _features(rest, level_of, contrast, noise, spread):
    """Features (4, L, 26) in the order of the method, and which candidates touch the border."""
    out = np.empty((4, N_LEVELS, 26))
    c = np.maximum(contrast, 1.0)
    area = np.empty((4, N_LEVELS))
    touches = np.empty((4, N_LEVELS), bool)
    for k in range(4):
        level, value = level_of[k], rest[k]
        held = level < N_LEVELS
        at, inner = level[held], value[held]
        n, total, down, across = (
            np.cumsum(np.bincount(at, weight, N_LEVELS)) for weight in (None, inner, ROWS[held], COLUMNS[held])
        )
        area[k] = n
        largest = np.full(N_LEVELS, -1e9)
        np.maximum.at(largest, at, inner)
        touches[k] = np.cumsum(np.bincount(level[held & AT_BORDER], minlength=N_LEVELS)) > 0
        ones = np.concatenate([level[:, :-1].ravel(), level[:-1].ravel()])
        others = np.concatenate([level[:, 1:].ravel(), level[1:].ravel()])
        steps = np.concatenate([(value[:, :-1] - value[:, 1:]).ravel(), (value[:-1] - value[1:]).ravel()])
        edge = np.flatnonzero(ones != others)
        ones, others, steps = ones[edge], others[edge], steps[edge]
        steps = np.where(ones < others, steps, -steps)
        low, high = np.minimum(ones, others), np.maximum(ones, others)
        n_edges = np.maximum(_per_level(low, high, None), 1)
        step = _per_level(low, high, steps) / n_edges / c[k]
        weak = _per_level(low, high, (steps < 0.05 * contrast[k]).astype(float))
        near, far = ndimage.minimum_filter(level, 3), ndimage.minimum_filter(level, 7)
        ring = far < near
        low, high, dark = far[ring], near[ring], value[ring]
        n_ring = np.maximum(_per_level(low, high, None), 1)
        mean = _per_level(low, high, dark) / n_ring
        deviation = np.sqrt(np.maximum(_per_level(low, high, dark**2) / n_ring - mean**2, 0))
        log_area = np.log(n)
        up, down_one, two = (log_area[np.clip(np.arange(N_LEVELS) + d, 0, N_LEVELS - 1)] for d in (-1, 1, -2))
        out[k, :, 1], out[k, :, 2] = up - down_one, two - log_area
        out[k, :, 3], out[k, :, 4], out[k, :, 5] = LEVELS, LEVELS**2, step
        out[k, :, 6], out[k, :, 8], out[k, :, 9] = step / max(step.max(), 1e-6), weak / n_edges, log_area
        out[k, :, 10], out[k, :, 11] = np.sqrt(n) / SCALES[k], n / SCALES[k] ** 2
        out[k, :, 12], out[k, :, 13] = mean / c[k], deviation / c[k]
        out[k, :, 14] = np.maximum.accumulate(largest) / c[k]
        out[k, :, 15] = 4 * np.pi * n / n_edges**2
        out[k, :, 16] = np.hypot(down, across) / n**1.5
        out[k, :, 17], out[k, :, 18] = np.log(SCALES[k] / 21), np.log(c[k] / c.max())
        out[k, :, 19] = np.log(c[k] / c[min(k + 1, 3)])
        out[k, :, 20] = np.log(np.maximum(LEVELS * c[k] / noise, 0.1))
        out[k, :, 21] = np.log(np.maximum((total / n - mean) / (deviation + 0.5 * noise), 0.1))
        out[k, :, 22] = total / n / c[k]
        out[k, :, 23], out[k, :, 24] = np.log(c[k] / noise), np.log(c[k] / spread)
        out[k, :, 25] = (LEVELS - 0.35) ** 2 * np.log(c[k] / noise)
    out[..., 7] = out[..., 5] / max(out[..., 5].max(), 1e-6)
    deeper = np.maximum(level_of[:-1], level_of[1:]).reshape(3, -1)
    both = np.stack([np.cumsum(np.bincount(pair, minlength=N_LEVELS + 1)[:N_LEVELS]) for pair in deeper])
    overlap = both / (area[:-1] + area[1:] - both)
    out[..., 0] = overlap[[0, 0, 1, 2]] + overlap[[0, 1, 2, 2]]
    return out, touches


def _shares(features: NDArray, bad: NDArray[np.bool_], weights: ScoreWeights) -> tuple[NDArray[np.float64], float]:
    z = np.clip((features - weights.centre) / weights.deviation, -4, 4)
    by = z @ weights.coefficients
    score = by[..., 0] + by[..., 1] * (features[..., 3] - 0.35) / 0.25 + by[..., 2] * (features[..., 9] - 3.0) / 1.3
    score[bad] = -np.inf
    best = float(score.max())
    share = np.exp((score - best) / TEMPERATURE)
    return share / share.sum(), best


def _summary(features: NDArray, share: NDArray[np.float64], best: float) -> NDArray[np.float32]:
    """What all pixels share: ln area, then what the perceptron reads.

    That is its deviation, the level, the best score, ln contrast over noise and spread.
    """
    mean = np.einsum("ka,kaf->f", share, features)
    deviation = np.sqrt(max((share * features[..., 9] ** 2).sum() - mean[9] ** 2, 0))
    return np.array([mean[9], deviation, mean[3], best, mean[23], mean[24]], np.float32)


def _heat(field: NDArray[np.float32], core: NDArray[np.int32]) -> NDArray[np.float32]:
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    part = (slice(max(rows[0] - 4, 0), rows[-1] + 5), slice(max(columns[0] - 4, 0), columns[-1] + 5))
    levels, source = core[part] / np.float32(65536), field[part]
    texture = entropy(np.minimum((levels * N_BINS).astype(np.uint8), N_BINS - 1), FIVE) / np.log2(25)
    down, across = np.gradient(levels)
    medium = np.exp(-BETA * (ALPHA * np.hypot(down, across) + (1 - ALPHA) * texture)).astype(np.float32)
    east, south, longest = edges_of(medium)
    tau = TAU_SHARE * longest
    heat = source.copy()
    for _ in range(N_STEPS):
        flux_east, flux_south = tau * east * np.diff(heat, axis=1), tau * south * np.diff(heat, axis=0)
        heat[:, :-1] += flux_east
        heat[:, 1:] -= flux_east
        heat[:-1] += flux_south
        heat[1:] -= flux_south
    out = np.zeros_like(field)
    both = RHO * heat + (1 - RHO) * source
    out[part] = both / both.max()
    return out


def _refine(field, core, inside, level_of, rest, contrast, summary, weights):
    voted = field >= 0.02
    ring = ndimage.maximum_filter(voted, 7) & ~voted & inside
    rows, columns = np.nonzero(ndimage.maximum_filter(voted, 5) & inside)
    low = core[ring].mean() if ring.any() else 0.0
    relative = np.clip((core - low) / max((field * core).sum() / field.sum() - low, 1.0), -1, 2)
    bright = sliding_window_view(np.pad(relative, 2, mode="edge"), (5, 5))[rows, columns]
    votes = sliding_window_view(np.pad(field, 2), (5, 5))[rows, columns].reshape(-1, 25)
    own, small = bright[:, 2, 2], bright[:, 1:4, 1:4].reshape(-1, 9)
    flat = bright.reshape(-1, 25)
    inputs = np.empty((len(rows), 29))
    inputs[:, :6], inputs[:, 6:12] = votes @ AVERAGE.T, flat @ AVERAGE.T
    inputs[:, 12:15] = np.append(LEVELS, 0.0)[level_of[:3, rows, columns]].T
    inputs[:, 15:17] = np.clip(rest[::2, rows, columns].T / np.maximum(contrast[::2], 1.0), -1, 2)
    inputs[:, 17], inputs[:, 18] = small.max(axis=1) - own, own - small.min(axis=1)
    inputs[:, 19], inputs[:, 20] = flat.max(axis=1) - own, own - flat.min(axis=1)
    down, across = (bright[:, 3, 2] - bright[:, 1, 2]) / 2, (bright[:, 2, 3] - bright[:, 2, 1]) / 2
    y, x = rows - HALF, columns - HALF
    distance = np.hypot(y, x)
    inputs[:, 21] = np.hypot(down, across)
    inputs[:, 22] = (down * y + across * x) / np.maximum(distance, 1.0)
    inputs[:, 23] = distance / np.exp(summary[0] / 2)
    inputs[:, 24:] = summary[1:]
    z = np.clip((inputs.astype(np.float32) - weights.centre) / weights.deviation, -5, 5)
    (w1, b1), (w2, b2), (w3, b3) = weights.layers
    for w, b in ((w1, b1), (w2, b2)):
        z = z @ w + b
        z *= expit(z)
    soft = np.zeros(field.shape, np.float32)
    soft[rows, columns] = expit((z @ w3)[:, 0] + b3[0] + 6 * (field[rows, columns] - 0.5))
    return soft
