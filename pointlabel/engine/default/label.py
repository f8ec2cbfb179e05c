"""The default method: regions vote over scales, heat smooths the vote, a perceptron sharpens the border.

Its steps, a file each: `methods.peaks`, `window`, `regions`, `vote`, `heat`, `refine`, `border`, `quality`,
`presence`. Heat and prior are those of "Diffuse to Detect" (arXiv 2605.20766), eqs. (2) to (4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...methods.crop_grid import CropGrid
from ...methods.overlaps import inside, masks_meet
from ...methods.peaks import find_peaks
from ...methods.targets import has_holes, make_target
from ...types import LabelRequest, TargetLabel
from ._refine_kernels import label_box_kernel
from .border import cut_border
from .heat import heat_between, heat_vote
from .larger import is_believed, needs_larger
from .params import DefaultParams
from .presence import is_doubtful, is_likelier, presence
from .quality import quality, quality_inputs
from .refine import refine
from .regions import VOTING_SCALES, Regions, grow_regions
from .style import leaks, styled_weights
from .vote import SUMMARY, Vote, cast_vote
from .weights import Weights
from .window import HALF, STRIDES, Window, cut_window

LOW_CONTRAST = 3.0  # expected contrast in noises below which a target is flagged
_LEAST_SOFT = np.float32(1 / 512)  # what is below is cut off with the crop
_LOG_NOISE, _STABILITY, _BEST = (SUMMARY.index(name) for name in ("log_noise", "stability", "best_score"))


@dataclass(frozen=True, slots=True)
class WindowLabel:
    """The label of one target in one window, with each step's result.

    Attributes
    ----------
    window, regions, vote : of the steps of these names.
    refined : (65, 65) float32, the soft label before the border is cut.
    soft, mask, found, touches : from `cut_border`.
    """

    window: Window
    regions: Regions
    vote: Vote
    refined: NDArray[np.float32]
    soft: NDArray[np.float32]
    mask: NDArray[np.bool_]
    found: bool
    touches: bool

    @property
    def contrast(self) -> float:
        """Expected contrast of the peak in noises; 0 where no candidate stood out."""
        return float(np.exp(self.vote.summary[_LOG_NOISE])) if self.vote.share.any() else 0.0

    @property
    def stability(self) -> float:
        """Expected stability of the regions over backgrounds; 0 where no candidate stood out."""
        return float(self.vote.summary[_STABILITY])

    @property
    def best_score(self) -> float:
        """Score of the best region; 0 where no candidate stood out."""
        return float(self.vote.summary[_BEST])

    @property
    def area_px(self) -> int:
        """Area of the mask in pixels of the image."""
        return int(self.mask.sum()) * self.window.stride**2


def label_default(request: LabelRequest, params: DefaultParams) -> list[TargetLabel]:
    """Label every point by the vote over regions of many scales.

    Snap the point to its peak; cut a window; grow every connected region that holds the peak over scales of
    background and levels; let them vote (the prior C_p of eq. 4); spread the vote by heat and fuse both
    (eqs. 2 to 4); refine the pixels near the border; cut at `tightness`; keep the component of the peak.
    Where hardly a target is at the peak, the pixel that was clicked is tried too, and the likelier one is kept.

    Returns one `TargetLabel` per point. Deterministic; `request.rng` is not used.
    """
    weights = styled_weights(params)
    image, pixels = request.image, request.pixels
    peaks, shared = find_peaks(image, pixels, snap=params.snap)
    targets = []
    for index, (point, pixel) in enumerate(zip(request.points.tolist(), pixels, strict=True)):
        start = perf_counter()
        label, there = None, 0.0
        for peak in dict.fromkeys((peaks[index], pixel)):
            tried = label_peak(image, peak, params, weights)
            if params.enlarge and needs_larger(tried):
                tried = label_larger(image, tried, params, weights)
            present = _presence(tried, params, weights)
            if label is None or is_likelier((tried.found, present), (label.found, there)):
                label, there = tried, present
            if not is_doubtful(tried.found, present):
                break
        assert label is not None
        peaks[index] = label.window.peak
        tightness = float(request.tightness[index])
        if label.found and tightness != 0.5:
            label = cut_label(label, tightness, params)
        moved = {"moved": label.window.peak != pixel, "duplicate": shared[index]}
        targets.append(_in_image(image, point, label, weights, start, there, **moved))
    if params.share_heat and len(targets) > 1:
        targets = share_heat(image, targets, peaks, params)
    return targets


def label_peak(
    image: NDArray, peak: tuple[int, int], params: DefaultParams, weights: Weights, stride: int = 1
) -> WindowLabel:
    """Run every step on the window of one stride, cut at 0.5: masks would not be nested if `tightness` chose it."""
    window = cut_window(image, peak, stride)
    return label_window(window, grow_regions(window, VOTING_SCALES[params.n_scales]), params, weights)


def label_window(window: Window, regions: Regions, params: DefaultParams, weights: Weights) -> WindowLabel:
    """The steps from the vote on. Where a style leaks or loses the target, the default style's label stands."""
    label = _cast_and_cut(window, regions, params, weights)
    area = int(np.count_nonzero(label.mask))
    if weights.plain is not None and (not label.found or leaks(area, 1)):
        plain = _cast_and_cut(window, regions, params, weights.plain)
        return plain if not label.found or leaks(area, int(np.count_nonzero(plain.mask))) else label
    return label


