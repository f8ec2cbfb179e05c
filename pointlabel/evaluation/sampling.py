"""Points from masks, in the two ways of published data sets."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .components import find_components

MODES = ("centroid", "coarse")
_MOST_DRAWS = 1000


def points_from_mask(
    mask: NDArray[np.bool_], mode: str = "centroid", *, seed: int = 0, image_id: str = ""
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Place one point in each 8-connected component.

    "centroid" takes the floor of the centroid, as published point labels do. "coarse" draws from a normal
    distribution around the centre of the component's bounding box, whose standard deviation is a quarter of half
    the box on each axis, until the pixel lies in the component. A point that falls outside a concave component, or
    1000 draws that all do, is moved to the component's nearest pixel.

    Parameters
    ----------
    mask : (H, W) bool.
    mode : "centroid" or "coarse".
    seed, image_id : both seed the draws, so that the points of an image do not depend on other images.

    Returns
    -------
    points : (K, 2) int64 as (row, column), in the order of the components' first pixels.
    moved : (K,) bool, the points that were moved.
    """
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if seed < 0:
        raise InputError(f"seed must not be negative, got {seed}")
    components = find_components(mask)
    digest = hashlib.sha256(image_id.encode("utf-8", "surrogateescape")).digest()
    rng = np.random.default_rng([seed, *np.frombuffer(digest, np.uint32).tolist()])
    points, moved = np.zeros((len(components), 2), np.int64), np.zeros(len(components), bool)
    for index, pixels in enumerate(components.pixels()):
        if mode == "centroid":
            spot, inside = _checked(np.floor(components.centroids[index]), pixels)
        else:
            spot, inside = _draw(pixels, rng.spawn(1)[0])
        points[index], moved[index] = spot, not inside
    return points, moved


def _draw(pixels: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], bool]:
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    for _ in range(_MOST_DRAWS):
        draw = (low + high) / 2 + rng.normal(0, 0.25, 2) * (high - low + 1) / 2
        spot, inside = _checked(np.ceil(draw - 0.5), pixels)
        if inside:
            break
    return spot, inside


def _checked(spot: NDArray, pixels: NDArray[np.int64]) -> tuple[NDArray[np.int64], bool]:
    """The spot where it is one of the pixels, else the nearest of them; and which of the two it is."""
    distance = ((pixels - spot) ** 2).sum(axis=1)
    nearest = int(np.argmin(distance))
    return pixels[nearest], bool(distance[nearest] == 0)
