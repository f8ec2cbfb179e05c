"""Dense conditional random field of two labels on a window: sums over all pairs of pixels, exact or on a lattice.

P. Krähenbühl and V. Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NIPS 2011.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from ...errors import InputError
from . import CRF_SUMS
from ._mean_field_kernels import mean_field_kernel
from .modes import modes_of
from .permutohedral import Lattice

#: Probabilities of the first guess are kept this far from 0 and 1.
CLIP = 1e-5

#: The published code hands the grey image over as three equal channels, which all count.
N_CHANNELS = 3


def refine_crf(
    probability: ArrayLike,
    grey: NDArray[np.uint8],
    *,
    n_iter: int = 5,
    spatial_px: float = 8.0,
    intensity: float = 10.0,
    compatibility: float = 110.0,
    smooth_px: float = 3.0,
    smooth_compatibility: float = 0.0,
    sums: str = "exact",
) -> NDArray[np.float64]:
    """Sharpen a mask by mean-field inference in a dense CRF (Krähenbühl and Koltun, 2011).

    E(x) = sum_i -ln P_i(x_i) + sum_{i<j} (c n_i k_ij n_j + c' n'_i k'_ij n'_j) [x_i != x_j] with
    k_ij = exp(-|p_i - p_j|^2 / (2 spatial_px^2) - 3 (I_i - I_j)^2 / (2 intensity^2)), n_i = (sum_j k_ij)^(-1/2),
    k'_ij = exp(-|p_i - p_j|^2 / (2 smooth_px^2)), n'_i likewise, c and c' the compatibilities.
    The 3 stands for three equal channels.

    Parameters
    ----------
    probability : (h, w) in [0, 1], the first guess of the target; clipped to [1e-5, 1 - 1e-5].
    grey : (h, w) uint8.
    n_iter : iterations of mean field, >= 0.
    spatial_px, intensity : standard deviations of the bilateral pairs in pixels and in grey levels, > 0.
    compatibility : weight of the bilateral pairs, >= 0.
    smooth_px : standard deviation in pixels of the pairs that do not look at the grey level, > 0.
    smooth_compatibility : their weight, >= 0; 0 leaves them out.
    sums : "exact", or "lattice" for the approximation of the published codes (`permutohedral`), which is slower on
        windows and there to compare with them.

    Returns
    -------
    (h, w) float64, the probability of the target.

    Exact sums are those of all pairs, to about 1e-7 of the result. Their cost grows with the square of the window's
    pixels where the deviation is a small part of the window, and with the pixels alone where it is not.
    """
    guess = np.asarray(probability, np.float64, order="C")
    if guess.shape != grey.shape:
        raise InputError(f"probability must have the shape of grey, {grey.shape}, got {guess.shape}")
    if not (spatial_px > 0 and intensity > 0 and smooth_px > 0):
        raise InputError(
            f"spatial_px, intensity and smooth_px must be positive, got {spatial_px:g}, {intensity:g}, {smooth_px:g}"
        )
    if not (compatibility >= 0 and smooth_compatibility >= 0):
        raise InputError(
            f"compatibility and smooth_compatibility must be >= 0, got {compatibility:g} and {smooth_compatibility:g}"
        )
    if sums not in CRF_SUMS:
        raise InputError(f"sums must be one of {', '.join(CRF_SUMS)}, got {sums!r}")
    first = np.clip(guess, CLIP, 1 - CLIP)
    if sums == "lattice":
        place = np.indices(grey.shape)[::-1].reshape(2, -1).T  # columns first, as published: the order matters a little
        levels = np.repeat(grey.reshape(-1, 1).astype(np.float64), N_CHANNELS, axis=1)
        bilateral = np.hstack([place / spatial_px, levels / intensity])
        return _mean_field_on_lattices(
            first, [(compatibility, bilateral), (smooth_compatibility, place / smooth_px)], n_iter
        )
    size = max(grey.shape)
    mean_field_kernel(
        first,
        grey.astype(np.int64),
        _gaussian(size, float(spatial_px), 1),
        modes_of(*grey.shape, float(spatial_px)),
        _gaussian(256, float(intensity), N_CHANNELS),
        float(compatibility),
        _gaussian(size, float(smooth_px), 1),
        float(smooth_compatibility),
        n_iter,
    )
    return first


def _mean_field_on_lattices(
    first: NDArray[np.float64], pairs: list[tuple[float, NDArray[np.float64]]], n_iter: int
) -> NDArray[np.float64]:
    """What `mean_field_kernel` does to `first` (h, w); `pairs` are compatibilities and features, (h w, d)."""
    unary = logit(first.ravel())
    terms = []
    for weight, features in pairs:
        if weight > 0:
            lattice = Lattice(features)
            terms.append((weight, lattice, 1 / np.sqrt(lattice.sum(np.ones(first.size)) + 1e-20)))
    out = first.ravel()
    for _ in range(n_iter):
        belief = 2 * out - 1
        out = expit(unary + sum(weight * norm * lattice.sum(norm * belief) for weight, lattice, norm in terms))
    return out.reshape(first.shape)


@lru_cache(maxsize=256)
def _gaussian(size: int, deviation: float, times: int) -> NDArray[np.float64]:
    """exp(-times d^2 / (2 deviation^2)) of the differences d = 0 .. size - 1."""
    return np.exp(-0.5 * times * (np.arange(size) / deviation) ** 2)
