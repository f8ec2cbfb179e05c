"""Heat in the default method: it smooths the vote, and shares out targets that touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..conductance import window_conductance
from ..diffusion import diffuse, fuse, solve_steady
from ._refine_kernels import box_kernel
from .params import DefaultParams
from .vote import LEAST_VOTE, in_steps
from .window import Window

_UNIT_BITS = 4  # window units have 16 bits, the medium's 20


def heat_vote(window: Window, field: NDArray[np.float32], params: DefaultParams) -> NDArray[np.float32]:
    """Eqs. (3) and (4) of "Diffuse to Detect", arXiv 2605.20766: the vote is the heat's source and its prior."""
    if params.n_steps == 0 or params.rho == 0:
        return field
    top, bottom, left, right = box_kernel(field, LEAST_VOTE)
    if bottom == 0:
        return field
    part = (slice(max(top - 4, 0), bottom + 4), slice(max(left - 4, 0), right + 4))
    source = np.ascontiguousarray(field[part])
    units = np.ascontiguousarray(window.core[part] << _UNIT_BITS)
    east, south = window_conductance(units, d0=params.d0, beta=params.beta, alpha=params.alpha)
    heat = diffuse(source, east, south, n_steps=params.n_steps)
    out = np.zeros_like(field)
    out[part] = in_steps(fuse(heat, source, params.rho))
    return out


def heat_between(
    image: NDArray, peaks: list[tuple[int, int]], part: tuple[slice, slice], params: DefaultParams
) -> NDArray[np.float32]:
    """Share of the heat at each pixel of `part` that comes from each of the peaks, (n, h, w) float32, sum 1.

    Each peak feeds one unit into a medium that leaks slowly; at a pixel the nearer peak, or the one that no
    edge separates from it, has the larger share.
    """
    values = np.asarray(image[part], np.float64)
    finite = np.isfinite(values)
    values = np.where(finite, values, np.median(values[finite]) if finite.any() else 0.0)
    span = float(np.ptp(values))
    units = np.rint((values - values.min()) * (2**20 / span if span > 0 else 0.0)).astype(np.int32)
    east, south = window_conductance(units, d0=params.d0, beta=params.beta, alpha=params.alpha)
    heats = []
    for row, column in peaks:
        source = np.zeros(values.shape, np.float32)
        source[row - part[0].start, column - part[1].start] = 1
        heats.append(np.maximum(solve_steady(source, east, south, leak=0.02, tolerance=1e-5), 1e-12))
    stack = np.array(heats)
    return stack / stack.sum(axis=0)
