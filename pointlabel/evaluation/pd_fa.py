"""Soft predictions: every metric over a sweep of thresholds, the Pd-Fa curve and its area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import as_floats, as_mask, as_reals
from .._values import as_number
from ..errors import InputError, shown
from .metrics import Totals, check_profile, score_image

#: Thresholds of a sweep; a pixel is taken where its soft value lies above. Close at both ends, where detectors
#: put most of their values.
THRESHOLDS = (0.001, 0.003, 0.01, 0.03, *(round(0.05 * k, 2) for k in range(1, 20)), 0.97, 0.99, 0.997, 0.999)

#: The area under the Pd-Fa curve counts up to this share of false pixels.
FA_LIMIT = 1e-4


class SoftSweep:
    """Sums over images at each threshold; the memory does not grow with the number of images.

    Parameters
    ----------
    thresholds : increasing, in [0, 1).
    """

    def __init__(self, thresholds: Sequence[float] = THRESHOLDS) -> None:
        array = as_floats(thresholds, "thresholds")
        if array.ndim != 1 or array.size == 0 or not (array[0] >= 0 and array[-1] < 1 and np.all(np.diff(array) > 0)):
            raise InputError(f"thresholds must increase and lie in [0, 1), got {shown(thresholds)}")
        self.thresholds = tuple(float(value) for value in array)
        self._totals = [Totals() for _ in self.thresholds]

    def add(self, soft: NDArray, true: NDArray[np.bool_]) -> None:
        """Add one image: `soft` (H, W) in [0, 1], `true` (H, W) bool."""
        soft = as_reals(soft, "soft")  # in its own type: thresholds cut float32 as float32
        as_mask(true, "true")
        if soft.shape != true.shape:
            raise InputError(f"soft must have the shape of the true mask, {true.shape}, got {soft.shape}")
        score, n_before = None, -1
        for threshold, totals in zip(self.thresholds, self._totals, strict=True):
            mask = soft > threshold
            n = int(np.count_nonzero(mask))
            if score is None or n != n_before:  # masks are nested: an equal count is the same mask
                window = _bounding_window(mask | true)
                score = replace(score_image(mask[window], true[window], with_targets=False), n_pixels=true.size)
            n_before = n
            totals.add(score)

    def points(self, profile: str = "exact") -> list[dict[str, Any]]:
        """Return for each threshold ``threshold``, ``iou``, ``niou``, ``niou_with_targets``, ``pd`` and ``fa``."""
        check_profile(profile)
        names = ("iou", "niou", "niou_with_targets", "pd", "fa")
        out = []
        for threshold, totals in zip(self.thresholds, self._totals, strict=True):
            summary = totals.summary(profile)
            out.append({"threshold": threshold, **{name: summary[name] for name in names}})
        return out


def curve_area(fa: ArrayLike, pd: ArrayLike, fa_limit: float = FA_LIMIT) -> float:
    """Return the mean, over false-alarm rates from 0 to `fa_limit`, of the best Pd that costs no more.

    Parameters
    ----------
    fa, pd : (K,) numbers in [0, 1], one pair for each threshold, in any order.
    fa_limit : positive.

    Returns
    -------
    float in [0, 1]: 1 where every target is found at no false alarm, 0 where no threshold stays under the limit.
    """
    rates, shares = as_floats(fa, "fa"), as_floats(pd, "pd")
    if rates.shape != shares.shape or rates.ndim != 1:
        raise InputError(f"fa and pd must be of one length, got shapes {rates.shape} and {shares.shape}")
    if not as_number(fa_limit, "fa_limit") > 0:
        raise InputError(f"fa_limit must be positive, got {fa_limit}")
    order = np.argsort(rates, kind="stable")
    order = order[rates[order] <= fa_limit]
    edges = np.append(rates[order], fa_limit)
    best = np.maximum.accumulate(shares[order]) if order.size else shares[:0]
    return float(np.sum(np.diff(edges) * best) / fa_limit)


def _bounding_window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Smallest window that holds the mask; one pixel where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, 1), slice(0, 1)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
