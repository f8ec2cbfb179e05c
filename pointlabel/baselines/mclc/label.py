"""Monte Carlo linear clustering (Li et al., ICCV 2023): noisy copies of a window vote for the point's superpixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from skimage.util import regular_grid

from ...engine.conductance import as_grey
from ...params import Params, param
from ...types import LabelRequest, TargetLabel
from .._outline_kernels import measure_kernel
from ..crf import CRF_SUMS
from ..crf.mean_field import refine_crf
from ..outline import wrap_mask
from ..published_windows import MCLC_RIGHT, SIZE_PRIORS, child_seed, published_windows
from ..threshold import ThresholdParams, label_threshold
from ._mclc_kernels import vote_kernel

#: Parts of a cell smaller than the first or larger than the second share of it are merged and cut: `slic`'s values.
LEAST_SHARE, MOST_SHARE = 0.5, 3.0

#: The rule that guesses a target's area from its point: its mask decides between the published windows.
GUESS = ThresholdParams()


@dataclass(frozen=True, slots=True)
class MclcParams(Params):
    """Parameters of `label_mclc`; the defaults are the published values."""

    size_prior: str = param(
        "none",
        "size of the window: by the plain rule's mask, that of the published spots, or by the true area",
        choices=SIZE_PRIORS,
    )
    n_repeats: int = param(50, "noisy copies of the window", low=1, high=10_000)
    density: float = param(0.05, "share of the channels' values that salt turns white", low=0, high=1)
    n_segments: int = param(9, "about how many superpixels of the window", low=1, high=100)
    compactness: float = param(
        20.0, "CIELAB units that weigh as much as a step between superpixels", low=0.1, high=1000
    )
    n_slic_iter: int = param(10, "iterations of the superpixels", low=1, high=100)
    n_crf_iter: int = param(1, "iterations of the dense CRF, 0 for none", low=0, high=100)
    crf_spatial_px: float = param(32.0, "reach of the CRF's bilateral pairs in pixels", low=0.1, high=1000)
    crf_intensity: float = param(13.0, "reach of the bilateral pairs in grey levels of 8 bits", low=0.1, high=1000)
    crf_compatibility: float = param(10.0, "weight of the bilateral pairs", low=0, high=1e6)
    crf_smooth_px: float = param(
        3.0, "reach of the CRF's pairs that look at the distance alone, in pixels", low=0.1, high=1000
    )
    crf_smooth_compatibility: float = param(3.0, "weight of the pairs that look at the distance alone", low=0, high=1e6)
    crf_sums: str = param(
        "exact", "how the CRF sums over all pairs: exactly, or on a lattice as published", choices=CRF_SUMS
    )


def label_mclc(request: LabelRequest, params: MclcParams) -> list[TargetLabel]:
    """Let noisy copies of each point's window vote for the superpixel that holds the point, sharpen by a dense CRF.

    1. The window by the published size class, as `published_windows` draws it, its grey levels in three
       equal channels. With ``size_prior="none"`` the class follows the area of `label_threshold`'s mask.
    2. `n_repeats` copies: each value of each channel turns white with probability `density`.
    3. SLIC of each copy in CIELAB, with scikit-image's steps; a vote for each pixel of the point's superpixel.
    4. A dense CRF of the window (`baselines.crf.mean_field.refine_crf`) that starts from the share of votes.

    The soft label is the CRF's probability, the mask where it exceeds 0.5, in the whole window: the published code
    keeps parts that are not connected to the point, too. Quality is the mean share of votes inside the mask, times
    c / (c + s), c the mask's contrast against the rest of the window and s that rest's standard deviation. It is not
    fitted to any data.

    The draws of a target depend on `request.rng` and its pixel alone. Images of whole numbers in 0 .. 255 are taken as
    they are, as the published code does, so gain and offset matter here; other images are first mapped on 0 .. 255 by
    their own smallest and largest value.

    Raises
    ------
    InputError
        Where ``size_prior="oracle"`` and the request has no true areas.

    B. Li, Y. Wang, L. Wang, F. Zhang, T. Liu, Z. Lin, W. An, Y. Guo, "Monte Carlo Linear Clustering with Single-Point
    Supervision is Enough for Infrared Small Target Detection", ICCV 2023.
    """
    if len(request.points) == 0:
        return []
    start = perf_counter()
    windows = windows_of(request, params.size_prior)
    grey, finite = as_grey(request.image)
    shared_s = (perf_counter() - start) / len(windows)
    out = []
    for point, (row, column), bounds in zip(request.points.tolist(), request.pixels, windows, strict=True):
        begin = perf_counter() - shared_s
        part = (slice(*bounds[:2]), slice(*bounds[2:]))
        window, here = np.ascontiguousarray(grey[part]), (row - bounds[0], column - bounds[2])
        seed = child_seed(request.rng, row, column, 0).generate_state(1, np.uint64)
        share = count_votes(window, here, params, int(seed[0])) / params.n_repeats
        probability = share
        if params.n_crf_iter:
            probability = refine_crf(
                share,
                window,
                n_iter=params.n_crf_iter,
                spatial_px=params.crf_spatial_px,
                intensity=params.crf_intensity,
                compatibility=params.crf_compatibility,
                smooth_px=params.crf_smooth_px,
                smooth_compatibility=params.crf_smooth_compatibility,
                sums=params.crf_sums,
            )
        mask, soft = probability > 0.5, probability.astype(np.float32)
        label = wrap_mask(mask, soft, grey, finite, point, (row, column), bounds, bounds, begin)
        _, contrast, deviation, inside, _ = measure_kernel(window, share, label.mask, finite[part])
        quality = inside / label.area * contrast / (contrast + deviation) if contrast > 0 else 0.0
        out.append(replace(label, quality=quality))
    return out


def windows_of(request: LabelRequest, size_prior: str) -> list[tuple[int, int, int, int]]:
    """Window of each point; without a size prior its class is that of the plain rule's mask."""
    if size_prior != "none":
        return published_windows(request, size_prior, point_right=MCLC_RIGHT)
    areas = np.array([label.area for label in label_threshold(request, GUESS)], np.int64)
    return published_windows(replace(request, true_area=areas), "oracle", point_right=MCLC_RIGHT)


