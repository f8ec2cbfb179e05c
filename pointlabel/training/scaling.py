"""From grey levels to the inputs of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scaling:
    """How grey levels become inputs of a detector: (level - mean) / deviation.

    Whole numbers are first divided by the largest value of their type. Where `mean` is None each image is scaled by
    its own mean and deviation. Pixels that are not finite become 0.
    """

    mean: float | None
    deviation: float | None

    def apply(self, image: NDArray) -> NDArray[np.float32]:
        """Scale an image (H, W), or a piece of one where the scaling does not depend on the image."""
        levels = unit_levels(image)
        mean, deviation = self.mean, self.deviation
        if mean is None or deviation is None:
            mean, deviation = moments([levels])
        out = (levels - np.float32(mean)) / np.float32(deviation)
        out[~np.isfinite(out)] = 0
        return out


def unit_levels(image: NDArray) -> NDArray[np.float32]:
    """Grey levels as float32; whole numbers over the largest value of their type."""
    if image.dtype.kind in "ui":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    return image.astype(np.float32)


def fit_range(image: NDArray, full: float | None) -> NDArray:
    """Bring an image to the scale of others like it where missing pixels made floating point of its whole numbers.

    `unit_levels` divides whole numbers by the largest of their type; here that is done for those that are no longer
    whole. `full` is what `decode.GreyLevels` says of the file.
    """
    return image if full is None or image.dtype.kind != "f" else image / image.dtype.type(full)


def moments(images: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Mean and deviation of the finite pixels of several images; a flat image has the deviation 1."""
    n, total, squares = 0, 0.0, 0.0
    for image in images:
        finite = image[np.isfinite(image)].astype(np.float64)
        n, total, squares = n + finite.size, total + float(finite.sum()), squares + float((finite**2).sum())
    mean = total / n if n else 0.0
    variance = max(squares / n - mean**2, 0.0) if n else 0.0
    return mean, variance**0.5 if variance > 1e-12 else 1.0
