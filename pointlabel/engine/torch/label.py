"""Label many images by the default method, their windows in batches. Twin of `engine.default.label.label_default`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from ...methods.peaks import find_peaks
from ...methods.targets import has_holes, make_target
from ...types import LabelRequest, TargetLabel
from ..default.label import (
    LEAST_LARGE_AREA,
    LOW_CONTRAST,
    SURE_CONTRAST,
    in_image,
    share_heat,
)
from ..default.params import DefaultParams
from ..default.quality import INPUTS, qualities
from ..default.regions import SIDE
from ..default.style import styled_weights
from ..default.vote import SUMMARY
from ..default.weights import Weights
from ..default.window import HALF, STRIDES
from .candidates import Candidates, Spot, compiled_candidates
from .crops import crop_windows
from .device_candidates import device_candidates
from .finishing import Finished, finish
from .softening import soften
from .voting import cast_votes

Pixel = tuple[int, int]
Grow = Callable[[Sequence[Spot], int], Candidates]

_OF_VOTE = [SUMMARY.index(name) for name in INPUTS[3:]]
_LOG_NOISE = SUMMARY.index("log_noise")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much goes through the device at a time.

    Attributes
    ----------
    windows : windows whose candidates are grown at a time.
    pixels : pixels of the crops that are worked on at a time: what fits a processor's cache, or fills a GPU.
    sides : of crops in pixels: many waste little on a CPU, few start fewer kernels on a GPU.
    threads : that drive the device: with two, one cuts out masks while the other waits for a GPU.
    """

    windows: int
    pixels: int
    sides: tuple[int, ...]
    threads: int = 1


PLANS = {
    "cpu": Plan(64, 32 * 33**2, (23, 27, 33, 41, 51, SIDE)),
    "cuda": Plan(2048, 2048 * 41**2, (29, 41, SIDE), threads=2),
}


@dataclass(slots=True)
class Look:
    """One target in the window of one stride: what `default.label.WindowLabel` holds, cut to what is needed."""

    found: bool
    touches: bool
    contrast: float
    area: int
    soft: NDArray[np.float32]
    mask: NDArray[np.bool_]
    top: int
    left: int
    rate: float
    touches_bent: bool
    stride: int


@dataclass(frozen=True, slots=True)
class _Target:
    """A target on its way: which image, where it was clicked, and whether another has its peak."""

    image: NDArray
    own: Pixel
    tightness: float
    is_duplicate: bool


def label_requests(
    requests: Sequence[LabelRequest], params: DefaultParams, device: torch.device, *, grow: Grow | None = None
) -> list[list[TargetLabel]]:
    """Label the points of several images; one list a request, one label a point in the order of the points.

    Parameters
    ----------
    requests : images with their points, checked.
    params : of the default method.
    device : where the windows are worked on.
    grow : what gives the candidates of windows; None takes the Numba kernels on a CPU, and torch elsewhere.

    The masks are those of `default.label.label_default` but for pixels whose soft label lies within round-off of 0.5.
    """
    start = perf_counter()
    weights = styled_weights(params)
    targets: list[_Target] = []
    peaks: list[Pixel] = []
    for request in requests:
        for target, peak in _peaks_of(request, params):
            targets.append(target)
            peaks.append(peak)
    if not targets:
        return [[] for _ in requests]
    grow = grow or grower(device, params.n_scales)
    see = partial(_see, params=params, weights=weights, device=device, grow=grow)
    looks = see(targets, peaks)
    lost = [k for k, look in enumerate(looks) if not look.found and peaks[k] != targets[k].own]
    moved = [peak != target.own for peak, target in zip(peaks, targets, strict=True)]
    if lost:  # no target there: back to where the user clicked
        for k, look in zip(lost, see([targets[k] for k in lost], [targets[k].own for k in lost]), strict=True):
            looks[k], peaks[k], moved[k] = look, targets[k].own, False
    each_s = (perf_counter() - start) / len(targets)
    made = iter(zip(looks, targets, peaks, moved, strict=True))
    out, first = [], 0
    for request in requests:
        n = len(request.points)
        labels = [_label(*next(made), point, perf_counter() - each_s) for point in request.points.tolist()]
        if params.share_heat and n > 1:
            labels = share_heat(request.image, labels, peaks[first : first + n], params)
        out.append(labels)
        first += n
    return out


