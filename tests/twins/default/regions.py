"""The candidates of the default method: backgrounds, floods, sums and features, each for all levels at once."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

EIGHT = np.ones((3, 3), bool)


def median_rest(units: NDArray[np.int32], half: int, reach: int, stride: int, step: int) -> NDArray[np.float64]:
    """Units less the median of the samples around each point of a grid, interpolated linearly between."""
    first, side, n = len(units) // 2 - half, 2 * half + 1, 2 * reach // stride + 1
    lattice = units[first - reach : first + side + reach : stride, first - reach : first + side + reach : stride]
    samples = sliding_window_view(lattice, (n, n))[:: step // stride, :: step // stride]
    flat = samples.reshape(*samples.shape[:2], -1)
    grid = np.partition(flat, n * n // 2, axis=2)[:, :, n * n // 2]
    tent = np.maximum(1 - np.abs(np.arange(side)[:, None] / step - np.arange(2 * half // step + 1)), 0)
    core = units[first : first + side, first : first + side]
    return core - np.rint(tent @ grid @ tent.T)


def flood(
    rest: NDArray, inside: NDArray[np.bool_], pixel: tuple[int, int], thresholds: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Index of the highest level whose region holds the pixel (S, S), the number of levels where none does."""
    height = np.where(inside, rest, -np.inf)
    height[pixel] = np.inf
    out = np.full(rest.shape, len(thresholds))
    for level in range(len(thresholds) - 1, -1, -1):
        parts, _ = ndimage.label(height >= thresholds[level], EIGHT)
        out[parts == parts[pixel]] = level
    return out


def sums(
    rest: NDArray, level_of: NDArray, n_levels: int, weak_step: float, pixel: tuple[int, int]
) -> NDArray[np.float64]:
    """What `region_sums_kernel` writes, (L, 13)."""
    level, value = level_of.astype(np.intp), rest.astype(np.float64)
    rows, columns = np.indices(rest.shape) - np.reshape(pixel, (2, 1, 1))
    border = np.ones(rest.shape, bool)
    border[1:-1, 1:-1] = False
    held = level < n_levels

    def nested(weight: NDArray | None) -> NDArray[np.float64]:
        """Sum of the weights over the region of each level."""
        return np.cumsum(np.bincount(level[held], None if weight is None else weight[held], n_levels))

    def between(low: NDArray, high: NDArray, weight: NDArray | None) -> NDArray[np.float64]:
        """Sum of the weights over what has low <= level < high."""
        begin, end = (np.bincount(each, weight, n_levels + 1)[:n_levels] for each in (low, high))
        return np.cumsum(begin - end)

    largest = np.full(n_levels, -1e9)
    np.maximum.at(largest, level[held], value[held])
    ones = np.concatenate([level[:, :-1].ravel(), level[:-1].ravel()])
    others = np.concatenate([level[:, 1:].ravel(), level[1:].ravel()])
    steps = np.concatenate([(value[:, :-1] - value[:, 1:]).ravel(), (value[:-1] - value[1:]).ravel()])
    edge = ones != others
    ones, others, steps = ones[edge], others[edge], np.where(ones < others, steps, -steps)[edge]
    edges = np.minimum(ones, others), np.maximum(ones, others)
    far, near = ndimage.minimum_filter(level, 7), ndimage.minimum_filter(level, 3)
    around = far < near
    ring = far[around], near[around]
    return np.stack(
        [
            nested(None), nested(value), nested(value**2), np.maximum.accumulate(largest),
            nested(rows), nested(columns),
            between(*edges, None), between(*edges, steps), between(*edges, (steps < weak_step).astype(float)),
            between(*ring, None), between(*ring, value[around]), between(*ring, value[around] ** 2),
            nested(border.astype(float)),
        ],
        axis=1,
    )  # fmt: skip


def shared_area(one: NDArray, other: NDArray, n_levels: int) -> NDArray[np.float64]:
    """Pixels that two families of nested regions share at each level."""
    deeper = np.maximum(one, other).ravel()
    return np.cumsum(np.bincount(deeper, minlength=n_levels + 1)[:n_levels]).astype(float)


def features(
    table: NDArray[np.float64],
    shared: NDArray[np.float64],
    contrast: NDArray[np.float64],
    scales: NDArray,
    levels: NDArray,
    noise: float,
    spread: float,
) -> dict[str, NDArray[np.float64]]:
    """Every feature of every candidate (K, L) by its name, from `sums` (K, L, 13) and `shared_area` (K - 1, L)."""
    n, total, _, largest, down, across, edges, steps, weak, n_ring, ring, ring_square, _ = np.moveaxis(table, -1, 0)
    n_scales, n_levels = n.shape
    peak = np.maximum(contrast, 1.0)
    c, side = peak[:, None], np.asarray(scales, float)[:, None]
    edges, n_ring = np.maximum(edges, 1), np.maximum(n_ring, 1)
    mean = ring / n_ring
    deviation = np.sqrt(np.maximum(ring_square / n_ring - mean**2, 0))
    overlap = shared / (n[:-1] + n[1:] - shared)
    scale = np.arange(n_scales)
    following = np.minimum(scale + 1, n_scales - 1)
    log_area = np.log(n)
    up, below, two_up = (log_area[:, np.clip(np.arange(n_levels) + d, 0, n_levels - 1)] for d in (-1, 1, -2))
    step = steps / edges / c
    ones = np.ones(n.shape)
    return {
        "stability": overlap[np.maximum(scale - 1, 0)] + overlap[np.minimum(scale, n_scales - 2)],
        "growth": up - below,
        "growth_two": two_up - log_area,
        "level": ones * levels,
        "level_squared": ones * levels**2,
        "step": step,
        "step_of_scale": step / np.maximum(step, 1e-6).max(axis=1, keepdims=True),
        "step_of_all": step / max(step.max(), 1e-6),
        "weak": weak / edges,
        "log_area": log_area,
        "side_over_scale": np.sqrt(n) / side,
        "area_over_scale": n / side**2,
        "ring_mean": mean / c,
        "ring_deviation": deviation / c,
        "maximum": largest / c,
        "roundness": 4 * np.pi * n / edges**2,
        "offset": np.hypot(down, across) / n**1.5,
        "log_scale": ones * np.log(side / 21),
        "log_contrast": ones * np.log(c / peak.max()),
        "log_contrast_next": ones * np.log(c / peak[following][:, None]),
        "log_level_noise": np.log(np.maximum(levels * c / noise, 0.1)),
        "log_ring_snr": np.log(np.maximum((total / n - mean) / (deviation + 0.5 * noise), 0.1)),
        "inside_mean": total / n / c,
        "log_noise": ones * np.log(c / noise),
        "log_spread": ones * np.log(c / spread),
        "level_noise": (levels - 0.35) ** 2 * np.log(c / noise),
    }
