"""Eqs. (3) and (4) of "Diffuse to Detect" (arXiv 2605.20766): heat spreads from a source, then joins the superpixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._diffusion_kernels import TAU_SHARE, diffuse_kernel, fuse_kernel, largest_outflow_kernel, steady_kernel


def largest_outflow(east: NDArray[np.float32], south: NDArray[np.float32]) -> float:
    """max_i L_ii: the largest sum of a pixel's conductances to its neighbours."""
    return float(largest_outflow_kernel(east, south))


def diffuse(
    source: NDArray[np.float32],
    east: NDArray[np.float32],
    south: NDArray[np.float32],
    *,
    n_steps: int = 100,
    tau: float | None = None,
    tau_share: float = TAU_SHARE,
) -> NDArray[np.float32]:
    """Spread heat by explicit steps, u <- (I - tau L) u, with no flux through the border.

    Parameters
    ----------
    source : (h, w) float32, the heat at the start.
    east, south : (h, w) float32, conductances from `window_conductance`.
    n_steps : number of steps.
    tau : length of a step; None takes ``tau_share / max_i L_ii``.
    tau_share : in (0, 1].

    Returns
    -------
    (h, w) float32; its sum is that of `source` up to round-off.

    Raises
    ------
    InputError
        Where `tau` exceeds 1 / max_i L_ii: the steps would not be stable.
    """
    largest = largest_outflow(east, south)
    if tau is None:
        tau = tau_share / largest if largest > 0 else 0.0
    elif not 0 <= tau * largest <= 1:
        raise InputError(f"tau must lie in [0, 1 / max L_ii = {1 / largest:.6g}], got {tau:g}")
    out = np.empty(source.shape, np.float32)
    diffuse_kernel(source, east, south, float(tau), n_steps, out)
    return out


def solve_steady(
    source: NDArray[np.float32],
    east: NDArray[np.float32],
    south: NDArray[np.float32],
    *,
    leak: float,
    tolerance: float = 1e-4,
) -> NDArray[np.float32]:
    """Quasi-steady heat under a leak: solve (leak I + L) u = leak source.

    It is the field averaged over exponential times of mean 1 / leak, one implicit step of that length.

    Parameters
    ----------
    source, east, south : as for `diffuse`.
    leak : share of its heat that a pixel loses per unit of time, > 0.
    tolerance : bound on the error relative to the start's, in (0, 1); sets the number of iterations.

    Returns
    -------
    (h, w) float32; its sum is that of `source` up to the tolerance.
    """
    if not leak > 0:
        raise InputError(f"leak must be positive, got {leak:g}")
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance must lie in (0, 1), got {tolerance:g}")
    largest = largest_outflow(east, south)
    if largest == 0:  # a single pixel: nothing flows
        return source.astype(np.float32)
    n_iter = math.ceil(math.acosh(1 / tolerance) / math.acosh(1 + leak / largest))
    out = np.empty(source.shape, np.float32)
    steady_kernel(source, east, south, float(leak), largest, n_iter, out)
    return out


def fuse(heat: NDArray[np.float32], prior: NDArray, rho: float, *, heat_first: bool = False) -> NDArray[np.float32]:
    """Equation (4): rho heat + (1 - rho) prior, divided by its largest value, (h, w) float32 in [0, 1].

    `prior` is the superpixel or any soft field in [0, 1]. With `heat_first` the heat is divided by its own largest
    value before the two are added, as the published code does; eq. (4) divides the sum alone.
    """
    out = np.empty(heat.shape, np.float32)
    fuse_kernel(heat, np.ascontiguousarray(prior, np.float32), float(rho), heat_first, out)
    return out
