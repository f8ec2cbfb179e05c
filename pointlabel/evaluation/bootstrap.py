"""Paired bootstrap over images: how sure a difference between two sets of masks is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import as_floats, as_generator
from .._values import as_number
from ..errors import InputError

_CHUNK = 1_000_000  # weights drawn at a time


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference A - B and the bounds between which the given share of its resamples lies."""

    difference: float
    low: float
    high: float


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    has_target: ArrayLike,
    *,
    n_resamples: int = 2000,
    level: float = 0.95,
    rng: int | np.random.Generator | None = 0,
) -> dict[str, Interval]:
    """Estimate the percentile intervals of the differences in IoU and nIoU by drawing images with replacement.

    Both sets of masks are drawn with the same images, so that what makes an image hard cancels out.

    Parameters
    ----------
    a, b : (N, 2) counts of pixels, (intersection, union) of each image with its true mask.
    has_target : (N,) bool, whether the true mask holds a target.
    n_resamples : number of resamples, at least 1.
    level : share of the resamples inside the interval, in (0, 1).
    rng : seed or generator.

    Returns
    -------
    dict from ``iou``, ``niou`` and ``niou_with_targets`` (as in `Totals.summary`) to `Interval`; the last one is
    missing where no image has a target.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    counts = [as_floats(values, name) for values, name in ((a, "a"), (b, "b"))]
    with_target = as_floats(has_target, "has_target").astype(bool)
    if with_target.ndim != 1:
        raise InputError(f"has_target must hold one entry per image, got shape {with_target.shape}")
    n = len(with_target)
    if n == 0 or any(values.shape != (n, 2) for values in counts):
        shapes = " and ".join(str(values.shape) for values in counts)
        raise InputError(f"a and b must have shape ({n}, 2), one row for each of one or more images, got {shapes}")
    as_number(n_resamples, "n_resamples", 1, whole=True)
    if not 0 < as_number(level, "level") < 1:
        raise InputError(f"level must lie in (0, 1), got {level}")
    generator = as_generator(rng)
    draws = []
    step = max(1, _CHUNK // n)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        weights = generator.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        draws.append(_differences(weights, counts, with_target))
    drawn = np.concatenate(draws)
    here = _differences(np.ones((1, n)), counts, with_target)[0]
    tail = (1 - level) / 2
    out = {}
    for column, name in enumerate(("iou", "niou", "niou_with_targets")):
        values = drawn[:, column]
        values = values[np.isfinite(values)]  # a resample without a target has no mean over targets' images
        if values.size and np.isfinite(here[column]):
            low, high = np.quantile(values, (tail, 1 - tail))
            out[name] = Interval(float(here[column]), float(low), float(high))
    return out


def _differences(
    weights: NDArray[np.float64], counts: list[NDArray[np.float64]], with_target: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """A - B of the three metrics for each row of weights, (R, 3); NaN where a metric is not defined."""
    metrics = []
    weights_of_targets = weights * with_target
    for values in counts:
        sums = weights @ values
        ious = np.divide(values[:, 0], values[:, 1], out=np.zeros(len(values)), where=values[:, 1] > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            pooled = np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], 0.0)
            of_targets = weights_of_targets @ ious / weights_of_targets.sum(axis=1)
        metrics.append(np.stack([pooled, weights @ ious / weights.sum(axis=1), of_targets], axis=1))
    return metrics[0] - metrics[1]
