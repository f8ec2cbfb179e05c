"""The default method: regions vote over scales, heat smooths the vote, a perceptron sharpens the border."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..._checks import pixel_of
from ...methods.crop_grid import CropGrid
from ...methods.holes import at_border
from ...methods.overlaps import masks_meet
from ...types import LabelRequest, TargetLabel
from ._refine_kernels import box_kernel, component_kernel
from .border import border_field, shift_border
from .heat import heat_between, heat_vote
from .params import DefaultParams
from .quality import quality, quality_inputs
from .refine import refine
from .regions import FLOOR_NOISES, VOTING_SCALES, Regions, grow_regions
from .style import styled_weights
from .vote import SUMMARY, Vote, cast_vote
from .weights import Weights
from .window import HALF, STRIDES, Window, cut_window, find_peak

LOW_CONTRAST = 3.0  # expected contrast in noises below which a target is flagged
SURE_CONTRAST = 6.0  # ... and above which a larger window is believed
LEAST_LARGE_AREA = 200  # pixels below which a target needs no larger window
_CENTRE = (slice(HALF - 1, HALF + 2), slice(HALF - 1, HALF + 2))
_LEAST_SOFT = np.float32(1 / 512)  # what is below is cut off with the crop
_LOG_NOISE = SUMMARY.index("log_noise")


@dataclass(frozen=True, slots=True)
class View:
    """One target seen through one window: each step's result."""

    window: Window
    regions: Regions
    vote: Vote
    field: NDArray[np.float32]
    soft: NDArray[np.float32]
    mask: NDArray[np.bool_]
    found: bool
    touches: bool

    @property
    def contrast(self) -> float:
        """Expected contrast of the peak in noises; 0 where no candidate stood out."""
        return float(np.exp(self.vote.summary[_LOG_NOISE])) if self.vote.share.any() else 0.0


def label_default(request: LabelRequest, params: DefaultParams) -> list[TargetLabel]:
    """Label every point by the vote over regions of many scales.

    Snap the point to its peak; cut a window; grow every connected region that holds the peak over scales of
    background and levels; let them vote (the prior C_p of eq. 4); spread the vote by heat and fuse both
    (eqs. 2 to 4); refine the pixels near the border; cut at `tightness`; keep the component of the peak.

    Returns one `TargetLabel` a point. Deterministic; `request.rng` is not used.
    """
    weights = styled_weights(params)
    pixels = pixel_of(request.points, (request.image.shape[0], request.image.shape[1]))
    own = [(int(row), int(column)) for row, column in pixels]
    found = [find_peak(request.image, pixel) for pixel in pixels] if params.snap else own
    meet, same = Counter(found), Counter(own)
    # points that would move to one peak stay where they are, so that each keeps a target of its own
    peaks = [start if meet[peak] > 1 else peak for start, peak in zip(own, found, strict=True)]
    targets = []
    for index, peak in enumerate(peaks):
        start = perf_counter()
        flags = {"moved"} if peak != own[index] else set()
        if meet[found[index]] > 1 or meet[own[index]] > 1 or same[own[index]] > 1:
            flags.add("duplicate")
        tightness = float(request.tightness[index])
        target = label_peak(request.image, peak, tightness, params, weights, flags)
        if "empty" in target.flags and peak != own[index]:  # no target there: back to where the user clicked
            peaks[index] = own[index]
            target = label_peak(request.image, own[index], tightness, params, weights, flags - {"moved"})
        point = request.points[index]
        spent = (perf_counter() - start) * 1000
        targets.append(replace(target, point=(float(point[0]), float(point[1])), time_ms=spent))
    if params.share_heat and len(targets) > 1:
        targets = share_heat(request.image, targets, peaks, params)
    return targets


