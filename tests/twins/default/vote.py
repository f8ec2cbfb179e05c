"""The vote of the default method: shares, the expected region and relief, expectations, heat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointlabel.engine.default._feature_kernels import FEATURES
from pointlabel.engine.default.weights import ScoreWeights
from tests.twins import diffusion

BETA, ALPHA, N_BINS, TAU_SHARE, N_STEPS, RHO = 6.0, 0.6, 32, 0.9, 6, 0.3
#: Features whose means are `summary`; the deviation of the first follows it, the entropy of the shares `stability`.
MEANS = ("log_area", "level", "log_noise", "log_spread", "stability", "step", "growth_two")


def shares(
    features: NDArray, weights: ScoreWeights, bad: NDArray[np.bool_], temperature: float
) -> tuple[NDArray[np.float64], float]:
    """Softmax of the score over the candidates that are not bad, and the best score."""
    z = np.clip((features - weights.centre) / weights.deviation, -4, 4)
    level, size = features[..., FEATURES.index("level")], features[..., FEATURES.index("log_area")]
    by = z @ weights.coefficients
    score = np.where(bad, -np.inf, by[..., 0] + by[..., 1] * (level - 0.35) / 0.25 + by[..., 2] * (size - 3.0) / 1.3)
    if bad.all():
        return np.zeros(bad.shape), -np.inf
    weight = np.exp((score - score.max()) / temperature)
    return weight / weight.sum(), float(score.max())


def vote(level_of: NDArray, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the shares of all candidates that hold a pixel."""
    holds = np.pad(share[:, ::-1].cumsum(axis=1)[:, ::-1], ((0, 0), (0, 1)))
    return sum((one[levels] for one, levels in zip(holds, level_of, strict=True)), np.zeros(level_of.shape[1:]))


def relief(rests: NDArray, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the scales, weighted by the vote, of the height as a share of the peak's."""
    half = rests.shape[1] // 2
    out = np.zeros(rests.shape[1:])
    for rest, weight in zip(rests, share.sum(axis=1), strict=True):
        if rest[half, half] > 0:
            out += weight * rest / rest[half, half]
    return np.clip(out, -1, 2)


def summary(features: NDArray, share: NDArray[np.float64]) -> list[float]:
    """Means over the vote: ln area and its deviation, level, contrasts, stability, entropy, step, growth_two."""
    values = [features[..., FEATURES.index(name)] for name in MEANS]
    log_area, level, noise, spread, stability, step, growth = ((share * each).sum() for each in values)
    deviation = np.sqrt(max((share * values[0] ** 2).sum() - log_area**2, 0))
    known = share[share > 0]
    return [log_area, deviation, level, noise, spread, stability, -(known * np.log(known)).sum(), step, growth]


def heat(field: NDArray[np.float32], core: NDArray[np.int32]) -> NDArray[np.float32]:
    """The vote after `N_STEPS` steps of diffusion around it, mixed with the vote, its largest value 1."""
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    part = (slice(max(rows[0] - 4, 0), rows[-1] + 5), slice(max(columns[0] - 4, 0), columns[-1] + 5))
    units, source = core[part] * 16, field[part]  # 2^16 over the window's range, for 2^20
    medium = diffusion.conductivity(units, 1.0, BETA, ALPHA, N_BINS).astype(np.float32)
    both = RHO * diffusion.diffuse(source, medium, N_STEPS, TAU_SHARE) + (1 - RHO) * source
    out = np.zeros_like(field)
    out[part] = both / both.max()
    return out