def count_votes(grey: NDArray[np.uint8], pixel: tuple[int, int], params: MclcParams, seed: int) -> NDArray[np.int32]:
    """How many noisy copies of a window have each pixel in the superpixel of `pixel`, (h, w) int32."""
    seeds, reach, step, sizes = _grid(grey.shape[0], grey.shape[1], params.n_segments)
    votes = np.empty(grey.shape, np.int32)
    vote_kernel(
        grey,
        *pixel,
        *seeds,
        reach,
        params.compactness / step,
        sizes,
        params.n_repeats,
        params.density,
        params.n_slic_iter,
        np.array([seed], np.uint64),
        votes,
    )
    return votes


@cache
def _grid(
    height: int, width: int, n_segments: int
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], tuple[int, int], float, tuple[int, int]]:
    """Where `slic` starts: seeds' rows and columns, how far a superpixel reaches, the step, sizes of its parts."""
    steps, (rows, columns) = _lay_out(height, width, n_segments)
    n_clusters = len(rows) * len(columns)
    reach, _ = _lay_out(height, width, n_clusters)  # it asks anew for as many as it got
    sizes = int(LEAST_SHARE * height * width / n_clusters), int(MOST_SHARE * height * width / n_clusters)
    return (rows, columns), (2 * reach[0], 2 * reach[1]), float(max(steps)), sizes


def _lay_out(height: int, width: int, n: int) -> tuple[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Steps and rows and columns of about `n` places on a regular grid."""
    _, *cuts = regular_grid((1, height, width), n)
    steps = tuple(int(cut.step or 1) for cut in cuts)
    places = tuple(np.arange(size, dtype=np.int64)[cut] for size, cut in zip((height, width), cuts, strict=True))
    return (steps[0], steps[1]), (places[0], places[1])
