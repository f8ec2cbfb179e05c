"""A few images with their points, read ahead of a run to look at the points as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..decode import decode_image
from ..files import read_bytes
from .base import PointEntry
from .fit import place_points

#: At most this many images are read, spread evenly, and so many points of each; no further one is read once this many
#: pixels are. So the look costs a fraction of a second, whatever the size of the run.
MOST_IMAGES, MOST_POINTS, MOST_PIXELS = 16, 13, 4_000_000

T = TypeVar("T")


class LookedAt(NamedTuple):
    """Points of one image.

    Attributes
    ----------
    image : (H, W) grey levels.
    points : (N, 2) float64, (row, column), also those outside the image.
    """

    image: NDArray
    points: NDArray[np.float64]


def look_at_some(work: Sequence[tuple[str, PointEntry]]) -> list[LookedAt]:
    """Read some of the images with their points; what cannot be read is left for the run to tell.

    Parameters
    ----------
    work : path and points of each image.
    """
    out: list[LookedAt] = []
    n_pixels = 0
    for path, entry in spread(work, MOST_IMAGES):
        if n_pixels >= MOST_PIXELS:
            break
        try:
            given = entry.load()
            if not given.rows:
                continue
            image, _ = decode_image(read_bytes(path), path)
            places, _ = place_points(given, (image.shape[0], image.shape[1]))
        except Exception:
            continue
        n_pixels += image.size
        out.append(LookedAt(image, places[spread(range(len(places)), MOST_POINTS)]))
    return out


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, spread evenly, in their order."""
    n = len(items)
    return list(items) if n <= most else [items[k * n // most] for k in range(most)]
