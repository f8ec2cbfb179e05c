"""The level set of "Click on Mask" (Li et al., SPL 2024): a contour that shrinks until its inside grows no brighter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..._values import as_number
from ...engine.conductance import SCALE, rescale_window
from ...methods.targets import open_sides, window_around
from ...params import Params, param
from ...types import LabelRequest, TargetLabel
from ..outline import cut_soft
from ._enclose_kernels import enclose_kernel
from ._level_set_kernels import evolve_kernel

#: The Gaussian's weights are whole numbers of this unit: with windows of 20 bits their products fill 62 bits at most.
TAP_UNIT = 1 << 21

#: The Gaussian reaches this many standard deviations.
TRUNCATE = 4.0


@dataclass(frozen=True, slots=True)
class ComParams(Params):
    """Parameters of `label_com`; the defaults are the published values."""

    window_px: int = param(41, "side of the window around the point", low=9, high=257, odd=True)
    start: float = param(
        50.0, "the first contour surrounds what is brighter, on the window's 0 .. 255", low=0, high=255
    )
    n_outer: int = param(
        10, "outer iterations: each starts anew to ask whether the inside grows brighter", low=0, high=10_000
    )
    n_inner: int = param(5, "steps of an outer iteration", low=1, high=10_000)
    time_step: float = param(5.0, "length of a step in time", low=1e-6, high=100)
    regularity: float = param(
        0.04, "weight of the distance regulariser; times time_step at most 0.25, beyond which phi explodes", low=0
    )
    shrink: float = param(1.5, "weight of the area term while the inside grows brighter", low=0, high=100)
    grow: float = param(0.1, "weight of the area term, of the other sign, when it does not", low=0, high=100)
    difference: float = param(1e-9, "weight of the expectation difference", low=0, high=1)
    dirac_px: float = param(1.5, "half width of the Dirac: how far from the contour the terms act", low=0.1, high=10)
    sigma_px: float = param(1.5, "Gaussian that smooths the window before its gradient is taken", low=0.3, high=10)
    band_px: int = param(3, "width of the band outside the contour whose mean is compared", low=1, high=32)

    def check_together(self) -> None:
        """Larger products of regularity and time step let the field explode."""
        as_number(self.regularity, "ComParams.regularity", 0, 0.25 / self.time_step)


def label_com(request: LabelRequest, params: ComParams) -> list[TargetLabel]:
    """Shrink a contour around what is bright in each point's window; the mask is what it encloses at the end.

    The window, cut off at the border of the image, is stretched to 0 .. 255. The level set function phi starts at -1
    where I > `start` and at 1 elsewhere; each of `n_outer` x `n_inner` steps adds `time_step` times

        regularity R(phi) + a d(phi) g + difference d(phi) k / ((i - e)^2 + 1e-10)

    with R the double-well regulariser of Li et al. (IEEE TIP 2010), d the Dirac of width `dirac_px`,
    g = 1 / (1 + |grad(G * I)|^2), k the curvature of phi, i the mean of I inside (phi <= 0) and e the mean in the band
    of `band_px` outside. a is `shrink` where i exceeds its largest value of this outer iteration, else -`grow`.

    The mask is the inside of the outermost closed zero contour around the point, without the pixels that the contour
    runs through. The border of the image closes contours, that of the window does not. Where no closed contour
    surrounds the point, the mask is the point's pixel and flagged "empty".

    The soft label is 1 / 2 half a pixel inside the contour and grows by 1 over 2 `dirac_px` of phi, a distance near
    the contour. Quality is that of `baselines.outline.cut_soft`, not fitted to any data. Each target is
    treated alone. Deterministic; `request.rng` is not used.

    H. Li, J. Yang, Y. Xu, R. Wang, "A Level Set Annotation Framework With Single-Point Supervision for Infrared
    Small Target Detection", IEEE Signal Processing Letters 31, 2024.
    """
    image = request.image
    shape: tuple[int, int] = image.shape
    half = params.window_px // 2
    out = []
    for point, pixel in zip(request.points.tolist(), request.pixels, strict=True):
        start = perf_counter()
        bounds = window_around(pixel, half, shape)
        top, bottom, left, right = bounds
        here = (pixel[0] - top, pixel[1] - left)
        units, finite = rescale_window(image[top:bottom, left:right])
        soft = np.empty(units.shape, np.float32)
        enclose_kernel(evolve(units, params), *here, open_sides(bounds, shape), params.dirac_px, soft)
        soft[here] = max(soft[here], 0.5)  # a target is never lost
        out.append(cut_soft(soft, units, finite, 0.5, point, pixel, bounds, shape, start))
    return out


def evolve(units: NDArray[np.int32], params: ComParams) -> NDArray[np.float64]:
    """Level set function of a window after the last step, (h, w) float64; `units` as from `rescale_window`."""
    phi = np.empty(units.shape)
    evolve_kernel(
        units,
        float(SCALE),
        gaussian_taps(params.sigma_px),
        params.start,
        params.n_outer,
        params.n_inner,
        params.time_step,
        params.regularity,
        params.shrink,
        params.grow,
        params.difference,
        params.dirac_px,
        params.band_px,
        phi,
    )
    return phi


@cache
def gaussian_taps(sigma_px: float) -> NDArray[np.int64]:
    """Weights of a Gaussian from its centre outwards in whole numbers of 2^-21, (r + 1,) with r = 4 `sigma_px`."""
    reach = int(TRUNCATE * sigma_px + 0.5)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma_px) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    taps = np.rint(weights * TAP_UNIT).astype(np.int64)
    taps.flags.writeable = False
    return taps