def _cast_and_cut(window: Window, regions: Regions, params: DefaultParams, weights: Weights) -> WindowLabel:
    return label_vote(window, regions, cast_vote(regions, weights.score, params.temperature), params, weights)


def label_vote(window: Window, regions: Regions, vote: Vote, params: DefaultParams, weights: Weights) -> WindowLabel:
    """The steps after a vote: heat, refinement, and the border at 0.5."""
    heated = heat_vote(window, vote.field, params)
    if params.refine:  # which leaves the pixels outside the image alone
        refined = refine(window, regions, vote, heated, weights.refine)
    else:
        refined = np.where(window.inside, heated, np.float32(0.0))
    return WindowLabel(window, regions, vote, refined, *cut_border(window, regions, vote, refined, 0.5, params))


def cut_label(label: WindowLabel, tightness: float, params: DefaultParams) -> WindowLabel:
    """The same label cut at another tightness."""
    cut = cut_border(label.window, label.regions, label.vote, label.refined, tightness, params)
    return WindowLabel(label.window, label.regions, label.vote, label.refined, *cut)


def label_larger(image: NDArray, first: WindowLabel, params: DefaultParams, weights: Weights) -> WindowLabel:
    """Try windows of 129 and 257 px; the first one stays unless a larger one holds a clear, large target."""
    for stride in STRIDES[1:]:
        label = label_peak(image, first.window.peak, params, weights, stride)
        if is_believed(label, first):
            return label
    return first


def _presence(label: WindowLabel, params: DefaultParams, weights: Weights) -> float:
    """Presence of a window's target, by the default style's vote: how masks are drawn says nothing of it."""
    vote = label.vote if weights.plain is None else cast_vote(label.regions, weights.plain.score, params.temperature)
    return presence(label.regions, vote)


def _in_image(
    image: NDArray,
    point: Sequence[float],
    label: WindowLabel,
    weights: Weights,
    start: float,
    there: float,
    **flags: bool,
) -> TargetLabel:
    """The target of a window's label, with its quality, its presence `there` and its flags."""
    window = label.window
    flags |= {
        "empty": not label.found,
        "touches_window": label.touches,
        "low_contrast": label.contrast < LOW_CONTRAST,
        "nan": has_holes(image, window.peak, HALF * window.stride),
    }
    rate = quality(quality_inputs(label.soft, label.mask, label.vote), weights.quality) if label.found else 0.0
    soft, mask, top, left = in_image(label.soft, label.mask, window.peak, window.stride, image.shape)
    return make_target(point, (top, left), soft, mask, image.shape, start=start, quality=rate, presence=there, **flags)


def in_image(
    soft: NDArray[np.float32], mask: NDArray[np.bool_], peak: tuple[int, int], stride: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int, int]:
    """Soft label, mask, top and left of the part of the image that the target needs, from those of its window."""
    reach = HALF * stride
    if stride > 1:
        between = np.zeros((2 * reach + 1, 2 * HALF + 1), np.float32)
        at = np.arange(2 * reach + 1) / stride
        low = np.minimum(at.astype(np.int64), 2 * HALF - 1)
        between[np.arange(len(at)), low] = 1 - (at - low)
        between[np.arange(len(at)), low + 1] = at - low
        soft = (between @ soft @ between.T).astype(np.float32)
        mask = (between @ mask.astype(np.float32) @ between.T) >= 0.5
    top, bottom, left, right = label_box_kernel(soft, mask, _LEAST_SOFT)
    row, column = peak
    top, bottom = max(top, reach - row), min(bottom, reach - row + shape[0])
    left, right = max(left, reach - column), min(right, reach - column + shape[1])
    part = (slice(top, bottom), slice(left, right))
    return (
        np.ascontiguousarray(soft[part], np.float32),
        np.ascontiguousarray(mask[part]),
        top + row - reach,
        left + column - reach,
    )


def share_heat(
    image: NDArray, targets: Sequence[TargetLabel], peaks: Sequence[tuple[int, int]], params: DefaultParams
) -> list[TargetLabel]:
    """Where masks meet, multiply each soft label by its share of the heat, so that the pixels go to the nearer peak."""
    out = list(targets)
    for i, j in CropGrid(out).overlapping():
        if not masks_meet(targets[i], targets[j]):
            continue
        windows = (targets[i].window, targets[j].window)
        part = tuple(
            slice(min(a.start, b.start, p, q), max(a.stop, b.stop, p + 1, q + 1))
            for a, b, p, q in zip(*windows, peaks[i], peaks[j], strict=True)
        )
        shares = heat_between(image, [peaks[i], peaks[j]], (part[0], part[1]), params)
        for k, share in zip((i, j), shares, strict=True):
            here = inside((part[0].start, part[1].start), out[k].window)
            out[k] = replace(out[k], soft=out[k].soft * share[here])
    return out