def grower(device: torch.device, n_scales: int) -> Grow:
    """What gives the candidates of windows: the Numba kernels on a CPU, where they are several times as fast."""
    if device.type == "cpu":
        return partial(compiled_candidates, n_scales=n_scales)
    return partial(device_candidates, n_scales=n_scales, device=device)


def _peaks_of(request: LabelRequest, params: DefaultParams) -> Iterator[tuple[_Target, Pixel]]:
    """Peak of each point; points that would move to one peak stay where they are."""
    pixels = request.pixels
    peaks, shared = find_peaks(request.image, pixels, snap=params.snap)
    for pixel, peak, tightness, is_duplicate in zip(pixels, peaks, request.tightness.tolist(), shared, strict=True):
        yield _Target(request.image, pixel, tightness, is_duplicate), peak


def _see(
    targets: Sequence[_Target],
    peaks: Sequence[Pixel],
    *,
    params: DefaultParams,
    weights: Weights,
    device: torch.device,
    grow: Grow,
) -> list[Look]:
    """Look at targets through windows of 65 px, and through larger ones where those do not hold them."""
    look = partial(_look, params=params, weights=weights, device=device, grow=grow)
    seen = look(targets, peaks, 1)
    if not params.enlarge:
        return seen
    waiting = [k for k, e in enumerate(seen) if not e.found or e.touches or e.contrast < LOW_CONTRAST]
    for stride in STRIDES[1:]:
        if not waiting:
            break
        larger = look([targets[k] for k in waiting], [peaks[k] for k in waiting], stride)
        left = []
        for k, view in zip(waiting, larger, strict=True):
            first = seen[k]
            clear = view.contrast >= max(SURE_CONTRAST, 2 * first.contrast)
            enough = view.area * stride * stride >= LEAST_LARGE_AREA
            if view.found and not view.touches and enough and (clear or first.touches):
                seen[k] = view
            else:
                left.append(k)
        waiting = left
    return seen


