"""Heat in the default method: it smooths the vote, and shares out targets that touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._conductance_kernels import COUNT_LOGS
from ..conductance import window_conductance
from ..diffusion import solve_steady
from ._heat_kernels import heat_vote_kernel
from .params import DefaultParams
from .window import Window


def heat_vote(window: Window, field: NDArray[np.float32], params: DefaultParams) -> NDArray[np.float32]:
    """Eqs. (3) and (4) of "Diffuse to Detect", arXiv 2605.20766: the vote is the heat's source and its prior."""
    if params.n_steps == 0 or params.rho == 0:
        return field
    out = np.empty_like(field)
    medium = float(params.d0), float(params.beta), float(params.alpha)
    spread = heat_vote_kernel(field, window.core, *medium, COUNT_LOGS, params.n_steps, float(params.rho), out)
    return out if spread else field


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
