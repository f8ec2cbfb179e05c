"""Rows of a comparison: one method on one data set in a few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.classes import SCR_BINS, SIZE_CLASSES, scr_bin, size_class
from .runner import MethodRun

#: A target below this IoU counts as poor.
POOR_IOU = 0.5


def summarise(run: MethodRun, features: NDArray[np.float64] | None = None) -> dict[str, Any]:
    """Sum a run up, ready for JSON.

    Parameters
    ----------
    run : the run.
    features : (T, 4) float64, `describe_targets` of the true target of each point, NaN where it has none; None for
        a run without masks, which has times only.

    Returns
    -------
    dict with ``method``, ``size_prior``, ``seeds``, ``images``, ``targets`` (points that were labelled), the times
    ``ms_median``, ``ms_p90``, ``ms_p99`` per target and ``first_ms``, memory ``peak_mb`` and ``start_mb``, ``params``,
    and with masks also

    ``iou`` pooled over the pixels of all images, ``niou`` the mean over images, ``poor`` the share of targets whose own
    IoU is below 0.5, ``area_error`` the mean of |area - true area| / true area, ``area_ratio`` the geometric mean of
    area / true area; each the mean over seeds, with the standard deviation over seeds as ``..._std``, 0 for one seed.
    ``points_off`` counts points without a true target, which are in none of the last three. ``by_size`` and ``by_scr``
    give targets and mean IoU in the classes of `pointlabel.evaluation.classes`.
    """
    median, p90, p99 = np.percentile(run.times_ms, [50, 90, 99]).tolist()
    row: dict[str, Any] = {
        "method": run.method,
        "size_prior": run.size_prior,
        "seeds": run.n_seeds,
        "images": run.n_images,
        "targets": len(run.times_ms),
    }
    if features is not None:
        row |= _scores(run, features)
    return row | {
        "ms_median": median,
        "ms_p90": p90,
        "ms_p99": p99,
        "first_ms": run.first_ms,
        "peak_mb": run.peak_mb,
        "start_mb": run.start_mb,
        "params": run.params,
    }


def _scores(run: MethodRun, features: NDArray[np.float64]) -> dict[str, Any]:
    known = np.isfinite(features[:, 0])
    ious, areas, true = run.ious[:, known], run.areas[:, known], features[known, 0]
    inter, union = run.inter.sum(axis=1), run.union.sum(axis=1)
    each = {"iou": inter / np.maximum(union, 1), "niou": (run.inter / np.maximum(run.union, 1)).mean(axis=1)}
    if true.size:
        each["poor"] = (ious < POOR_IOU).mean(axis=1)
        each["area_error"] = (np.abs(areas - true) / true).mean(axis=1)
        each["area_ratio"] = np.exp(np.log(np.maximum(areas, 1) / true).mean(axis=1))
    out: dict[str, Any] = {"points_off": int(np.count_nonzero(~known))}
    for name, values in each.items():
        out[name] = float(values.mean())
        out[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    mean_iou = ious.mean(axis=0)
    out["by_size"] = _by_class(mean_iou, [size_class(int(area)) for area in true], SIZE_CLASSES)
    out["by_scr"] = _by_class(mean_iou, [scr_bin(float(scr)) for scr in features[known, 3]], SCR_BINS)
    return out


def _by_class(ious: NDArray[np.float64], names: list[str], classes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    kept = np.array(names, dtype=object)
    out = {}
    for name in classes:
        chosen = ious[kept == name]
        out[name] = {"targets": int(chosen.size), "iou": float(chosen.mean()) if chosen.size else None}
    return out


def sort_rows(rows: list[dict[str, Any]], key: str, *, largest_first: bool) -> list[dict[str, Any]]:
    """Rows in the order of a number, those without it (failed ones) last."""
    sign = -1 if largest_first else 1
    return sorted(rows, key=lambda row: (row.get(key) is None, sign * (row.get(key) or 0.0), row["method"]))