def _look(
    targets: Sequence[_Target],
    peaks: Sequence[Pixel],
    stride: int,
    *,
    params: DefaultParams,
    weights: Weights,
    device: torch.device,
    grow: Grow,
) -> list[Look]:
    plan = PLANS[device.type]
    size = max(plan.windows // stride, 1)  # larger windows see more of the image

    def look_from(first: int) -> list[Look]:
        part = slice(first, first + size)
        spots = [(target.image, peak) for target, peak in zip(targets[part], peaks[part], strict=True)]
        tightness = np.array([target.tightness for target in targets[part]])
        with torch.inference_mode():  # holds for one thread
            return _look_at(spots, tightness, stride, plan, params, weights, device, grow)

    starts = range(0, len(targets), size)
    if plan.threads == 1 or len(starts) == 1:
        return [look for first in starts for look in look_from(first)]
    with ThreadPoolExecutor(plan.threads) as threads:
        return [look for part in threads.map(look_from, starts) for look in part]


def _look_at(
    spots: Sequence[Spot],
    tightness: NDArray[np.float64],
    stride: int,
    plan: Plan,
    params: DefaultParams,
    weights: Weights,
    device: torch.device,
    grow: Grow,
) -> list[Look]:
    """Every step on the windows of one stride, cut at 0.5 and, where that differs, at the targets' tightness."""
    candidates = grow(spots, stride)
    votes = cast_votes(candidates, weights.score, params.temperature)
    summary = votes.summary.cpu().numpy()
    whole = votes.field.sum((1, 2), dtype=torch.float64).cpu().numpy()
    alive = votes.share.flatten(1).any(1).cpu().numpy()
    contrast = np.where(alive, np.exp(summary[:, _LOG_NOISE]), 0.0)
    level = torch.from_numpy(tightness).to(device)
    loose = level < 0.5  # the relief may lead far from the votes
    extra_px = int(np.ceil(abs(params.border_px)))
    bent = bool((tightness != 0.5).any())
    out: list[Look | None] = [None] * len(spots)
    for crops in crop_windows(votes.boxes, loose, extra_px, plan.sides, plan.pixels):
        soft, vote = soften(crops, candidates, votes, params, weights.refine)
        cut = partial(finish, crops, candidates=candidates, votes=votes, params=params, stride=stride, vote=vote)
        half = cut(soft.clone() if bent else soft, tightness=level[crops.index], bent=False)
        final = half if not bent else cut(soft, tightness=level[crops.index], bent=True)
        for k, look in _looks_of(half, final, spots, stride, contrast, summary, whole, weights):
            out[k] = look
    return [look for look in out if look is not None]


def _looks_of(
    half: Finished,
    final: Finished,
    spots: Sequence[Spot],
    stride: int,
    contrast: NDArray[np.float64],
    summary: NDArray[np.float64],
    whole: NDArray[np.float64],
    weights: Weights,
) -> Iterator[tuple[int, Look]]:
    """Cut what is kept of each target of a group out of its crop."""
    index = final.index
    _, area, within, outside, shared = final.numbers.T[:5]
    both = within + outside + whole[index] - shared
    inputs = np.column_stack(
        [
            within / np.maximum(area + outside, 1e-9),
            shared / np.maximum(both, 1e-9),
            np.log(np.maximum(area, 1)),
            summary[index][:, _OF_VOTE],
        ]
    )
    rates = np.where(final.found, qualities(inputs, weights.quality), 0.0)
    columns = zip(
        index.tolist(),
        final.origin.tolist(),
        final.found.tolist(),
        half.numbers.astype(np.int64).tolist(),
        final.numbers.astype(np.int64).tolist(),
        rates.tolist(),
        contrast[index].tolist(),
        strict=True,
    )
    for i, (k, origin, found, at_half, numbers, rate, height) in enumerate(columns):
        image, peak = spots[k]
        if stride == 1:
            top, left = peak[0] - HALF + origin[0], peak[1] - HALF + origin[1]
            y0, y1, x0, x1 = numbers[5:]
            y0, y1 = max(y0, -top), min(y1, image.shape[0] - top)
            x0, x1 = max(x0, -left), min(x1, image.shape[1] - left)
            soft, mask = final.soft[i, y0:y1, x0:x1].copy(), final.mask[i, y0:y1, x0:x1].copy()
            top, left = top + y0, left + x0
        else:
            soft, mask, top, left = in_image(*_in_window(final, i), peak, stride, image.shape)
        yield (
            k,
            Look(found, bool(at_half[0]), height, at_half[1], soft, mask, top, left, rate, bool(numbers[0]), stride),
        )


def _in_window(finished: Finished, i: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Soft label and mask of one target in its whole window."""
    side, (row, column) = finished.soft.shape[1], finished.origin[i]
    part = (slice(row, row + side), slice(column, column + side))
    soft = np.zeros((2 * HALF + 1, 2 * HALF + 1), np.float32)
    mask = np.zeros(soft.shape, np.bool_)
    soft[part], mask[part] = finished.soft[i], finished.mask[i]
    return soft, mask


def _label(look: Look, target: _Target, peak: Pixel, moved: bool, point: list[float], start: float) -> TargetLabel:
    return make_target(
        point,
        (look.top, look.left),
        look.soft,
        look.mask,
        target.image.shape,
        start=start,
        quality=look.rate,
        moved=moved,
        duplicate=target.is_duplicate,
        empty=not look.found,
        touches_window=look.touches_bent,
        low_contrast=look.contrast < LOW_CONTRAST,
        nan=has_holes(target.image, peak, HALF * look.stride),
    )