def label_peak(
    image: NDArray, peak: tuple[int, int], tightness: float, params: DefaultParams, weights: Weights, flags: set[str]
) -> TargetLabel:
    """Label the target of one peak; with `enlarge` in a larger window where the first does not hold it."""
    view = look(image, peak, 1, params, weights)
    if params.enlarge and (not view.found or view.touches or view.contrast < LOW_CONTRAST):
        view = look_farther(image, view, params, weights)
    if view.found and tightness != 0.5:
        view = finish(view.window, view.regions, view.vote, view.field, tightness, params)
    flags = flags | _flags_of(view, image)
    rate = quality(quality_inputs(view.soft, view.mask, view.vote), weights.quality)
    if not view.found:
        rate = 0.0
    soft, mask, top, left = in_image(view.soft, view.mask, view.window.peak, view.window.stride, image.shape)
    if at_border(mask, top, left, image.shape):
        flags.add("clipped")
    point = (float(peak[0]), float(peak[1]))
    return TargetLabel(point, (top, left), soft, mask, rate, tuple(sorted(flags)))


def look(image: NDArray, peak: tuple[int, int], stride: int, params: DefaultParams, weights: Weights) -> View:
    """Run every step on the window of one stride, cut at 0.5: masks would not be nested if `tightness` chose it."""
    window = cut_window(image, peak, stride)
    regions = grow_regions(window, VOTING_SCALES[params.n_scales])
    vote = cast_vote(regions, weights.score, params.temperature)
    field = heat_vote(window, vote.field, params)
    soft = refine(window, regions, vote, field, weights.refine) if params.refine else field
    soft = np.where(window.inside, soft, np.float32(0.0))
    return finish(window, regions, vote, soft, 0.5, params)


def finish(
    window: Window, regions: Regions, vote: Vote, field: NDArray[np.float32], tightness: float, params: DefaultParams
) -> View:
    """Cut the refined `field` at `tightness` and keep the component of the peak; 3 x 3 pixels where there is none."""
    soft = field
    mask = np.zeros(soft.shape, np.bool_)
    touches = False
    found = bool(soft[HALF, HALF] >= 0.5)
    if found:
        least = FLOOR_NOISES * window.floor / max(float(regions.contrast.max()), 1.0)
        border = border_field(soft, vote.relief, tightness, least, params.loosest)
        if params.border_px:
            border, soft = (shift_border(each, params.border_px / window.stride) for each in (border, soft))
            soft = np.where(window.inside, soft, np.float32(0.0))
            soft[HALF, HALF] = max(soft[HALF, HALF], np.float32(0.5))  # the point itself always belongs
        border = np.where(window.inside, border, np.float32(-1.0))
        _, touches = component_kernel(border, 0.0, HALF, HALF, mask)
    else:
        mask[_CENTRE] = window.inside[_CENTRE]
        mask[HALF, HALF] = True
        soft = np.where(mask, np.maximum(soft, np.float32(0.5)), np.float32(0.0))
    return View(window, regions, vote, field, soft, mask, found, bool(touches))


def look_farther(image: NDArray, first: View, params: DefaultParams, weights: Weights) -> View:
    """Try windows of 129 and 257 px; the first one stays unless a larger one holds a clear, large target."""
    for stride in STRIDES[1:]:
        view = look(image, first.window.peak, stride, params, weights)
        area = int(view.mask.sum()) * stride * stride
        clear = view.contrast >= max(SURE_CONTRAST, 2 * first.contrast)
        if view.found and not view.touches and area >= LEAST_LARGE_AREA and (clear or first.touches):
            return view
    return first


def _flags_of(view: View, image: NDArray) -> set[str]:
    flags = set()
    if not view.found:
        flags.add("empty")
    if view.touches:
        flags.add("touches_window")
    if view.contrast < LOW_CONTRAST:
        flags.add("low_contrast")
    if has_holes(image, view.window.peak, view.window.stride):
        flags.add("nan")
    return flags


def has_holes(image: NDArray, peak: tuple[int, int], stride: int) -> bool:
    """Whether pixels of the image in the window of a stride are not finite."""
    if image.dtype.kind != "f":
        return False
    reach = HALF * stride
    row, column = peak
    part = image[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return not np.isfinite(part).all()


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
    top, bottom, left, right = box_kernel(np.maximum(soft, mask), _LEAST_SOFT)
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
            here = tuple(slice(w.start - p.start, w.stop - p.start) for w, p in zip(out[k].window, part, strict=True))
            out[k] = replace(out[k], soft=out[k].soft * share[here])
    return out
