"""How well one number ranks targets by the IoU of their masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

N_BINS = 10
POOR = 0.5  # IoU below which a mask counts as poor


def reliability(rates: NDArray[np.float64], iou: NDArray[np.float64]) -> list[dict[str, float]]:
    """Mean quality, mean IoU and number of masks in bins of equal count, in the order of the quality."""
    order = np.array_split(np.argsort(rates, kind="stable"), N_BINS)
    return [
        {"quality": float(rates[b].mean()), "iou": float(iou[b].mean()), "targets": len(b)} for b in order if len(b)
    ]


def rank(rates: NDArray[np.float64], iou: NDArray[np.float64]) -> dict[str, Any]:
    """Spearman's correlation, poor masks in the fifth of lowest quality, reliability."""
    lowest = np.argsort(rates, kind="stable")[: round(len(rates) / 5)]
    poor = iou < POOR
    bins = reliability(rates, iou)
    return {
        "targets": len(rates),
        "spearman": float(spearmanr(rates, iou).statistic),
        "poor": int(poor.sum()),
        "poor_in_lowest_fifth": float(poor[lowest].sum() / max(poor.sum(), 1)),
        "mean_gap": float(np.mean([abs(b["quality"] - b["iou"]) for b in bins])),
        "bins": bins,
    }
