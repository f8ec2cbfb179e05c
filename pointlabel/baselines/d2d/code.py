"""The annotator of "Diffuse to Detect" (arXiv 2605.20766) as its published code runs.

Random particles take the place of eq. (3); one Otsu threshold and a dense CRF cut the masks.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import slic

from ...engine.conductance import as_grey, grey_entropy
from ...methods.targets import Bounds, widen
from ...types import LabelRequest, TargetLabel
from ..crf.mean_field import refine_crf
from ..outline import wrap_mask
from ..published_windows import MARGIN, child_rng, published_windows, size_classes
from ._code_kernels import walk_kernel
from .clahe import equalise
from .paper import otsu_level
from .params import ParticleParams

#: Particles of each source, steps, and length of a step, by published size class.
WALKS = {"Point": (20, 3, 0.18), "Spot": (260, 40, 0.2), "Extended": (400, 120, 0.4)}

#: Share of the centre prior of Point targets, and its width as a share of the window's longer side.
CENTRE_SHARE, CENTRE_WIDTH = 0.25, 0.25


def label_particles(request: LabelRequest, params: ParticleParams) -> list[TargetLabel]:
    """Label targets the way the published code runs (not the way the paper's eq. (3) reads).

    1. Contrast of the whole image equalised (CLAHE); D of eq. (2) with the entropy over 256 grey levels, in bits, / 8.
    2. Window of each point by its size class, grown by 4 px; particles walk from the point and from the first
       5 local maxima in its superpixel (scikit-image's SLIC): x += grad I dt + sqrt(2 D dt) N(0, 1).
    3. Their histogram, smoothed by a 3 x 3 Gaussian and divided by its maximum, is fused with the superpixel; for Point
       targets times 0.75 + 0.25 exp(-d^2 / 2 s^2), s a quarter of the longer side and at least 1.
    4. Otsu's threshold over the soft map of the whole image.
    5. A dense CRF in each window before it was grown.

    The draws of a target depend on `request.rng` and its pixel alone. Quality is sum(soft inside) / (area + sum(soft
    outside)) within the window.

    Images of whole numbers in 0 .. 255 are taken as they are, as the published code does, so their gain and offset
    matter here; other images are first mapped on 0 .. 255 by their own smallest and largest value.

    Raises
    ------
    InputError
        Where ``size_prior="oracle"`` and the request has no true areas.
    """
    pixels = request.pixels
    classes = size_classes(request, params.size_prior)
    inner = published_windows(request, params.size_prior)
    if not pixels:
        return []
    start = perf_counter()
    grey, finite = as_grey(request.image)
    even = equalise(grey) if params.clahe else grey
    shape: tuple[int, int] = grey.shape
    whole = np.zeros(shape, np.float32)
    crops: list[tuple[Bounds, NDArray[np.float32]]] = []
    for (row, column), name, bounds in zip(pixels, classes, inner, strict=True):
        outer = widen(bounds, MARGIN, shape)
        part = (slice(*outer[:2]), slice(*outer[2:]))
        draws = child_rng(request.rng, row, column, 0)
        soft = particle_label(even[part], (row - outer[0], column - outer[2]), name, params, draws)
        np.maximum(whole[part], soft, out=whole[part])
        crops.append((outer, soft))
    binary = whole >= otsu_level(whole)
    shared_s = (perf_counter() - start) / len(pixels)
    out = []
    for point, pixel, bounds, (outer, soft) in zip(request.points.tolist(), pixels, inner, crops, strict=True):
        begin = perf_counter() - shared_s
        mask = np.zeros(soft.shape, np.bool_)
        inside = (slice(*bounds[:2]), slice(*bounds[2:]))
        guess = binary[inside].astype(np.float64)
        if params.n_crf_iter:
            guess = refine_crf(
                guess,
                grey[inside],
                n_iter=params.n_crf_iter,
                spatial_px=params.crf_spatial_px,
                intensity=params.crf_intensity,
                compatibility=params.crf_compatibility,
                sums=params.crf_sums,
            )
        top, left = bounds[0] - outer[0], bounds[2] - outer[2]
        mask[top : top + guess.shape[0], left : left + guess.shape[1]] = guess > 0.5
        out.append(wrap_mask(mask, soft, grey, finite, point, pixel, outer, bounds, begin))
    return out


def particle_label(
    grey: NDArray[np.uint8],
    pixel: tuple[int, int],
    size_class: str,
    params: ParticleParams,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Soft label of the target at `pixel` of a window of grey levels, (h, w) float32 in [0, 1]."""
    light = grey.astype(np.float64) / 255
    cells = slic(light, params.n_segments, params.compactness, channel_axis=None)
    cell = cells == cells[pixel]
    by_row, by_column = (np.gradient(light, axis=axis) if light.shape[axis] > 1 else 0 * light for axis in (0, 1))
    texture = params.alpha * np.hypot(by_row, by_column) + (1 - params.alpha) * grey_entropy(grey)
    coefficient = params.d0 * np.exp(-params.beta * texture)
    n_particles, n_steps, dt = WALKS[size_class]
    heat = np.zeros(grey.shape, np.float64)
    for row, column in (pixel, *_first_maxima(grey, cell, params.n_maxima)):
        noise = rng.standard_normal((n_steps, n_particles, 2))
        walk_kernel(light, coefficient, row, column, noise, dt, heat)
    for axis in (0, 1):
        heat = ndimage.correlate1d(heat, [0.25, 0.5, 0.25], axis=axis, mode="mirror")
    soft = params.rho * heat / heat.max() + (1 - params.rho) * cell
    if size_class == "Point":
        rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
        width = max(1.0, CENTRE_WIDTH * max(grey.shape))
        distance2 = (rows - pixel[0]) ** 2 + (columns - pixel[1]) ** 2
        soft = soft * (1 - CENTRE_SHARE + CENTRE_SHARE * np.exp(-0.5 * distance2 / width**2))
    return np.clip(soft, 0, 1).astype(np.float32)


def _first_maxima(grey: NDArray[np.uint8], cell: NDArray[np.bool_], n_maxima: int) -> list[tuple[int, int]]:
    """First local maxima (7 x 7) of the cell in raster order, above the window's mean + 1.5 deviations."""
    largest = ndimage.maximum_filter(grey, 7, mode="nearest")
    found = (grey == largest) & (grey > grey.mean() + 1.5 * grey.std()) & cell
    return [(int(row), int(column)) for row, column in np.argwhere(found)[:n_maxima]]
