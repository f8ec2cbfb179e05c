"""The annotator of "Diffuse to Detect" (arXiv 2605.20766) as written, eqs. (2) to (4), and its ablations."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...engine.conductance import rescale_window, window_conductance
from ...engine.default.border import LOOSEST, TIGHTEST
from ...engine.diffusion import diffuse, fuse, largest_outflow, solve_steady
from ...engine.superpixels import cell_of, grow_superpixels, place_sources
from ...methods.targets import Bounds, widen, window_around
from ...types import LabelRequest, TargetLabel
from ..outline import cut_soft
from ..published_windows import MARGIN, published_windows
from .clahe import equalise_window
from .params import DiffusionParams


def label_diffusion(request: LabelRequest, params: DiffusionParams) -> list[TargetLabel]:
    """Spread heat from each point through its window, fuse it with the point's superpixel, cut it at a level.

    The method `diffusion` takes both parts, `heat` only the heat (rho = 1), `superpixel` only the superpixel
    (rho = 0); `d2d-paper` takes the published values. Windows are cut off at the border of the image, no heat
    leaves them. Each target is treated alone.

    Quality is the product of sum(soft inside) / (area + sum(soft outside)), the IoU that is expected when the soft
    label is read as a probability, and of c / (c + s), c the contrast of the mask against the rest of the window and s
    the standard deviation of that rest. It is not fitted to any data.

    Raises
    ------
    InputError
        Where ``size_prior="oracle"`` and the request has no true areas.
    """
    return [
        _label_one(request.image, point, pixel, bounds, tight, params)
        for point, pixel, bounds, tight in zip(
            request.points.tolist(),
            request.pixels,
            windows_of(request, params.size_prior, params.window_px),
            request.tightness.tolist(),
            strict=True,
        )
    ]


def _label_one(
    image: NDArray, point: list[float], pixel: tuple[int, int], bounds: Bounds, tight: float, params: DiffusionParams
) -> TargetLabel:
    start = perf_counter()
    top, bottom, left, right = bounds
    here = (pixel[0] - top, pixel[1] - left)
    raw_units, finite = rescale_window(image[top:bottom, left:right])
    units = equalise_window(raw_units) if params.clahe else raw_units
    soft = soft_label(units, here, params)
    level = otsu_level(soft) if params.boundary == "otsu" else level_at(tight, params.level)
    return cut_soft(soft, raw_units, finite, level, point, pixel, bounds, image.shape, start)


def soft_label(units: NDArray[np.int32], pixel: tuple[int, int], params: DiffusionParams) -> NDArray[np.float32]:
    """Soft label of the target at `pixel` of a rescaled window, (h, w) float32 in [0, 1]."""
    if params.rho == 1 and params.n_maxima == 0:  # nothing asks for the superpixel
        source, cell = np.zeros(units.shape, np.float32), np.zeros(units.shape, np.bool_)
        source[pixel] = 1
    else:
        owners = grow_superpixels(
            units,
            pixel,
            n_segments=params.n_segments,
            compactness=params.compactness,
            n_iter=params.n_slic_iter,
            point_seed=params.point_seed,
        )
        cell = cell_of(owners, pixel)
        if params.rho == 0:
            return cell.astype(np.float32)
        source = place_sources(units, cell, pixel, n_maxima=params.n_maxima)
    east, south = window_conductance(units, d0=params.d0, beta=params.beta, alpha=params.alpha, n_bins=params.n_bins)
    if params.solver == "explicit":
        heat = diffuse(source, east, south, n_steps=params.n_steps, tau_share=params.tau_share)
    else:
        leak = largest_outflow(east, south) / (params.tau_share * max(params.n_steps, 1))
        heat = solve_steady(source, east, south, leak=leak) if leak > 0 else source
    return fuse(heat, cell, params.rho, heat_first=params.heat_first)


def level_at(tightness: float, level: float) -> float:
    """Level of the soft map for a tightness: 0.05 at 0, `level` at 0.5, 0.6 at 1, geometric in between."""
    if tightness <= 0.5:
        return LOOSEST * (level / LOOSEST) ** (2.0 * tightness)
    return level * (TIGHTEST / level) ** (2.0 * tightness - 1.0)


def otsu_level(soft: NDArray[np.float32]) -> float:
    """Otsu's threshold of a soft map in [0, 1] over 256 grey levels: the mask is ``soft >= level``."""
    grey = (soft * np.float32(255)).astype(np.int64)
    counts = np.bincount(grey.ravel(), minlength=256)
    below, weighted = np.cumsum(counts)[:-1], np.cumsum(counts * np.arange(256))
    above = grey.size - below
    split = (below > 0) & (above > 0)
    if not split.any():
        return 0.5
    lower = weighted[:-1] / np.maximum(below, 1)
    upper = (weighted[-1] - weighted[:-1]) / np.maximum(above, 1)
    spread = np.where(split, below * above * (upper - lower) ** 2, -1.0)
    return float(np.argmax(spread) + 1) / 255


def windows_of(request: LabelRequest, size_prior: str, window_px: int) -> list[Bounds]:
    """Window of each point as (top, bottom, left, right), the ends exclusive, cut off at the image."""
    shape: tuple[int, int] = request.image.shape
    if size_prior == "none":
        half = window_px // 2
        return [window_around(pixel, half, shape) for pixel in request.pixels]
    return [widen(bounds, MARGIN, shape) for bounds in published_windows(request, size_prior)]
