"""Images of the real data sets with their points, masks and true areas."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel.io.decode import read_image
from pointlabel.io.masks.read import MaskWarning, read_mask

Sample = tuple[NDArray, NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]


def real_samples(folder: Path, *, every: int = 1) -> Iterator[Sample]:
    """Yield (image, centroid points, mask, area of each point's region or 1) of every `every`-th image."""
    for path in sorted((folder / "images").glob("*.png"))[::every]:
        image, _ = read_image(str(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MaskWarning)
            mask = read_mask(folder / "masks" / path.name)
            spots = read_mask(folder / "masks_centroid" / path.name, threshold=0)
        if not image.shape == mask.shape == spots.shape:
            continue
        points = np.argwhere(spots)
        regions, _ = ndimage.label(mask, np.ones((3, 3)))
        at = regions[points[:, 0], points[:, 1]]
        areas = np.where(at > 0, np.bincount(regions.ravel())[at], 1)
        yield image, points.astype(np.float64), mask, areas
