"""The plain local rule: component of the point above a share of its local contrast."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from .._checks import pixel_of
from ..engine.default._background_kernels import median_rest_kernel
from ..engine.default._refine_kernels import component_kernel
from ..engine.default.border import border_field
from ..engine.default.quality import sharpness
from ..engine.default.regions import FLOOR_NOISES
from ..engine.default.window import HALF, Window, cut_window, find_peak
from ..params import Params, param
from ..types import LabelRequest, TargetLabel

LOW_CONTRAST = 3.0  # height over the background in noises below which a target is flagged
TIE_UNITS = 2.0  # of 65535: what rounding may cost, so that ties of grey levels stay ties whatever the gain
_SIDE = 2 * HALF + 1


@dataclass(frozen=True, slots=True)
class ThresholdParams(Params):
    """Parameters of `label_threshold`."""

    background_px: int = param(21, "side of the running median that is subtracted", low=3, high=57, odd=True)
    level: float = param(0.30, "border at this share of the peak's height at tightness 0.5", low=0.01, high=0.99)
    window_px: int = param(33, "side of the window that holds the mask", low=9, high=65, odd=True)


def label_threshold(request: LabelRequest, params: ThresholdParams) -> list[TargetLabel]:
    """Subtract a running median, keep the 8-connected component of the peak above a share of the peak's height.

    The peak is the brightest pixel within 2 px of the point; points that share one keep their own pixels. With r the
    image less its running median, the mask holds the pixels q connected to the peak p with r(q) >= level r(p) at
    tightness 0.5. Towards 0 the level falls to 5 %, towards 1 it rises to 60 %.

    The soft label is r(q) / r(p), cut to [0, 1], on the loosest mask, and 0 elsewhere. Nothing is fitted; the quality
    is the IoU to expect were the soft label a probability, times c / (c + noise), c = r(p).

    Returns one `TargetLabel` a point. Deterministic; `request.rng` is not used.
    """
    own = [(int(row), int(column)) for row, column in pixel_of(request.points, request.image.shape)]
    peaks = [find_peak(request.image, np.array(pixel)) for pixel in own]
    crowds, twins = Counter(peaks), Counter(own)
    targets = []
    for index, (pixel, peak) in enumerate(zip(own, peaks, strict=True)):
        start = perf_counter()
        flags = set()
        if crowds[peak] > 1 or twins[pixel] > 1:
            flags.add("duplicate")
            peak = pixel
        elif peak != pixel:
            flags.add("moved")
        targets.append(_label_one(request, index, peak, params, flags, start))
    return targets


def _label_one(
    request: LabelRequest, index: int, peak: tuple[int, int], params: ThresholdParams, flags: set[str], start: float
) -> TargetLabel:
    image, half = request.image, params.window_px // 2
    window = cut_window(image, peak)
    middle = slice(HALF - half, HALF + half + 1)
    rest = subtract_median(window, params.background_px)[middle, middle]
    inside = window.inside[middle, middle]
    height = float(rest[half, half])
    soft, mask = np.zeros(rest.shape, np.float32), np.zeros(rest.shape, np.bool_)
    rate = 0.0
    if height > 0:
        relief = rest / np.float32(height)
        least = FLOOR_NOISES * window.floor / height
        ready = relief + np.float32(0.5 - params.level + TIE_UNITS / height)  # what `border_field` cuts at 0.5
        loosest = _cut(ready, relief, 0.0, least, inside, mask)[0].copy()
        _, touches = _cut(ready, relief, float(request.tightness[index]), least, inside, mask)
        soft[loosest] = np.clip(relief[loosest], 0, 1)
        rate = sharpness(soft, mask) * height / (height + window.noise)
        if touches:
            flags.add("touches_window")
    else:
        flags.add("empty")
        mask[half, half] = True
        soft[half, half] = 0.5
    if height < LOW_CONTRAST * window.noise:
        flags.add("low_contrast")
    top, left = peak[0] - half, peak[1] - half
    if image.dtype.kind == "f":
        seen = image[max(top, 0) : top + 2 * half + 1, max(left, 0) : left + 2 * half + 1]
        if not np.isfinite(seen).all():
            flags.add("nan")
    needed = mask | (soft > 0)
    rows, columns = np.flatnonzero(needed.any(axis=1)), np.flatnonzero(needed.any(axis=0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    filled = np.argwhere(mask) + np.array([top, left])
    if (filled == 0).any() or (filled == np.array(image.shape) - 1).any():
        flags.add("clipped")
    point = request.points[index]
    return TargetLabel(
        point=(float(point[0]), float(point[1])),
        origin=(top + int(rows[0]), left + int(columns[0])),
        soft=soft[part].copy(),
        mask=mask[part].copy(),
        quality=min(max(rate, 0.0), 1.0),
        flags=tuple(sorted(flags)),
        time_ms=(perf_counter() - start) * 1000,
    )


def _cut(
    ready: NDArray[np.float32],
    relief: NDArray[np.float32],
    tightness: float,
    least: float,
    inside: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], bool]:
    """Write the component of the centre at `tightness` into `mask`; return it, and whether it meets the border."""
    border = np.where(inside, border_field(ready, relief, tightness, least), np.float32(-1.0))
    half = len(mask) // 2
    _, touches = component_kernel(border, 0.0, half, half, mask)
    return mask, bool(touches)


def subtract_median(window: Window, background_px: int) -> NDArray[np.float32]:
    """Return the window less its running median, (65, 65) float32 in units of the window.

    From 13 px on every other pixel counts, and the median is taken on a grid of a quarter of its side at most.
    """
    reach = background_px // 2
    stride = 2 if reach >= 6 and reach % 2 == 0 else 1
    step = max(pitch for pitch in (1, 2, 4, 8) if 4 * pitch <= max(background_px, 4))
    rest = np.empty((_SIDE, _SIDE), np.float32)
    median_rest_kernel(window.units, HALF, reach, stride, step, rest)
    return rest
