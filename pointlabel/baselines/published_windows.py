"""The size classes and random windows of the published methods, and their random numbers per target."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..methods.targets import Bounds
from ..types import LabelRequest

SIZE_PRIORS = ("none", "fixed", "oracle")

#: Published size classes: largest area in pixels, and how far a window reaches on each side of the point.
POINT_AREA, SPOT_AREA = 9, 81
REACH = {"Point": (3, 5), "Spot": (10, 11), "Extended": (15, 25)}
#: Reach of Point windows to the right in the repository of MCLC; in that of the diffusion it is as to the other sides.
MCLC_RIGHT = 3

#: Pixels that the published windows are grown by before the heat spreads in them.
MARGIN = 4


def size_classes(request: LabelRequest, size_prior: str) -> list[str]:
    """Published size class of each target: by its true area for "oracle", else "Spot"."""
    if size_prior != "oracle":
        return ["Spot"] * len(request.points)
    if request.true_area is None:
        raise InputError('size_prior="oracle" needs true_area, the area of each true mask in pixels; it was not given')
    areas = request.true_area.tolist()
    return ["Point" if a <= POINT_AREA else "Spot" if a <= SPOT_AREA else "Extended" for a in areas]


def published_windows(request: LabelRequest, size_prior: str, *, point_right: int | None = None) -> list[Bounds]:
    """The published windows: the point and a random reach on each side, by size class, ends exclusive.

    The last row and column of the reach are left out, as in the published code. The point's own pixel is always in.

    Parameters
    ----------
    request : for the points, the true areas and the random numbers.
    size_prior : see `size_classes`.
    point_right : reach of Point windows to the right where it is fixed, `MCLC_RIGHT`; None draws it.
    """
    height, width = request.image.shape
    out = []
    for (row, column), name in zip(request.pixels, size_classes(request, size_prior), strict=True):
        low, high = REACH[name]
        up, down, left, right = child_rng(request.rng, row, column).integers(low, high + 1, 4).tolist()
        if point_right is not None and name == "Point":
            right = point_right
        out.append(
            (max(row - up, 0), max(min(row + down, height - 1), row + 1),
             max(column - left, 0), max(min(column + right, width - 1), column + 1))
        )  # fmt: skip
    return out


def child_seed(rng: np.random.Generator, row: int, column: int, *further: int) -> np.random.SeedSequence:
    """Seed of the target at a pixel: the same whatever other targets there are and in whatever order.

    The seed itself draws the window; methods that draw more number theirs from 0 as `further`.
    """
    seed = rng.bit_generator.seed_seq
    entropy, key = getattr(seed, "entropy", 0), getattr(seed, "spawn_key", ())
    return np.random.SeedSequence(entropy, spawn_key=(*key, row, column, *further))


def child_rng(rng: np.random.Generator, row: int, column: int, *further: int) -> np.random.Generator:
    """Generator that starts from `child_seed`."""
    return np.random.default_rng(child_seed(rng, row, column, *further))
