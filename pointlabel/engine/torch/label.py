"""Label many images by the default method, their windows in batches. Twin of `engine.default.label.label_default`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...methods.peaks import find_peaks
from ...methods.targets import has_holes, make_target
from ...types import LabelRequest, TargetLabel
from ..default.label import LOW_CONTRAST, in_image, share_heat
from ..default.larger import is_believed, needs_larger
from ..default.params import DefaultParams
from ..default.presence import INPUTS_AT, is_doubtful, is_likelier, presences
from ..default.quality import INPUTS, qualities
from ..default.regions import SIDE, VOTING_SCALES
from ..default.style import leaks, styled_weights
from ..default.vote import SUMMARY
from ..default.weights import QualityWeights, Weights
from ..default.window import HALF, STRIDES, cut_window
from .batch import WindowBatch, batch_windows
from .border import HardMasks, cut_masks
from .crops import crop_windows
from .differentiable import soften, weights_as_tensors
from .regions import grow_windows
from .vote import Votes, cast_votes, shares_of
from .window import Spot, cut_windows, gather_parts

Pixel = tuple[int, int]

_OF_VOTE = [SUMMARY.index(name) for name in INPUTS[3:]]
_LOG_NOISE, _STABILITY, _BEST = (SUMMARY.index(name) for name in ("log_noise", "stability", "best_score"))


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


@dataclass(frozen=True, slots=True)
class _Target:
    """A point on its way; `is_duplicate` says that another point has the same pixel or peak."""

    image: NDArray
    point: tuple[float, float]
    pixel: Pixel
    peak: Pixel
    tightness: float
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class WindowLabel:
    """Label of one target out of the window of one stride.

    `touches` and `area`, in window pixels, are those of the mask at tightness 0.5, by which windows are chosen.
    """

    target: TargetLabel
    stride: int
    touches: bool
    area: float
    contrast: float
    stability: float
    best_score: float
    presence: float

    @property
    def found(self) -> bool:
        """Whether there is a target at the peak."""
        return "empty" not in self.target.flags

    @property
    def area_px(self) -> int:
        """Area of the mask in pixels of the image."""
        return round(self.area) * self.stride**2


def label_requests(
    requests: Sequence[LabelRequest], params: DefaultParams, device: torch.device, *, compiled: bool | None = None
) -> list[list[TargetLabel]]:
    """Label the points of several images; one list per request, one label per point in the order of the points.

    Parameters
    ----------
    requests : images with their points, checked.
    params : of the default method.
    device : where the windows are worked on.
    compiled : whether the Numba kernels grow the candidates; None for yes on a CPU, where they are several times as
        fast, and no elsewhere.

    The masks are those of `default.label.label_default` but for pixels whose soft label lies within round-off of 0.5.
    """
    start = perf_counter()
    targets = [target for request in requests for target in _targets_of(request, params)]
    if not targets:
        return [[] for _ in requests]
    grown_by_kernels = device.type == "cpu" if compiled is None else compiled
    engine = _open_engine(params, device, grown_by_kernels, styled_weights(params))
    made = engine.label_targets(targets)
    moved = [k for k, target in enumerate(targets) if target.peak != target.pixel]
    doubtful = [k for k in moved if is_doubtful(made[k].found, made[k].presence)]
    clicked = [replace(targets[k], peak=targets[k].pixel) for k in doubtful]
    for k, target, label in zip(doubtful, clicked, engine.label_targets(clicked), strict=True):
        if is_likelier((label.found, label.presence), (made[k].found, made[k].presence)):
            targets[k], made[k] = target, label
    each_ms = (perf_counter() - start) * 1000 / len(targets)
    out, first = [], 0
    for request in requests:
        part = slice(first, first + len(request.points))
        labels = [replace(label.target, time_ms=each_ms) for label in made[part]]
        if params.share_heat and len(labels) > 1:
            labels = share_heat(request.image, labels, [target.peak for target in targets[part]], params)
        out.append(labels)
        first = part.stop
    return out


def grow_candidates(
    spots: Sequence[Spot], stride: int, n_scales: int, device: torch.device, *, compiled: bool
) -> WindowBatch:
    """Cut windows and grow their candidates: one after the other by the Numba kernels, or all at once in torch.

    The whole numbers of both are equal bit for bit.
    """
    if compiled:
        windows = [cut_window(image, peak, stride) for image, peak in spots]
        return batch_windows(windows, DefaultParams(n_scales=n_scales), dtype=torch.float32).to(device)
    return grow_windows(cut_windows(gather_parts(spots, stride, device), stride), VOTING_SCALES[n_scales])


def _targets_of(request: LabelRequest, params: DefaultParams) -> Iterator[_Target]:
    """Target of each point with its peak."""
    pixels = request.pixels
    peaks, shared = find_peaks(request.image, pixels, snap=params.snap)
    columns = zip(request.points.tolist(), pixels, peaks, request.tightness.tolist(), shared, strict=True)
    for (row, column), *rest in columns:
        yield _Target(request.image, (row, column), *rest)


def _open_engine(params: DefaultParams, device: torch.device, compiled: bool, weights: Weights) -> _BatchedEngine:
    tensors = weights_as_tensors(weights, torch.empty(0, dtype=torch.float64, device=device))
    plain = None if weights.plain is None else _open_engine(params, device, compiled, weights.plain)
    return _BatchedEngine(params, device, compiled, PLANS[device.type], tensors, weights.quality, plain)


@dataclass(frozen=True, slots=True)
class _BatchedEngine:
    """What does not change from one batch of targets to the next; `plain` labels what a style leaks on."""

    params: DefaultParams
    device: torch.device
    compiled: bool
    plan: Plan
    weights: dict[str, Any]
    quality: QualityWeights
    plain: _BatchedEngine | None

    def label_targets(self, targets: Sequence[_Target]) -> list[WindowLabel]:
        """Label targets in windows of 65 px, and in larger ones where those do not hold them."""
        labels = self.label_in_windows(targets, 1)
        waiting = [k for k, label in enumerate(labels) if needs_larger(label)] if self.params.enlarge else []
        for stride in STRIDES[1:]:
            left = []
            for k, larger in zip(waiting, self.label_in_windows([targets[k] for k in waiting], stride), strict=True):
                if is_believed(larger, labels[k]):
                    labels[k] = larger
                else:
                    left.append(k)
            waiting = left
        return labels

    def label_in_windows(self, targets: Sequence[_Target], stride: int) -> list[WindowLabel]:
        """Label targets in windows of one stride; where a style leaks or loses the target, the
        default style's label stands."""
        labels = self._label_in_batches(targets, stride)
        if self.plain is not None:
            poor = [k for k, label in enumerate(labels) if not label.found or leaks(label.area, 1)]
            for k, plain in zip(poor, self.plain.label_in_windows([targets[k] for k in poor], stride), strict=True):
                labels[k] = plain if not labels[k].found or leaks(labels[k].area, plain.area) else labels[k]
        return labels

    def _label_in_batches(self, targets: Sequence[_Target], stride: int) -> list[WindowLabel]:
        """Label targets one batch after the other, or in threads."""
        size = max(self.plan.windows // stride, 1)  # larger windows see more of the image
        parts = [targets[first : first + size] for first in range(0, len(targets), size)]
        label = partial(self._label_batch, stride=stride)
        if self.plan.threads == 1 or len(parts) == 1:
            return [found for part in parts for found in label(part)]
        with ThreadPoolExecutor(self.plan.threads) as threads:
            return [found for labels in threads.map(label, parts) for found in labels]

    @torch.inference_mode()  # holds for one thread
    def _label_batch(self, targets: Sequence[_Target], stride: int) -> list[WindowLabel]:
        """Every step on one batch, cut at 0.5 and, where that differs, at the targets' tightness."""
        params, plan = self.params, self.plan
        spots = [(target.image, target.peak) for target in targets]
        batch = grow_candidates(spots, stride, params.n_scales, self.device, compiled=self.compiled)
        votes = cast_votes(batch, self.weights, params.temperature, rounded=True)
        summary = votes.summary.cpu().numpy()
        n_votes = votes.field.sum((1, 2, 3), dtype=torch.float64).cpu().numpy()
        alive = votes.share.flatten(1).any(1).cpu().numpy()
        present = self._presences(batch, votes, alive)
        contrast = np.where(alive, np.exp(summary[:, _LOG_NOISE]), 0.0).tolist()
        stability, best = summary[:, _STABILITY].tolist(), summary[:, _BEST].tolist()
        tightness = torch.tensor([target.tightness for target in targets], dtype=torch.float64, device=self.device)
        loose = tightness < 0.5  # the relief may lead far from the votes
        extra_px = int(np.ceil(abs(params.border_px)))
        custom_tightness = any(target.tightness != 0.5 for target in targets)
        out: dict[int, WindowLabel] = {}
        for crops in crop_windows(batch, votes, loose, extra_px=extra_px, sides=plan.sides, n_pixels=plan.pixels):
            soft, _ = soften(crops, self.weights, params, rounded=True)
            half = final = cut_masks(soft.clone() if custom_tightness else soft, crops, params, stride=stride)
            if custom_tightness:
                final = cut_masks(soft, crops, params, stride=stride, tightness=tightness[crops.index])
            index = crops.index.cpu().numpy()
            rates = _qualities(final, summary[index], n_votes[index], self.quality).tolist()
            origins, half_touches, areas = crops.origin.tolist(), half.touches.tolist(), half.sums[:, 0].tolist()
            for i, k in enumerate(index.tolist()):
                target = _in_image(targets[k], final, i, origins[i], stride, contrast[k], (rates[i], present[k]))
                seen = (contrast[k], stability[k], best[k], present[k])
                out[k] = WindowLabel(target, stride, half_touches[i], areas[i], *seen)
        return [out[k] for k in range(len(targets))]

    def _presences(self, batch: WindowBatch, votes: Votes, alive: NDArray[np.bool_]) -> list[float]:
        """Presence of each target, by the default style's vote."""
        share = votes.share
        if self.plain is not None:
            share = shares_of(batch, self.plain.weights, self.params.temperature)
        expected = torch.einsum("bkl,bkli->bi", share, batch.features[..., INPUTS_AT])
        return presences(expected.cpu().numpy(), alive).tolist()


def _qualities(
    masks: HardMasks, summary: NDArray[np.float64], n_votes: NDArray[np.float64], weights: QualityWeights
) -> NDArray[np.float64]:
    """Quality of n masks, from expectations under the vote (n, 10) and the sum of the votes (n,)."""
    area, within, outside, shared = masks.sums.T
    inputs = [
        within / np.maximum(area + outside, 1e-9),
        shared / np.maximum(within + outside + n_votes - shared, 1e-9),
        np.log(np.maximum(area, 1)),
        summary[:, _OF_VOTE],
    ]
    return np.where(masks.found, qualities(np.column_stack(inputs), weights), 0.0)


def _in_image(
    target: _Target,
    masks: HardMasks,
    i: int,
    origin: list[int],
    stride: int,
    contrast: float,
    rates: tuple[float, float],
) -> TargetLabel:
    """Cut what is kept of a target out of the i-th crop, which starts at `origin` in its window, and flag it.

    `rates` are its quality and its presence.
    """
    (row, column), shape, soft, mask = target.peak, target.image.shape, masks.soft[i], masks.mask[i]
    if stride == 1:
        top, left = row - HALF + origin[0], column - HALF + origin[1]
        y0, y1, x0, x1 = masks.boxes[i].tolist()
        y0, y1, x0, x1 = max(y0, -top), min(y1, shape[0] - top), max(x0, -left), min(x1, shape[1] - left)
        soft, mask, top, left = soft[y0:y1, x0:x1].copy(), mask[y0:y1, x0:x1].copy(), top + y0, left + x0
    else:
        around = [(first, SIDE - len(soft) - first) for first in origin]
        soft, mask, top, left = in_image(np.pad(soft, around), np.pad(mask, around), target.peak, stride, shape)
    return make_target(
        target.point,
        (top, left),
        soft,
        mask,
        shape,
        start=perf_counter(),  # the time is shared out over all targets in the end
        quality=rates[0],
        presence=rates[1],
        moved=target.peak != target.pixel,
        duplicate=target.is_duplicate,
        empty=not masks.found[i],
        touches_window=masks.touches[i],
        low_contrast=contrast < LOW_CONTRAST,
        nan=has_holes(target.image, target.peak, HALF * stride),
    )
