"""The paper's annotator, equations (2) to (4) around each point, and its ablations as presets of one function."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...engine._superpixel_kernels import outline_kernel
from ...engine.conductance import rescale_window, window_conductance
from ...engine.default.border import LOOSEST, TIGHTEST
from ...engine.diffusion import diffuse, fuse, largest_outflow, solve_steady
from ...engine.superpixels import cell_of, grow_superpixels, place_sources
from ...errors import InputError
from ...types import LabelRequest, TargetLabel
from .clahe import equalise_window
from .params import DiffusionParams, PointParams

#: Published size classes: largest area in pixels, and how far a window reaches on each side of the point.
POINT_AREA, SPOT_AREA = 9, 81
REACH = {"Point": (3, 5), "Spot": (10, 11), "Extended": (15, 25)}

#: Pixels that the published windows are grown by before the heat spreads in them.
MARGIN = 4

#: The soft label's unit in the sums of `outline_kernel`.
UNIT = 1 << 20

Bounds = tuple[int, int, int, int]


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
            pixels_of(request),
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
    return finish(soft, raw_units, finite, here, level, point, bounds, image.shape, start)


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


def finish(
    soft: NDArray[np.float32],
    units: NDArray[np.int32],
    finite: NDArray[np.bool_],
    pixel: tuple[int, int],
    level: float,
    point: list[float],
    bounds: Bounds,
    shape: tuple[int, ...],
    start: float,
) -> TargetLabel:
    """Cut a soft map at a level and describe the result; `start` is the target's `perf_counter` at its begin."""
    mask = np.empty(soft.shape, np.bool_)
    sums = np.empty(10, np.int64)
    outline_kernel(soft, units, finite, pixel[0], pixel[1], level, mask, sums)
    area, inside, outside, grey_in, grey_out, square_out, *edges = sums.tolist()
    n_bad = 0 if finite.all() else finite.size - int(np.count_nonzero(finite))
    n_out = finite.size - n_bad - area
    contrast, spread = 0.0, 0.0
    if n_out > 0:
        mean = grey_out / n_out
        spread = math.sqrt(max(square_out / n_out - mean * mean, 0.0))
        contrast = max(grey_in / area - mean, 0.0)
    first_row, last_row, first_column, last_column = edges
    top, bottom, left, right = bounds
    flags = []
    if (
        (first_row and top == 0)
        or (last_row and bottom == shape[0])
        or (first_column and left == 0)
        or (last_column and right == shape[1])
    ):
        flags.append("clipped")
    if area == 1:
        flags.append("empty")
    if contrast <= spread:
        flags.append("low_contrast")
    if n_bad:
        flags.append("nan")
    if (
        (first_row and top > 0)
        or (last_row and bottom < shape[0])
        or (first_column and left > 0)
        or (last_column and right < shape[1])
    ):
        flags.append("touches_window")
    if n_bad:
        soft = np.where(finite, soft, np.float32(0))
    agreement = inside / (area * UNIT + outside)
    quality = min(agreement, 1.0) * (contrast / (contrast + spread) if contrast > 0 else 0.0)
    spent = (perf_counter() - start) * 1000
    return TargetLabel((point[0], point[1]), (top, left), soft, mask, quality, tuple(flags), "bright", spent)


def pixels_of(request: LabelRequest) -> list[tuple[int, int]]:
    """Pixel of each point as `pixel_of` gives it; for a point or two plain numbers are quicker than arrays."""
    height, width = request.image.shape
    return [
        (min(max(math.ceil(row - 0.5), 0), height - 1), min(max(math.ceil(column - 0.5), 0), width - 1))
        for row, column in request.points.tolist()
    ]


def windows_of(request: LabelRequest, size_prior: str, window_px: int) -> list[Bounds]:
    """Window of each point as (top, bottom, left, right), the ends exclusive, cut off at the image."""
    shape: tuple[int, int] = request.image.shape
    if size_prior == "none":
        half = window_px // 2
        return [grown((row, row + 1, column, column + 1), half, shape) for row, column in pixels_of(request)]
    return [grown(bounds, MARGIN, shape) for bounds in published_windows(request, size_prior)]


def grown(bounds: Bounds, margin_px: int, shape: tuple[int, int]) -> Bounds:
    """Window with `margin_px` more on each side, cut off at the image."""
    top, bottom, left, right = bounds
    return (
        max(top - margin_px, 0),
        min(bottom + margin_px, shape[0]),
        max(left - margin_px, 0),
        min(right + margin_px, shape[1]),
    )


def size_classes(request: LabelRequest, size_prior: str) -> list[str]:
    """Published size class of each target: by its true area for "oracle", else "Spot"."""
    if size_prior != "oracle":
        return ["Spot"] * len(request.points)
    if request.true_area is None:
        raise InputError('size_prior="oracle" needs true_area, the area of each true mask in pixels; it was not given')
    areas = request.true_area.tolist()
    return ["Point" if a <= POINT_AREA else "Spot" if a <= SPOT_AREA else "Extended" for a in areas]


def published_windows(request: LabelRequest, size_prior: str) -> list[Bounds]:
    """The published windows: the point and a random reach on each side, by size class, ends exclusive.

    The last row and column of the reach are left out, as in the published code. The point's own pixel is always in.
    """
    height, width = request.image.shape
    out = []
    for (row, column), name in zip(pixels_of(request), size_classes(request, size_prior), strict=True):
        low, high = REACH[name]
        up, down, left, right = child_rng(request.rng, row, column).integers(low, high + 1, 4).tolist()
        out.append(
            (max(row - up, 0), max(min(row + down, height - 1), row + 1),
             max(column - left, 0), max(min(column + right, width - 1), column + 1))
        )  # fmt: skip
    return out


def child_seed(rng: np.random.Generator, row: int, column: int, *further: int) -> np.random.SeedSequence:
    """Seed of the target at a pixel: the same whatever other targets there are and in whatever order.

    The seed itself draws the window; methods that draw more number theirs from 0 as `further`.
    """
    seed = rng.bit_generator.seed_seq
    entropy, key = getattr(seed, "entropy", 0), getattr(seed, "spawn_key", ())
    return np.random.SeedSequence(entropy, spawn_key=(*key, row, column, *further))


def child_rng(rng: np.random.Generator, row: int, column: int, *further: int) -> np.random.Generator:
    """Generator that starts from `child_seed`."""
    return np.random.default_rng(child_seed(rng, row, column, *further))


def label_point(request: LabelRequest, params: PointParams) -> list[TargetLabel]:
    """A square block around each point, the lower bound of every comparison; quality is 0."""
    height, width = request.image.shape
    out = []
    half = params.side_px // 2
    for point, (row, column) in zip(request.points.tolist(), pixels_of(request), strict=True):
        start = perf_counter()
        top, left = max(row - half, 0), max(column - half, 0)
        finite = np.isfinite(request.image[top : row + half + 1, left : column + half + 1])
        mask = finite.copy()
        mask[row - top, column - left] = True
        flags = [] if finite.all() else ["nan"]
        if top + mask.shape[0] == height or left + mask.shape[1] == width or top == 0 or left == 0:
            flags.append("clipped")
        spent = (perf_counter() - start) * 1000
        out.append(
            TargetLabel(
                (point[0], point[1]), (top, left), mask.astype(np.float32), mask, 0.0, tuple(sorted(flags)),
                time_ms=spent,
            )
        )  # fmt: skip
    return out
