"""Local signal-to-clutter ratio (SCR) of a target."""

from __future__ import annotations

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
    rows, columns = np.nonzero(target)
    if rows.size < max(min_area_px, 1):
        return 0.0
    background = np.isfinite(image) & ~(target if excluded is None else excluded | target)
    inner: list[slice] = []
    outer: list[slice] = []
    for axis, size in ((rows, image.shape[0]), (columns, image.shape[1])):
        low, high = int(axis.min()), int(axis.max())
        extent, centre = high - low + 1, round((low + high) / 2)
        for bounds, half in ((inner, max(1, round(0.75 * extent))), (outer, max(7, round(2.0 * extent)))):
            bounds.append(slice(max(centre - half, 0), min(centre + half + 1, size)))
    ring = np.zeros(image.shape, bool)
    ring[outer[0], outer[1]] = True
    ring[inner[0], inner[1]] = False
    ring &= background
    around = image[ring if np.count_nonzero(ring) >= _FEWEST_RING_PX else background].astype(np.float64)
    inside = image[rows, columns].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    if inside.size == 0 or around.size < 2:
        return 0.0
    value = abs(inside.mean() - around.mean()) / (around.std(ddof=1) + 2e-6)
    return float(min(value, _LARGEST))


def target_scrs(image: NDArray, targets: Components) -> NDArray[np.float64]:
    """Measure the local SCR of each target on its own, however small; no ring holds pixels of another target.

    Parameters
    ----------
    image : (H, W) real, any range: it is brought to [0, 1] first.
    targets : components of the true mask.

    Returns
    -------
    (K,) float64 in [0, 12].
    """
    values = image.astype(np.float64)
    finite = values[np.isfinite(values)]
    if finite.size and finite.max() > finite.min():
        values = (values - finite.min()) / (finite.max() - finite.min())
    every = targets.labels > 0
    return np.array(
        [local_scr(values, targets.labels == k, excluded=every, min_area_px=1) for k in range(1, len(targets) + 1)]
    )
