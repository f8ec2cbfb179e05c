"""What describes a candidate region, computed from the sums over it."""

from __future__ import annotations

import math

import numpy as np

from ...compiled import kernel

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
    "level_noise",  # (level - 0.35)^2 ln c over the noise
)
N_FEATURES = len(FEATURES)

#: What level and ln area are centred and divided by where the score's weights follow them.
LEVEL_CENTRE, LEVEL_SCALE = 0.35, 0.25
LOG_AREA_CENTRE, LOG_AREA_SCALE = 3.0, 1.3


@kernel
def feature_kernel(sums, shared, contrast, scales, levels, noise, spread, out):
    """Features of all candidates, `out` (K, L, N_FEATURES) float64.

    `sums` (K, L, N_SUMS) and `shared` (K - 1, L) come from the region kernels, `contrast` (K,) is the peak's
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
            out[k, a, 5] = sums[k, a, 7] / max(sums[k, a, 6], 1.0) / c
            steepest_here = max(steepest_here, out[k, a, 5])
        for a in range(n_levels):
            out[k, a, 6] = out[k, a, 5] / steepest_here
        steepest = max(steepest, steepest_here)
    for k in range(n_scales):
        c = max(contrast[k], 1.0)
        following = max(contrast[min(k + 1, n_scales - 1)], 1.0)
        below, above = max(k - 1, 0), min(k, n_scales - 2)
        log_noise, log_spread = math.log(c / noise), math.log(c / spread)
        for a in range(n_levels):
            s = sums[k, a]
            f = out[k, a]
            area, level = s[0], levels[a]
            log_area = math.log(area)
            edges, ring = max(s[6], 1.0), max(s[9], 1.0)
            ring_mean = s[10] / ring
            ring_deviation = math.sqrt(max(s[11] / ring - ring_mean * ring_mean, 0.0))
            stability = 0.0
            for pair in (below, above):  # the first and last scale count their one neighbour twice
                both = shared[pair, a]
                stability += both / (sums[pair, a, 0] + sums[pair + 1, a, 0] - both)
            f[0] = stability
            f[1] = math.log(sums[k, max(a - 1, 0), 0] / sums[k, min(a + 1, n_levels - 1), 0])
            f[2] = math.log(sums[k, max(a - 2, 0), 0] / area)
            f[3] = level
            f[4] = level * level
            f[7] = f[5] / steepest
            f[8] = s[8] / edges
            f[9] = log_area
            f[10] = math.sqrt(area) / scales[k]
            f[11] = area / scales[k] ** 2
            f[12] = ring_mean / c
            f[13] = ring_deviation / c
            f[14] = s[3] / c
            f[15] = 4 * math.pi * area / edges**2
            f[16] = math.hypot(s[4], s[5]) / area**1.5
            f[17] = math.log(scales[k] / 21.0)
            f[18] = math.log(c / largest)
            f[19] = math.log(c / following)
            f[20] = math.log(max(level * c / noise, 0.1))
            f[21] = math.log(max((s[1] / area - ring_mean) / (ring_deviation + 0.5 * noise), 0.1))
            f[22] = s[1] / area / c
            f[23] = log_noise
            f[24] = log_spread
            f[25] = (level - LEVEL_CENTRE) ** 2 * log_noise


@kernel
def score_kernel(features, centre, deviation, weights, bad, temperature, n_levels, share):
    """Softmax of a score that is linear in the features and bilinear in them with level and ln area.

    score = sum_j z_j (w_j0 + w_j1 (level - 0.35) / 0.25 + w_j2 (ln area - 3) / 1.3), z_j standardised and cut
    at 4 deviations. Writes the candidates' shares of the vote into `share` (K, L); returns the best score.
    """
    n_scales = features.shape[0]
    best = -np.inf
    for k in range(n_scales):
        for a in range(n_levels):
            if bad[k, a]:
                share[k, a] = -np.inf
                continue
            f = features[k, a]
            level, size = (f[3] - LEVEL_CENTRE) / LEVEL_SCALE, (f[9] - LOG_AREA_CENTRE) / LOG_AREA_SCALE
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
