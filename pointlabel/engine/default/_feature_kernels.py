"""What describes a candidate region, computed from the sums over it."""

from __future__ import annotations

import math

import numpy as np

from ...compiled import kernel
from ._region_kernels import (
    AREA,
    COLUMN_OFFSETS,
    EDGES,
    INWARD_STEPS,
    LARGEST,
    RING_AREA,
    RING_SQUARES,
    RING_TOTAL,
    ROW_OFFSETS,
    TOTAL,
    WEAK_EDGES,
)

#: Names of the features, in the order of `feature_kernel`'s last axis; c is the scale's contrast at the peak.
FEATURES = (
    "stability",  # IoU with the same level at the scale below plus at the scale above
    "growth",  # ln area one level up less ln area one level down
    "growth_two",  # ln area two levels up less ln area
    "level",  # share of c at which the region was cut
    "level_squared",
    "step",  # mean inward step over the border's edges, over c
    "step_of_scale",  # the same over its largest among the levels of the scale
    "step_of_all",  # the same over its largest among all candidates
    "weak",  # share of border edges with a step below 0.05 c
    "log_area",
    "side_over_scale",  # sqrt(area) over the background's side
    "area_over_scale",  # area over that side squared
    "ring_mean",  # mean over the ring 2 to 3 px outside, over c
    "ring_deviation",  # its deviation, over c
    "maximum",  # largest value inside, over c
    "roundness",  # 4 pi area / perimeter^2
    "offset",  # distance from the centroid to the peak over sqrt(area)
    "log_scale",  # ln(background side / 21)
    "log_contrast",  # ln c over the largest c of all scales
    "log_contrast_next",  # ln c over that of the next scale
    "log_level_noise",  # ln of the level's height over the noise
    "log_ring_snr",  # ln of inside less ring over the ring's deviation
    "inside_mean",  # mean inside, over c
    "log_noise",  # ln c over the noise
    "log_spread",  # ln c over the window's spread
    "level_noise",  # (level - LEVEL_CENTRE)^2 ln c over the noise
)
N_FEATURES = len(FEATURES)
(
    STABILITY, GROWTH, GROWTH_TWO, LEVEL, LEVEL_SQUARED, STEP, STEP_OF_SCALE, STEP_OF_ALL, WEAK, LOG_AREA,
    SIDE_OVER_SCALE, AREA_OVER_SCALE, RING_MEAN, RING_DEVIATION, MAXIMUM, ROUNDNESS, OFFSET, LOG_SCALE, LOG_CONTRAST,
    LOG_CONTRAST_NEXT, LOG_LEVEL_NOISE, LOG_RING_SNR, INSIDE_MEAN, LOG_NOISE, LOG_SPREAD, LEVEL_NOISE,
) = range(N_FEATURES)  # fmt: skip

#: What level and ln area are centred and divided by where the score's weights follow them.
LEVEL_CENTRE, LEVEL_SCALE = 0.35, 0.25
LOG_AREA_CENTRE, LOG_AREA_SCALE = 3.0, 1.3


