"""Targets that nobody has clicked on: peaks that stand out from their surroundings, the likeliest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..methods.polarity import invert
from ..types import TargetLabel
from .board import TargetBoard

#: Side of the square that a target is smaller than, and of the one that its noise is taken from, in pixels.
TARGET_PX, NOISE_PX = 15, 41
#: Deviations of the noise that a peak stands out by, peaks that are labelled, and least presence of a proposal.
LEAST_CONTRAST, MOST_PEAKS, LEAST_PRESENCE = 4.0, 48, 0.3
#: Nearer than this, on both axes, a peak is what a click or a refusal already speaks of.
SAME_PX = 3
#: A peak beside a mask is that of its target where its own mask shares more than this with those that are there.
MOST_SHARED = 0.5

#: (row, column, weight) of peaks in (image, largest whole number of its file): what a trained detector gives, too.
Finder = Callable[[NDArray, float | None], list[tuple[int, int, float]]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A target that may be one.

    Attributes
    ----------
    row, column : its peak.
    weight : how far it stands out, in deviations of the noise; of a detector, the probability.
    polarity : "bright" or "dark".
    label : its mask, were it one.
    """

    row: int
    column: int
    weight: float
    polarity: str
    label: TargetLabel

    @property
    def score(self) -> float:
        """Presence times contrast: what proposals are sorted by."""
        return self.weight * (1.0 if self.label.presence is None else self.label.presence)


def find_peaks_of(image: NDArray) -> list[tuple[int, int, float]]:
    """Bright peaks of an image (H, W) as (row, column, contrast in noises), the highest first.

    The image, smoothed over 3 x 3, less its opening with a square (the white top-hat), which takes away all that is
    wider; over the deviation of what is left around.
    """
    levels = image.astype(np.float32)
    finite = np.isfinite(levels)
    if not finite.any():
        return []
    if not finite.all():
        levels = np.where(finite, levels, np.float32(np.median(levels[finite])))
    smooth = ndimage.uniform_filter(levels, 3)
    height = smooth - ndimage.grey_opening(smooth, (TARGET_PX, TARGET_PX))
    mean = ndimage.uniform_filter(height, NOISE_PX)
    square = ndimage.uniform_filter(height * height, NOISE_PX)
    noise = np.sqrt(np.maximum(square - mean * mean, 0))
    noise = np.maximum(noise, 0.3 * float(np.median(noise)) + 1e-12)
    contrast = np.where(finite, (height - mean) / noise, 0)
    peaks = (ndimage.maximum_filter(contrast, 2 * SAME_PX + 1) == contrast) & (contrast > LEAST_CONTRAST)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-contrast[rows, columns], kind="stable")[:MOST_PEAKS]
    return [(int(rows[k]), int(columns[k]), float(contrast[rows[k], columns[k]])) for k in order]


def propose(board: TargetBoard, full: float | None = None, finder: Finder | None = None) -> list[Proposal]:
    """Targets that the image may have beside those of the board, the likeliest first.

    Peaks in a mask, near a click, or where a proposal was refused are left out, and those whose mask is there already.

    Parameters
    ----------
    board : the image.
    full : largest value of its file's whole numbers, None in floating point.
    finder : a trained detector, which looks for bright and dark alike; None for `find_peaks_of`.
    """
    image, polarity = board.image, board.labeller.polarity
    found: list[tuple[int, int, float, str]] = []
    if finder is not None:
        found = [(*peak, polarity) for peak in finder(image, full)][:MOST_PEAKS]
    else:
        for kind in ("bright", "dark"):
            if polarity in (kind, "auto"):
                found += [(*peak, kind) for peak in find_peaks_of(image if kind == "bright" else invert(image))]
    known = [click.pixel for click in board.state.clicks] + list(board.state.refused)
    taken = board.labels.mask()
    out: list[Proposal] = []
    for row, column, weight, kind in found:
        if taken[row, column] or any(max(abs(row - y), abs(column - x)) <= SAME_PX for y, x in known):
            continue
        label = board.labeller.label(image, [(row, column)], tightness=board.tightness, polarity=[kind]).targets[0]
        is_known = taken[label.window][label.mask].mean() > MOST_SHARED if label.mask.any() else False
        if not is_known and (label.presence is None or label.presence >= LEAST_PRESENCE):
            out.append(Proposal(row, column, weight, label.polarity, label))
    return sorted(out, key=lambda proposal: -proposal.score)
