"""Eq. (2) of "Diffuse to Detect" (arXiv 2605.20766): conductances between pixels from gradient and entropy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._conductance_kernels import (
    COUNT_LOGS,
    N_BINS,
    SCALE,
    conductance_kernel,
    entropy_kernel,
    gradient_kernel,
    rescale_kernel,
)


def rescale_window(window: NDArray) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Map a window on whole numbers 0 .. 2^20 by its own smallest and largest finite value.

    Parameters
    ----------
    window : (h, w) array of real numbers.

    Returns
    -------
    units : (h, w) int32; pixels that are not finite get the median of the others, a flat window is 0.
    finite : (h, w) bool, the pixels that were finite.

    Gain and offset of the intensity cancel, and the rounding keeps their round-off from flipping a tie.
    """
    clean = np.ascontiguousarray(window, np.float64)
    units = np.empty(clean.shape, np.int32)
    finite = np.empty(clean.shape, np.bool_)
    if rescale_kernel(clean, units, finite):
        units[~finite] = int(np.median(units[finite])) if finite.any() else 0
    return units, finite


def grey_levels(units: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The 256 grey levels of a rescaled window (0 .. 2^20), (h, w) uint8, rounded to the nearest."""
    return ((units.astype(np.int64) * 255 + SCALE // 2) // SCALE).astype(np.uint8)


def as_grey(image: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Image in grey levels of 8 bits, and which pixels are finite.

    Whole numbers in 0 .. 255 stay as they are, as in the published code. Other images are mapped on 0 .. 255 by their
    smallest and largest finite value, whatever their dtype.
    """
    if image.dtype == np.uint8:
        return image, np.ones(image.shape, np.bool_)
    if np.all((image >= 0) & (image <= 255)) and np.all(image == np.floor(image)):
        return image.astype(np.uint8), np.ones(image.shape, np.bool_)
    units, finite = rescale_window(image)
    return grey_levels(units), finite


def local_entropy(units: NDArray[np.int32], *, n_bins: int = N_BINS) -> NDArray[np.float32]:
    """Shannon entropy of the 5 x 5 pixels around each pixel over ln 25, (h, w) float32 in [0, 1].

    `units` (0 .. 2^20) fall into `n_bins` bins of equal width; windows are cut off at the border.
    """
    out = np.empty(units.shape, np.float32)
    entropy_kernel(units, n_bins, COUNT_LOGS, out)
    return out


def grey_entropy(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shannon entropy of the 5 x 5 pixels around each pixel in bits over 8, each grey level a bin of its own."""
    return local_entropy(grey.astype(np.int32) * (SCALE // 256), n_bins=256) * np.float32(np.log2(25) / 8)


def gradient_length(units: NDArray[np.int32]) -> NDArray[np.float32]:
    """Length of the gradient of ``units / 2^20``, per pixel, (h, w) float32."""
    out = np.empty(units.shape, np.float32)
    gradient_kernel(units, out)
    return out


def window_conductance(
    units: NDArray[np.int32],
    *,
    d0: float = 3.2,
    beta: float = 6.0,
    alpha: float = 0.6,
    n_bins: int = N_BINS,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Conductances between the pixels of a rescaled window.

    D = d0 exp(-beta (alpha |grad I| + (1 - alpha) H)), and the conductance between two neighbours is the
    mean of their D. I is ``units / 2^20``, H its local entropy in [0, 1].

    Parameters
    ----------
    units : (h, w) int32, from `rescale_window`.
    d0, beta, alpha : the parameters of eq. (2); `alpha` in [0, 1].
    n_bins : bins of the entropy's histogram over the range of the window.

    Returns
    -------
    east, south : (h, w) float32. ``east[i, j]`` joins (i, j) with (i, j + 1), ``south[i, j]`` with (i + 1, j);
        the last column of `east` and the last row of `south` are 0: no flux through the border.
    """
    east = np.empty(units.shape, np.float32)
    south = np.empty(units.shape, np.float32)
    gradient, entropy = gradient_length(units), local_entropy(units, n_bins=n_bins)
    conductance_kernel(gradient, entropy, float(d0), float(beta), float(alpha), east, south)
    return east, south
