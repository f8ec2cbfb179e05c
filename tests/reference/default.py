"""Slow, obvious twins of the default method's kernels: masks of each region, plain formulas, whole matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

EIGHT = np.ones((3, 3), bool)


def units_of(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Whole numbers 0 .. 65535 over the range of the values; halves are rounded down."""
    span = values.max() - values.min()
    if span == 0:
        return np.zeros(values.shape, np.int32)
    return np.rint((values - values.min()) / span * 65535 - 0.0137).astype(np.int32)


def noise(units: NDArray[np.int32], half: int) -> tuple[float, float]:
    """1.4826 times the median, and the mean, of how far each pixel lies from the mean of its 3 x 3 block."""
    detail = np.abs(units - ndimage.uniform_filter(units.astype(float), 3, mode="nearest"))
    centre = len(units) // 2
    inner = detail[centre - half : centre + half + 1, centre - half : centre + half + 1]
    return 1.4826 * float(np.median(inner)), float(inner.mean())


def peak(image: NDArray, row: int, column: int, reach: int) -> tuple[int, int]:
    """Largest value, then the nearest, then the largest mean of 3 x 3; the start where two are equal in all."""
    best = []
    for y in range(max(row - reach, 0), min(row + reach + 1, image.shape[0])):
        for x in range(max(column - reach, 0), min(column + reach + 1, image.shape[1])):
            around = image[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            near = -((y - row) ** 2 + (x - column) ** 2)
            best.append(((float(image[y, x]), near, float(around.mean())), (y, x)))
    best.sort(reverse=True)
    return (row, column) if len(best) > 1 and best[0][0] == best[1][0] else best[0][1]


def median_rest(units: NDArray[np.int32], half: int, reach: int, stride: int, step: int) -> NDArray[np.float64]:
    """Units less the median of the samples around each point of a grid, interpolated linearly between."""
    centre, side = len(units) // 2, 2 * half + 1
    at = np.arange(0, side, step)
    offsets = np.arange(-reach, reach + 1, stride)
    grid = np.empty((len(at), len(at)))
    for i, y in enumerate(at + centre - half):
        for j, x in enumerate(at + centre - half):
            grid[i, j] = np.median(units[np.ix_(y + offsets, x + offsets)])
    full = np.arange(side)
    tall = np.stack([np.interp(full, at, column) for column in grid.T], axis=1)
    smooth = np.stack([np.interp(full, at, row) for row in tall])
    core = units[centre - half : centre + half + 1, centre - half : centre + half + 1]
    return core - np.rint(smooth)


def regions(
    rest: NDArray, inside: NDArray[np.bool_], pixel: tuple[int, int], thresholds: NDArray[np.float64]
) -> list[NDArray[np.bool_]]:
    """The region that holds the pixel at each threshold."""
    out = []
    for threshold in thresholds:
        above = inside & (rest >= threshold)
        above[pixel] = True
        parts, _ = ndimage.label(above, EIGHT)
        out.append(parts == parts[pixel])
    return out


def sums(rest: NDArray, mask: NDArray[np.bool_], weak_step: float, pixel: tuple[int, int]) -> list[float]:
    """What `region_sums_kernel` writes, for one region."""
    values = rest[mask].astype(np.float64)
    rows, columns = np.nonzero(mask)
    steps = []
    for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < len(mask) and 0 <= u < len(mask) and not mask[v, u]:
                steps.append(float(rest[y, x]) - float(rest[v, u]))
    ring = ndimage.binary_dilation(mask, EIGHT, 3) & ~ndimage.binary_dilation(mask, EIGHT, 1)
    around = rest[ring].astype(np.float64)
    border = np.ones(mask.shape, bool)
    border[1:-1, 1:-1] = False
    return [
        len(values), values.sum(), (values**2).sum(), values.max(),
        (rows - pixel[0]).sum(), (columns - pixel[1]).sum(),
        len(steps), sum(steps), sum(step < weak_step for step in steps),
        len(around), around.sum(), (around**2).sum(), (mask & border).sum(),
    ]  # fmt: skip


def features(
    rests: NDArray, masks: list[list[NDArray[np.bool_]]], scales: NDArray, levels: NDArray, noise: float, spread: float
) -> dict[str, NDArray[np.float64]]:
    """Every feature of every candidate (K, L) by its name, from the regions themselves."""
    n_scales, n_levels = len(masks), len(levels)
    half = rests.shape[1] // 2
    contrast = [float(rest[half, half]) for rest in rests]
    tables = [[sums(rest, mask, 0.05 * c, (half, half)) for mask in family] for rest, family, c in zip(rests, masks, contrast, strict=True)]  # noqa: E501  # fmt: skip
    out: dict[str, NDArray[np.float64]] = {}

    def put(name: str, k: int, a: int, value: float) -> None:
        out.setdefault(name, np.empty((n_scales, n_levels)))[k, a] = value

    def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
        return float((one & other).sum() / (one | other).sum())

    for k in range(n_scales):
        c = max(contrast[k], 1.0)
        following = max(contrast[min(k + 1, n_scales - 1)], 1.0)
        below, above = max(k - 1, 0), min(k, n_scales - 2)
        for a in range(n_levels):
            n, total, _, largest, down, across, edges, step, weak, n_ring, ring, ring_square, _ = tables[k][a]
            area_at = [tables[k][min(max(a + d, 0), n_levels - 1)][0] for d in (-2, -1, 0, 1)]
            edges, n_ring = max(edges, 1), max(n_ring, 1)
            ring_mean = ring / n_ring
            deviation = math.sqrt(max(ring_square / n_ring - ring_mean**2, 0))
            put("stability", k, a, sum(overlap(masks[p][a], masks[p + 1][a]) for p in (below, above)))
            put("growth", k, a, math.log(area_at[1] / area_at[3]))
            put("growth_two", k, a, math.log(area_at[0] / n))
            put("level", k, a, levels[a])
            put("level_squared", k, a, levels[a] ** 2)
            put("step", k, a, step / edges / c)
            put("weak", k, a, weak / edges)
            put("log_area", k, a, math.log(n))
            put("side_over_scale", k, a, math.sqrt(n) / scales[k])
            put("area_over_scale", k, a, n / scales[k] ** 2)
            put("ring_mean", k, a, ring_mean / c)
            put("ring_deviation", k, a, deviation / c)
            put("maximum", k, a, largest / c)
            put("roundness", k, a, 4 * math.pi * n / edges**2)
            put("offset", k, a, math.hypot(down / n, across / n) / math.sqrt(n))
            put("log_scale", k, a, math.log(scales[k] / 21))
            put("log_contrast", k, a, math.log(c / max(*contrast, 1.0)))
            put("log_contrast_next", k, a, math.log(c / following))
            put("log_level_noise", k, a, math.log(max(levels[a] * c / noise, 0.1)))
            put("log_ring_snr", k, a, math.log(max((total / n - ring_mean) / (deviation + 0.5 * noise), 0.1)))
            put("inside_mean", k, a, total / n / c)
            put("log_noise", k, a, math.log(c / noise))
            put("log_spread", k, a, math.log(c / spread))
            put("level_noise", k, a, (levels[a] - 0.35) ** 2 * math.log(c / noise))
    steps = np.maximum(out["step"], 1e-6)
    out["step_of_scale"] = out["step"] / steps.max(axis=1, keepdims=True)
    out["step_of_all"] = out["step"] / steps.max()
    return out


def shares(features: NDArray, weights: Any, bad: NDArray[np.bool_], temperature: float) -> NDArray[np.float64]:
    """Softmax of the score over the candidates that are not bad; level and ln area are features 3 and 9."""
    z = np.clip((features - weights.centre) / weights.deviation, -4, 4)
    level, size = (features[..., 3] - 0.35) / 0.25, (features[..., 9] - 3.0) / 1.3
    base = np.stack([np.ones(level.shape), level, size], axis=-1)
    score = np.einsum("kaf,fb,kab->ka", z, weights.coefficients, base)
    if bad.all():
        return np.zeros(bad.shape)
    weight = np.where(bad, 0.0, np.exp(np.minimum(score - score[~bad].max(), 0) / temperature))
    normalised: NDArray[np.float64] = weight / weight.sum()
    return normalised


def vote(masks: list[list[NDArray[np.bool_]]], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the shares of all candidates that hold a pixel."""
    out = np.zeros(masks[0][0].shape)
    for k, family in enumerate(masks):
        for a, mask in enumerate(family):
            out += share[k, a] * mask
    return out


def relief(rests: NDArray, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the scales, weighted by the vote, of the height as a share of the peak's."""
    half = rests.shape[1] // 2
    out = np.zeros(rests.shape[1:])
    for rest, weight in zip(rests, share.sum(axis=1), strict=True):
        if rest[half, half] > 0:
            out += weight * rest / rest[half, half]
    return np.clip(out, -1, 2)


def summary(features: NDArray, share: NDArray[np.float64]) -> list[float]:
    """Means over the vote: ln area and its deviation, level, contrasts, stability, entropy, step, growth_two."""
    mean = (features * share[..., None]).sum(axis=(0, 1))
    square = (features[..., 9] ** 2 * share).sum()
    entropy = -sum(p * math.log(p) for p in share.ravel().tolist() if p > 0)
    spread = math.sqrt(max(square - mean[9] ** 2, 0))
    return [mean[9], spread, mean[3], mean[23], mean[24], mean[0], entropy, mean[5], mean[2]]


def near_vote(field: NDArray, inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels within 2 px of a vote of 0.02, and those within 3 px that have less."""
    voted = field >= 0.02
    listed = ndimage.binary_dilation(voted, np.ones((5, 5))) & inside
    return listed, ndimage.binary_dilation(voted, np.ones((7, 7))) & ~voted & inside


def relative(field: NDArray, core: NDArray, ring: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Brightness: 0 at the ring's mean, 1 at the mean weighted by the vote."""
    low = core[ring].mean() if ring.any() else 0.0
    weight = field.astype(np.float64)
    high = (weight * core).sum() / weight.sum() if weight.any() else 0.0
    return np.clip((core - low) / max(high - low, 1.0), -1, 2)


def inputs(
    field: NDArray,
    relative: NDArray,
    level_of: NDArray,
    rests: NDArray,
    levels: NDArray,
    log_area: float,
    y: int,
    x: int,
) -> list[float]:
    """Inputs of the perceptron at one pixel."""
    side, half = len(field), len(field) // 2

    def bright(v: int, u: int) -> float:
        return float(relative[min(max(v, 0), side - 1), min(max(u, 0), side - 1)])

    def voted(v: int, u: int) -> float:
        return float(field[v, u]) if 0 <= v < side and 0 <= u < side else 0.0

    offsets = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    orbits = [[o for o in offsets if sorted(map(abs, o)) == [a, b]] for a, b in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))]  # noqa: E501  # fmt: skip
    out = [float(np.mean([voted(y + dy, x + dx) for dy, dx in orbit])) for orbit in orbits]
    out += [float(np.mean([bright(y + dy, x + dx) for dy, dx in orbit])) for orbit in orbits]
    reached = [*levels.tolist(), 0.0]
    out += [reached[level_of[min(k, len(level_of) - 1), y, x]] for k in range(3)]
    for k in (0, 2):
        j = min(k, len(rests) - 1)
        out.append(float(np.clip(rests[j, y, x] / max(rests[j, half, half], 1.0), -1, 2)))
    own = bright(y, x)
    for reach in (1, 2):
        around = [bright(y + dy, x + dx) for dy, dx in offsets if max(abs(dy), abs(dx)) <= reach]
        out += [max(around) - own, own - min(around)]
    down, across = (bright(y + 1, x) - bright(y - 1, x)) / 2, (bright(y, x + 1) - bright(y, x - 1)) / 2
    distance = math.hypot(y - half, x - half)
    out.append(math.hypot(down, across))
    out.append((down * (y - half) + across * (x - half)) / max(distance, 1.0))
    out.append(distance / math.exp(log_area / 2))
    return out


def perceptron(inputs: NDArray, votes: NDArray, extra: NDArray, weights: Any) -> NDArray[np.float64]:
    """Two hidden layers of x sigmoid(x) by matrix products, in float64."""
    both = np.concatenate([inputs, np.broadcast_to(extra, (len(inputs), len(extra)))], axis=1).astype(np.float64)
    z = np.clip((both - weights.centre) / weights.deviation, -5, 5)
    (w1, b1), (w2, b2), (w3, b3) = weights.layers
    for w, b in ((w1, b1), (w2, b2)):
        z = z @ w + b
        z = z * expit(z)
    out: NDArray[np.float64] = expit((z @ w3)[:, 0] + b3[0] + 6 * (votes - 0.5))
    return out