@kernel
def feature_kernel(sums, shared, contrast, scales, levels, noise, spread, out):
    """Features of all candidates, `out` (K, L, N_FEATURES) float64.

    `sums` (K, L, N_SUMS) and `shared` (K - 1 or more, L) come from the region kernels, `contrast` (K,) is the peak's
    height over each background, `scales` (K,) their sides in px, `levels` (L,) falling.
    """
    n_scales, n_levels = sums.shape[0], sums.shape[1]
    largest = 1.0
    for k in range(n_scales):
        largest = max(largest, contrast[k])
    steepest = 1e-6
    for k in range(n_scales):
        c = max(contrast[k], 1.0)
        steepest_here = 1e-6
        for a in range(n_levels):
            out[k, a, STEP] = sums[k, a, INWARD_STEPS] / max(sums[k, a, EDGES], 1.0) / c
            steepest_here = max(steepest_here, out[k, a, STEP])
        for a in range(n_levels):
            out[k, a, STEP_OF_SCALE] = out[k, a, STEP] / steepest_here
        steepest = max(steepest, steepest_here)
    for k in range(n_scales):
        c = max(contrast[k], 1.0)
        following = max(contrast[min(k + 1, n_scales - 1)], 1.0)
        below, above = max(k - 1, 0), min(k, max(n_scales - 2, 0))
        log_noise, log_spread = math.log(c / noise), math.log(c / spread)
        for a in range(n_levels):
            s = sums[k, a]
            f = out[k, a]
            area, level = s[AREA], levels[a]
            log_area = math.log(area)
            edges, ring = max(s[EDGES], 1.0), max(s[RING_AREA], 1.0)
            ring_mean = s[RING_TOTAL] / ring
            ring_deviation = math.sqrt(max(s[RING_SQUARES] / ring - ring_mean * ring_mean, 0.0))
            stability = 0.0
            for pair in (below, above):  # the first and last scale count their one neighbour twice
                both, other = shared[pair, a], min(pair + 1, n_scales - 1)  # and a lone one itself
                stability += both / (sums[pair, a, AREA] + sums[other, a, AREA] - both)
            f[STABILITY] = stability
            f[GROWTH] = math.log(sums[k, max(a - 1, 0), AREA] / sums[k, min(a + 1, n_levels - 1), AREA])
            f[GROWTH_TWO] = math.log(sums[k, max(a - 2, 0), AREA] / area)
            f[LEVEL] = level
            f[LEVEL_SQUARED] = level * level
            f[STEP_OF_ALL] = f[STEP] / steepest
            f[WEAK] = s[WEAK_EDGES] / edges
            f[LOG_AREA] = log_area
            f[SIDE_OVER_SCALE] = math.sqrt(area) / scales[k]
            f[AREA_OVER_SCALE] = area / scales[k] ** 2
            f[RING_MEAN] = ring_mean / c
            f[RING_DEVIATION] = ring_deviation / c
            f[MAXIMUM] = s[LARGEST] / c
            f[ROUNDNESS] = 4 * math.pi * area / edges**2
            f[OFFSET] = math.hypot(s[ROW_OFFSETS], s[COLUMN_OFFSETS]) / area**1.5
            f[LOG_SCALE] = math.log(scales[k] / 21.0)
            f[LOG_CONTRAST] = math.log(c / largest)
            f[LOG_CONTRAST_NEXT] = math.log(c / following)
            f[LOG_LEVEL_NOISE] = math.log(max(level * c / noise, 0.1))
            f[LOG_RING_SNR] = math.log(max((s[TOTAL] / area - ring_mean) / (ring_deviation + 0.5 * noise), 0.1))
            f[INSIDE_MEAN] = s[TOTAL] / area / c
            f[LOG_NOISE] = log_noise
            f[LOG_SPREAD] = log_spread
            f[LEVEL_NOISE] = (level - LEVEL_CENTRE) ** 2 * log_noise


@kernel
def score_kernel(features, centre, deviation, weights, bad, temperature, n_levels, share):
    """Softmax of a score that is linear in the features and bilinear in them with level and ln area.

    score = sum_j z_j (w_j0 + w_j1 l + w_j2 s), z_j standardised and cut at 4 deviations, l and s the level and ln area
    as `vote.centred` has them. Writes the candidates' shares of the vote into `share` (K, L); returns the best score.
    """
    n_scales = features.shape[0]
    best = -np.inf
    for k in range(n_scales):
        for a in range(n_levels):
            if bad[k, a]:
                share[k, a] = -np.inf
                continue
            f = features[k, a]
            level, size = (f[LEVEL] - LEVEL_CENTRE) / LEVEL_SCALE, (f[LOG_AREA] - LOG_AREA_CENTRE) / LOG_AREA_SCALE
            total = 0.0
            for j in range(f.shape[0]):
                z = min(max((f[j] - centre[j]) / deviation[j], -4.0), 4.0)
                total += z * (weights[j, 0] + weights[j, 1] * level + weights[j, 2] * size)
            share[k, a] = total
            best = max(best, total)
    total = 0.0
    for k in range(n_scales):
        for a in range(n_levels):
            share[k, a] = math.exp((share[k, a] - best) / temperature) if not bad[k, a] else 0.0
            total += share[k, a]
    if total > 0:
        for k in range(n_scales):
            for a in range(n_levels):
                share[k, a] /= total
    return best
