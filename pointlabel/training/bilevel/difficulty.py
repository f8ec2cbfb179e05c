"""Prior difficulty: how little a target differs from its surroundings, known before training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...evaluation.scr import local_scr


def prior_difficulty(levels: NDArray[np.float32], label: NDArray) -> float:
    """Difficulty of an image, 1 / (1 + SCR) of its pseudo-label.

    The published method names a prior difficulty and gives no formula. The local signal-to-clutter ratio (see
    `evaluation.scr.local_scr`, lying in [0, 12]) is what makes small targets hard, and needs no mask.

    Parameters
    ----------
    levels : (H, W), grey levels in [0, 1].
    label : (H, W) in [0, 1], the pseudo-label; above one half it is a target. All targets count together.

    Returns
    -------
    In [1/13, 1]; 1 where the label holds no target.
    """
    return 1 / (1 + local_scr(levels, label > 0.5, min_area_px=1))


def standardised_difficulty(values: Sequence[float]) -> torch.Tensor:
    """Difficulties of the training set, (N,) float32, with mean 0 and deviation 1; all 0 where they do not differ."""
    numbers = np.asarray(values, np.float64)
    deviation = numbers.std()
    out = (numbers - numbers.mean()) / deviation if deviation > 1e-9 else np.zeros_like(numbers)
    return torch.from_numpy(out.astype(np.float32))
