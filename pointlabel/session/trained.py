"""Proposals of a trained detector."""

from __future__ import annotations

import os
from collections.abc import Sequence

from numpy.typing import NDArray

from ..evaluation.components import find_components
from ..training.devices import pick_device
from ..training.evaluate import predict_maps
from ..training.load import load_run
from ..training.scaling import fit_range
from .proposals import Finder

#: Probability above which pixels are a detection: below that of a run, as a person looks at each.
_THRESHOLD = 0.3
_BATCH_PX = 1 << 20


def open_detector(run: str | os.PathLike[str]) -> Finder:
    """Peaks of what a run of `train` detects, with their probability, the highest first.

    Raises
    ------
    InputError
        Where the folder holds no run.
    """
    loaded, device = load_run(run), pick_device("cpu")

    def find(image: NDArray, full: float | None) -> list[tuple[int, int, float]]:
        inputs: Sequence[NDArray] = [loaded.scaling.apply(fit_range(image, full))]
        (_, probability), *_ = predict_maps(loaded.net, inputs, device=device, batch_px=_BATCH_PX)
        peaks = []
        for pixels in find_components(probability > _THRESHOLD).pixels():
            values = probability[tuple(pixels.T)]
            row, column = pixels[int(values.argmax())].tolist()
            peaks.append((row, column, float(values.max())))
        return sorted(peaks, key=lambda peak: -peak[2])

    return find
