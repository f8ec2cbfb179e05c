"""Clicks on targets, on random background and on the peaks of clutter: what the presence is fitted and judged on."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.common import ALL_DATASETS, POINTS, Sample, brightened, load
from pointlabel._checks import pixel_of
from pointlabel.evaluation.targets import true_targets
from pointlabel.methods.polarity import invert

#: Kinds of click: on a true target by either kind of point, then what is none.
KINDS = (*POINTS, "random", "clutter", "inverted")
POSITIVE = len(POINTS)
RANDOM, CLUTTER, INVERTED = (KINDS.index(name) for name in ("random", "clutter", "inverted"))
CLEAR_PX = 10  # clicks that are none lie at least this far from every true mask
PER_IMAGE = 3  # of random clicks, and of clutter's peaks
HAT_PX = 15  # structures narrower than this stand out in the white top-hat


@dataclass(frozen=True, slots=True)
class Click:
    """A pixel (row, column) of an image, of one of `KINDS`, in one of `ALL_DATASETS`."""

    group: int
    kind: int
    pixel: tuple[int, int]


def clicks_of(data: Path, *, every: int = 1) -> Iterator[tuple[str, NDArray, list[Click]]]:
    """Yield each image of every data set with its name and its clicks, and once more inverted.

    The inverted image has the true points as clicks: a dark target under a bright click, that is the wrong polarity.
    """
    for group, name in enumerate(ALL_DATASETS):
        coarse = load(data, name, "coarse", every=every)
        for sample, other in zip(load(data, name, "centroid", every=every), coarse, strict=True):
            assert sample.id == other.id
            image = brightened(sample.image, name)
            true = [Click(group, kind, at) for kind, one in enumerate((sample, other)) for at in on_target(one)]
            free = ndimage.distance_transform_edt(~sample.mask) if sample.mask.any() else np.full(image.shape, np.inf)
            apart = [Click(group, RANDOM, at) for at in random_pixels(free > CLEAR_PX, sample.id)]
            apart += [Click(group, CLUTTER, at) for at in clutter_peaks(image, free > CLEAR_PX)]
            yield sample.id, image, true + apart
            yield sample.id, invert(image), [Click(group, INVERTED, click.pixel) for click in true if click.kind == 0]


def on_target(sample: Sample) -> list[tuple[int, int]]:
    """Pixels of the points that have a true target."""
    _, owners = true_targets(sample.mask, sample.points)
    pixels = pixel_of(sample.points, (sample.mask.shape[0], sample.mask.shape[1])).tolist()
    return [(row, column) for (row, column), owner in zip(pixels, owners, strict=True) if owner]


def random_pixels(free: NDArray[np.bool_], name: str) -> list[tuple[int, int]]:
    """A few random pixels of `free`, always the same for an image's name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    places = np.flatnonzero(free)
    chosen = rng.choice(places, min(PER_IMAGE, len(places)), replace=False)
    return [(int(at) // free.shape[1], int(at) % free.shape[1]) for at in chosen]


def clutter_peaks(image: NDArray, free: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The highest local maxima of the white top-hat in `free`, at least `CLEAR_PX` apart."""
    hat = ndimage.white_tophat(image.astype(np.float64), size=HAT_PX)
    hat[~free] = 0
    out = []
    for _ in range(PER_IMAGE):
        row, column = (int(at) for at in np.unravel_index(hat.argmax(), hat.shape))
        if hat[row, column] <= 0:
            break
        out.append((row, column))
        hat[max(row - CLEAR_PX, 0) : row + CLEAR_PX + 1, max(column - CLEAR_PX, 0) : column + CLEAR_PX + 1] = 0
    return out
