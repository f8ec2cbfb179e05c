"""The plain local rule: component of the point above a share of its local contrast."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..engine.default._background_kernels import median_residual_kernel
from ..engine.default._refine_kernels import component_kernel
from ..engine.default.border import border_field
from ..engine.default.quality import sharpness
from ..engine.default.regions import FLOOR_NOISES
from ..engine.default.window import HALF, Window, cut_window
from ..methods.peaks import find_peaks
from ..methods.targets import has_holes, make_target
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
    pixels = request.pixels
    peaks, shared = find_peaks(request.image, pixels)
    targets = []
    for index, (pixel, peak) in enumerate(zip(pixels, peaks, strict=True)):
        flags = {"moved": peak != pixel, "duplicate": shared[index]}
        targets.append(_label_one(request, index, peak, params, flags))
    return targets


def _label_one(
    request: LabelRequest, index: int, peak: tuple[int, int], params: ThresholdParams, flags: dict[str, bool]
) -> TargetLabel:
    start = perf_counter()
    image, half = request.image, params.window_px // 2
    window = cut_window(image, peak)
    middle = slice(HALF - half, HALF + half + 1)
    residual = subtract_median(window, params.background_px)[middle, middle]
    inside = window.inside[middle, middle]
    height = float(residual[half, half])
    soft, mask = np.zeros(residual.shape, np.float32), np.zeros(residual.shape, np.bool_)
    rate, touches = 0.0, False
    if height > 0:
        relief = residual / np.float32(height)
        least = FLOOR_NOISES * window.floor / height
        ready = relief + np.float32(0.5 - params.level + TIE_UNITS / height)  # what `border_field` cuts at 0.5
        loosest = _cut(ready, relief, 0.0, least, inside, mask)[0].copy()
        _, touches = _cut(ready, relief, float(request.tightness[index]), least, inside, mask)
        soft[loosest] = np.clip(relief[loosest], 0, 1)
        rate = sharpness(soft, mask) * height / (height + window.noise)
    else:
        mask[half, half] = True
        soft[half, half] = 0.5
    flags |= {
        "touches_window": touches,
        "empty": height <= 0,
        "low_contrast": height < LOW_CONTRAST * window.noise,
        "nan": has_holes(image, peak, half),
    }
    point, origin = request.points[index].tolist(), (peak[0] - half, peak[1] - half)
    return make_target(point, origin, soft, mask, image.shape, start=start, quality=rate, crop=True, **flags)


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
    touches = component_kernel(border, 0.0, half, half, mask)
    return mask, bool(touches)


def subtract_median(window: Window, background_px: int) -> NDArray[np.float32]:
    """Return the window less its running median, (65, 65) float32 in units of the window.

    From 13 px on every other pixel counts, and the median is taken on a grid of a quarter of its side at most.
    """
    reach = background_px // 2
    stride = 2 if reach >= 6 and reach % 2 == 0 else 1
    step = max(pitch for pitch in (1, 2, 4, 8) if 4 * pitch <= max(background_px, 4))
    residual = np.empty((_SIDE, _SIDE), np.float32)
    median_residual_kernel(window.units, HALF, reach, stride, step, residual)
    return residual
