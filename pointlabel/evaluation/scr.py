"""Local signal-to-clutter ratio (SCR) of a target."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .components import Components

_LARGEST = 12.0
_FEWEST_RING_PX = 9


def local_scr(
    image: NDArray, target: NDArray[np.bool_], *, excluded: NDArray[np.bool_] | None = None, min_area_px: int = 9
) -> float:
    """Measure how far a target stands out of the ring around it, in standard deviations of the ring.

    SCR = |mean(target) - mean(ring)| / (std(ring) + 2e-6), clipped to [0, 12], with the sample standard deviation.
    The ring lies between the target's bounding box scaled 1.5 and the box scaled 4, at least 15 px across; where it
    holds fewer than 9 pixels the whole background takes its place. As published for REEM, where one box holds all
    targets of the image and targets of fewer than 9 px count as 0.

    Parameters
    ----------
    image : (H, W) real, grey values in [0, 1]; pixels that are not finite are left out.
    target : (H, W) bool, the target or all of them.
    excluded : (H, W) bool, pixels that belong to no ring, `target` by default.
    min_area_px : a smaller target has SCR 0.

    Returns
    -------
    float in [0, 12]; 0 where no pixel of the target, or fewer than two of the background, is finite.
    """
    background = np.isfinite(image) & ~(target if excluded is None else excluded | target)
    return _scr(image, np.argwhere(target), background, lambda: _moments(image[background]), min_area_px)


def _moments(values: NDArray) -> tuple[int, float, float]:
    """Number, mean and sample standard deviation of values; fewer than two have no deviation."""
    if values.size < 2:
        return values.size, 0.0, 0.0
    exact = values.astype(np.float64)
    return exact.size, float(exact.mean()), float(exact.std(ddof=1))


def _scr(
    image: NDArray,
    pixels: NDArray[np.int64],
    background: NDArray[np.bool_],
    far: Callable[[], tuple[int, float, float]],
    min_area_px: int,
) -> float:
    """As `local_scr`, for the target's pixels (K, 2); `far` gives the moments of the whole background."""
    if len(pixels) < max(min_area_px, 1):
        return 0.0
    rows, columns = pixels.T
    inner: list[slice] = []
    outer: list[slice] = []
    for axis, size in ((rows, image.shape[0]), (columns, image.shape[1])):
        low, high = int(axis.min()), int(axis.max())
        extent, centre = high - low + 1, round((low + high) / 2)
        for bounds, half in ((inner, max(1, round(0.75 * extent))), (outer, max(7, round(2.0 * extent)))):
            bounds.append(slice(max(centre - half, 0), min(centre + half + 1, size)))
    window = outer[0], outer[1]
    ring = background[window].copy()
    ring[tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))] = False
    n, mean, deviation = _moments(image[window][ring]) if np.count_nonzero(ring) >= _FEWEST_RING_PX else far()
    inside = image[rows, columns].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    if inside.size == 0 or n < 2:
        return 0.0
    return float(min(abs(inside.mean() - mean) / (deviation + 2e-6), _LARGEST))


def target_scrs(image: NDArray, targets: Components) -> NDArray[np.float64]:
    """Measure the local SCR of each target on its own, however small; no ring holds pixels of another target.

    Parameters
    ----------
    image : (H, W) real, any range: it is scaled to [0, 1] first.
    targets : components of the true mask.

    Returns
    -------
    (K,) float64 in [0, 12].
    """
    values = image.astype(np.float64)
    finite = values[np.isfinite(values)]
    if finite.size and finite.max() > finite.min():
        values = (values - finite.min()) / (finite.max() - finite.min())
    background = np.isfinite(values) & (targets.labels == 0)
    far = cache(lambda: _moments(values[background]))  # once per image, and only where a ring is too small
    return np.array([_scr(values, pixels, background, far, 1) for pixels in targets.pixels()])
