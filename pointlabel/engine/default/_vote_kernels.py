"""From the candidates' shares to the expected region, the expected relief and a few expectations."""

from __future__ import annotations

import math

import numpy as np

from ...compiled import kernel
from ._feature_kernels import GROWTH_TWO, LEVEL, LOG_AREA, LOG_NOISE, LOG_SPREAD, STABILITY, STEP

LEAST_VOTE = np.float32(2.0**-17)  # below which a vote adds nothing to the box that heat spreads in
STEPS = 1048576.0  # fields are rounded to whole 2^-20, so that sums of them are exact in any order


@kernel
def vote_kernel(level_of, share, extent, field):
    """Expected region: the shares of all candidates that hold a pixel, `field` (S, S) float32.

    No candidate reaches farther than `extent` pixels from the peak.
    """
    n_scales, n_levels = share.shape
    holds = np.zeros((n_scales, n_levels + 1))
    for k in range(n_scales):
        for a in range(n_levels - 1, -1, -1):
            holds[k, a] = holds[k, a + 1] + share[k, a]
    field[:] = 0.0
    half = field.shape[0] // 2
    begin, end = max(half - extent, 0), min(half + extent + 1, field.shape[0])
    for y in range(begin, end):
        for x in range(begin, end):
            least = level_of[0, y, x]
            for k in range(1, n_scales):
                least = min(least, level_of[k, y, x])
            if least == n_levels:  # no candidate came here: most of the window
                continue
            total = 0.0
            for k in range(n_scales):
                total += holds[k, level_of[k, y, x]]
            field[y, x] = np.rint(total * STEPS) / STEPS


@kernel
def relief_kernel(residual, contrast, share, relief):
    """Expected height over the background as a share of the peak's, `relief` (S, S) float32 in [-1, 2]."""
    n_scales = share.shape[0]
    weight = np.zeros(n_scales, np.float32)
    for k in range(n_scales):
        total = 0.0
        for a in range(share.shape[1]):
            total += share[k, a]
        if contrast[k] > 0:
            weight[k] = total / contrast[k]
    relief[:] = 0.0
    for k in range(n_scales):
        for y in range(relief.shape[0]):
            for x in range(relief.shape[1]):
                relief[y, x] += weight[k] * residual[k, y, x]
    for y in range(relief.shape[0]):
        for x in range(relief.shape[1]):
            value = relief[y, x]
            value = value if value > np.float32(-1.0) else np.float32(-1.0)
            relief[y, x] = value if value < np.float32(2.0) else np.float32(2.0)


@kernel
def summary_kernel(features, share, best, out):
    """Expectations under the vote, in the order of `vote.SUMMARY`."""
    out[:] = 0.0
    square = 0.0
    for k in range(share.shape[0]):
        for a in range(share.shape[1]):
            w = share[k, a]
            if w == 0.0:
                continue
            f = features[k, a]
            out[0] += w * f[LOG_AREA]
            square += w * f[LOG_AREA] * f[LOG_AREA]
            out[2] += w * f[LEVEL]
            out[4] += w * f[LOG_NOISE]
            out[5] += w * f[LOG_SPREAD]
            out[6] += w * f[STABILITY]
            out[7] -= w * math.log(w)
            out[8] += w * f[STEP]
            out[9] += w * f[GROWTH_TWO]
    out[1] = math.sqrt(max(square - out[0] * out[0], 0.0))
    out[3] = best


@kernel
def tally_kernel(level_of, features, share, best, extent, field, summary):
    """Field and summary of a vote in one call."""
    vote_kernel(level_of, share, extent, field)
    summary_kernel(features, share, best, summary)
