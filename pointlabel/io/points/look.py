"""A few images with their points, read ahead of a run to look at the points as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..decode import read_image
from .base import NotPointsError, PointEntry
from .fit import FEWEST_TOUCHING, count_touching, is_inside, place_points

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
    has_polarity : whether some of them have a polarity of their own.
    """

    image: NDArray
    points: NDArray[np.float64]
    has_polarity: bool = False


def look_at_some(work: Sequence[tuple[str, PointEntry]]) -> list[LookedAt]:
    """Read some of the images with their points; files that cannot be read are left for the run to report.

    Parameters
    ----------
    work : path and points of each image.

    Raises
    ------
    InputError
        Where most of the files looked at hold masks or images in place of points.
    """
    out: list[LookedAt] = []
    refused: list[NotPointsError] = []
    n_pixels = n_points = n_touching = 0
    first = ""
    for path, entry in spread(work, MOST_IMAGES):
        if n_pixels >= MOST_PIXELS:
            break
        try:
            given = entry.load()
            if not given.rows:
                continue
            image, _ = read_image(path)
            shape = (image.shape[0], image.shape[1])
            places, _ = place_points(given, shape)
        except NotPointsError as error:
            refused.append(error)
            continue
        except Exception:
            continue
        inside = places[is_inside(places, shape)]
        first, n_points = first or given.file, n_points + len(inside)
        n_touching += count_touching(np.floor(inside).astype(np.int64))
        n_pixels += image.size
        has_polarity = any(row.polarity is not None for row in given.rows)
        out.append(LookedAt(image, places[spread(range(len(places)), MOST_POINTS)], has_polarity))
    if len(refused) > len(out):
        raise refused[0]
    if n_points >= FEWEST_TOUCHING and n_touching > n_points / 2:
        raise NotPointsError(
            f"{first}: {n_touching} of the {n_points} points of {len(out)} images touch each other: masks, not points; "
            "pointlabel points makes points of masks"
        )
    return out


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, spread evenly, in their order."""
    n = len(items)
    return list(items) if n <= most else [items[k * n // most] for k in range(most)]
