"""Refinements that follow any method: its labels in, sharpened labels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..._checks import pixel_of
from ...engine.conductance import grey_levels, rescale_window
from ...methods.overlaps import inside, shared_part
from ...methods.targets import at_border, widen
from ...params import Params, param
from ...types import TargetLabel
from .mean_field import refine_crf

#: Pixels around a mask's box that the CRF sees.
MARGIN_PX = 6
#: Targets whose window would have a longer side stay as they are: the cost grows with the square of its pixels.
LARGEST_PX = 65
#: Soft labels count as probabilities no nearer to 0 and 1 than this.
LEAST_SURE = 0.001
#: Log-odds that a pixel gets from the mask alone. Soft labels are probabilities for some methods, heights or heat for
#: others; where they change slowly, the pairs would carry the border away without it.
MASK_ODDS = 2.0

_EIGHT = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class CrfParams(Params):
    """Strengths of `refine_by_crf`, for windows stretched to 0 .. 255."""

    n_iter: int = param(5, "iterations of mean field", low=0, high=100)
    spatial_px: float = param(2.0, "deviation of the pairs' distance in pixels", low=0.1, high=1000)
    intensity: float = param(40.0, "deviation of the pairs' step in grey levels", low=0.1, high=1000)
    compatibility: float = param(30.0, "weight of the pairs", low=0, high=1e6)


def refine_by_crf(image: NDArray, labels: Sequence[TargetLabel], params: CrfParams = CrfParams()) -> list[TargetLabel]:
    """Sharpen the labels of one image, each by a dense CRF in its own window.

    1. The window is the mask's box with `MARGIN_PX` around it, stretched to 0 .. 255 by its own range.
    2. Soft label and mask give the first guess (`first_guess`). Its border is the mask's, so tightness has its say.
    3. Mean field in the CRF; the mask is the component above 1/2 that holds the point, or the one that shares most
       with the mask before.

    Parameters
    ----------
    image : (H, W), targets brighter than their surroundings.
    labels : what a method returned for it.

    Returns
    -------
    One label for each; the soft label is the CRF's probability, the quality is the method's times the IoU of the masks
    before and after. Labels flagged "empty", wider than `LARGEST_PX` with the margin, or of which nothing would be
    left, stay as they are. Deterministic; a target's label does not depend on the others.
    """
    return [_refine_one(image, label, params) for label in labels]


def _refine_one(image: NDArray, label: TargetLabel, params: CrfParams) -> TargetLabel:
    start = perf_counter()
    box = label.box
    if "empty" in label.flags or box is None:
        return label
    if max(box[2] - box[0], box[3] - box[1]) + 2 * MARGIN_PX > LARGEST_PX:
        return label
    top, bottom, left, right = widen((box[0], box[2], box[1], box[3]), MARGIN_PX, image.shape)
    units, finite = rescale_window(image[top:bottom, left:right])
    before = np.zeros(units.shape, np.bool_)
    soft = np.zeros(units.shape, np.float32)
    part = shared_part(label.window, (slice(top, bottom), slice(left, right)))
    assert part is not None  # both hold the mask
    here, there = inside((top, left), part), inside(label.origin, part)
    before[here], soft[here] = label.mask[there], label.soft[there]
    probability = refine_crf(
        first_guess(soft, before),
        grey_levels(units),
        n_iter=params.n_iter,
        spatial_px=params.spatial_px,
        intensity=params.intensity,
        compatibility=params.compatibility,
    )
    probability[~finite] = 0
    row, column = pixel_of(np.array([label.point]), image.shape)[0].tolist()
    after = _component(probability > 0.5, before, (row - top, column - left))
    if after is None:
        return label
    both, either = np.count_nonzero(before & after), np.count_nonzero(before | after)
    flags = set(label.flags) - {"clipped"}
    if at_border(after, top, left, image.shape):
        flags.add("clipped")
    return replace(
        label,
        origin=(top, left),
        soft=probability.astype(np.float32),
        mask=after,
        quality=label.quality * float(both / either),
        flags=tuple(sorted(flags)),
        time_ms=label.time_ms + (perf_counter() - start) * 1000,
    )


def first_guess(soft: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probability that the CRF starts from, (h, w) float64: above 1/2 in the mask, below outside.

    The soft label is stretched so that 1/2 lies at the border of the mask. The level there is the mean of two means of
    `soft`: over the mask's pixels that touch its outside, and over the pixels outside that touch the mask. Below it
    values shrink to [0, 1/2], above they stretch to [1/2, 1], linearly. Pixels that then lie on the wrong side of 1/2
    are put on the right one. Their log-odds, and those of the mask's own say, `MASK_ODDS`, add up.
    """
    values = soft.astype(np.float64)
    edges = mask & ndimage.binary_dilation(~mask, _EIGHT), ~mask & ndimage.binary_dilation(mask, _EIGHT)
    sides = [values[edge].mean() if edge.any() else value for edge, value in zip(edges, (1.0, 0.0), strict=True)]
    level = min(max(sum(sides) / 2, LEAST_SURE), 1 - LEAST_SURE)
    share = np.where(values < level, values / level, 1 + (values - level) / (1 - level)) / 2
    share = np.clip(np.where(mask, np.maximum(share, 0.5), np.minimum(share, 0.5)), LEAST_SURE, 1 - LEAST_SURE)
    odds = np.log(share / (1 - share)) + np.where(mask, MASK_ODDS, -MASK_ODDS)
    return 1 / (1 + np.exp(-odds))


def _component(found: NDArray[np.bool_], before: NDArray[np.bool_], home: tuple[int, int]) -> NDArray[np.bool_] | None:
    """8-connected component that holds `home`, else the one that shares most pixels with `before`, else None."""
    numbers, _ = ndimage.label(found, _EIGHT)
    inside = 0 <= home[0] < found.shape[0] and 0 <= home[1] < found.shape[1]
    number = int(numbers[home]) if inside else 0
    if not number:
        shared = np.bincount(numbers[before], minlength=1)
        shared[0] = 0
        number = int(shared.argmax())
    return numbers == number if number else None
