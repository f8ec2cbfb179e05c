"""Heat within the box of a vote, from its medium to the fused field, in one call."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from .._conductance_kernels import N_BINS, conductance_kernel, entropy_kernel, gradient_kernel
from .._diffusion_kernels import TAU_SHARE, diffuse_kernel, fuse_kernel, largest_outflow_kernel
from ._refine_kernels import box_kernel
from ._vote_kernels import LEAST_VOTE, STEPS

_AROUND = 4  # px around that box
_UNIT_BITS = 4  # window units have 16 bits, the medium's 20
_N_BINS = np.int64(N_BINS)  # no plain number: the kernel would be compiled once more for it


@kernel
def heat_vote_kernel(field, core, d0, beta, alpha, count_logs, n_steps, rho, out):
    """Spread the vote `field` by heat in the medium of `core` and fuse both, eqs. (2) to (4), `out` (S, S) float32.

    Values are whole steps of 1 / STEPS. Returns whether there was a vote; else `out` is not written.
    """
    top, bottom, left, right = box_kernel(field, LEAST_VOTE)
    if bottom == 0:
        return False
    top, bottom = max(top - _AROUND, 0), min(bottom + _AROUND, field.shape[0])
    left, right = max(left - _AROUND, 0), min(right + _AROUND, field.shape[1])
    shape = (bottom - top, right - left)
    source, units = np.empty(shape, np.float32), np.empty(shape, np.int32)
    for y in range(shape[0]):
        for x in range(shape[1]):
            source[y, x] = field[top + y, left + x]
            units[y, x] = core[top + y, left + x] << _UNIT_BITS
    gradient, entropy = np.empty(shape, np.float32), np.empty(shape, np.float32)
    east, south = np.empty(shape, np.float32), np.empty(shape, np.float32)
    gradient_kernel(units, gradient)
    entropy_kernel(units, _N_BINS, count_logs, entropy)
    conductance_kernel(gradient, entropy, d0, beta, alpha, east, south)
    largest = largest_outflow_kernel(east, south)
    heat, fused = np.empty(shape, np.float32), np.empty(shape, np.float32)
    diffuse_kernel(source, east, south, TAU_SHARE / largest if largest > 0 else 0.0, n_steps, heat)
    fuse_kernel(heat, source, rho, False, fused)
    out[:] = 0.0
    for y in range(shape[0]):
        for x in range(shape[1]):
            out[top + y, left + x] = np.rint(fused[y, x] * STEPS) / STEPS
    return True
