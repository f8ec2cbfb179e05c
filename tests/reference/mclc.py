"""Slow, obvious twins of the kernels of Monte Carlo linear clustering: plain loops and whole matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def crf(
    probability: NDArray[np.float64],
    grey: NDArray[np.uint8],
    n_iter: int,
    bilateral: tuple[float, float, float],
    smooth: tuple[float, float],
) -> NDArray[np.float64]:
    """Dense CRF of two terms with the matrices of all pairs, both labels kept.

    `bilateral` is (pixels, grey levels, weight), `smooth` (pixels, weight).
    """
    rows, columns = np.indices(grey.shape).reshape(2, -1).astype(np.float64)
    colour = grey.ravel().astype(np.float64)
    wide, narrow = bilateral[0], smooth[0]
    terms = []
    for features, weight in (
        ([rows / wide, columns / wide, *[colour / bilateral[1]] * 3], bilateral[2]),
        ([rows / narrow, columns / narrow], smooth[1]),
    ):
        at = np.stack(features, axis=1)
        pairs = np.exp(-0.5 * ((at[:, None] - at[None]) ** 2).sum(axis=-1))
        norm = 1 / np.sqrt(pairs.sum(axis=1))
        terms.append(weight * norm[:, None] * pairs * norm)
    inside = np.clip(probability.ravel(), 1e-5, 1 - 1e-5)
    energy = -np.log(np.stack([1 - inside, inside]))
    belief = np.exp(-energy)
    for _ in range(n_iter):
        score = -energy + sum(belief @ term for term in terms)
        belief = np.exp(score - score.max(axis=0))
        belief /= belief.sum(axis=0)
    return belief[1].reshape(grey.shape)
