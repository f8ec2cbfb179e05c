"""Refinement: a small perceptron looks at every pixel near the vote and sharpens the border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._refine_kernels import N_INPUTS, NEAR_VOTE, VOTE_GAIN, near_input_kernel, perceptron_kernel
from .regions import LEVELS, Regions
from .vote import SUMMARY, Vote
from .weights import RefineWeights
from .window import Window

#: Numbers of the vote that the perceptron reads beside the pixel's own. Not the expected size: it tells the data sets
#: apart, and left-out ones come out worse with it.
EXTRA = ("log_area_deviation", "level", "best_score", "log_noise", "log_spread")
_EXTRA_AT = np.array([SUMMARY.index(name) for name in EXTRA])
_N_PIXELS = 65 * 65

__all__ = ["EXTRA", "NEAR_VOTE", "N_INPUTS", "VOTE_GAIN", "PixelInputs", "pixel_inputs", "refine"]


@dataclass(frozen=True, slots=True)
class PixelInputs:
    """What the perceptron reads: pixels of the window and their inputs (n, N_INPUTS), and numbers they share."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    inputs: NDArray[np.float32]
    votes: NDArray[np.float32]
    extra: NDArray[np.float32]

    def copy(self) -> PixelInputs:
        """The same in arrays of its own."""
        return PixelInputs(self.rows.copy(), self.columns.copy(), self.inputs.copy(), self.votes.copy(), self.extra)


def pixel_inputs(window: Window, regions: Regions, vote: Vote, field: NDArray[np.float32]) -> PixelInputs:
    """Describe every pixel within 2 px of the vote; `field` is the vote, or the vote after the heat.

    The arrays are views into room for all pixels of the window; who keeps them makes copies.
    """
    rows, columns = np.empty(_N_PIXELS, np.int64), np.empty(_N_PIXELS, np.int64)
    inputs, votes = np.empty((_N_PIXELS, N_INPUTS), np.float32), np.empty(_N_PIXELS, np.float32)
    high = regions.heights
    n = near_input_kernel(
        field,
        window.core,
        window.inside,
        regions.level_of,
        high.units,
        high.sampling,
        high.grids,
        high.extents,
        high.residual,
        regions.contrast,
        LEVELS,
        float(vote.summary[0]),
        rows,
        columns,
        inputs,
        votes,
    )
    return PixelInputs(rows[:n], columns[:n], inputs[:n], votes[:n], vote.summary[_EXTRA_AT].astype(np.float32))


def refine(
    window: Window, regions: Regions, vote: Vote, field: NDArray[np.float32], weights: RefineWeights
) -> NDArray[np.float32]:
    """Probability that each pixel of the window belongs to the target, (65, 65) float32; 0 away from the vote."""
    pixels, (first, second, last) = pixel_inputs(window, regions, vote, field), weights.layers
    soft = np.empty(field.shape, np.float32)
    perceptron_kernel(
        pixels.inputs,
        pixels.votes,
        pixels.extra,
        weights.centre,
        weights.deviation,
        *first,
        *second,
        *last,
        pixels.rows,
        pixels.columns,
        soft,
    )
    return soft
