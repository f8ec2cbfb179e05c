"""Tables of calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from .store import markdown, stored


def _rows(is_planted: bool) -> list[dict[str, Any]]:
    return [row for row in stored("calibrate")["rows"] if (row["way"] != "as they are") == is_planted]


def _both(scores: dict[str, float]) -> str:
    return f"{scores['iou']:.3f} / {scores['mean_iou']:.3f}"


def calibrate_left_out() -> str:
    """What a style wins on data sets that nothing was fitted on, by the number of images with masks."""
    rows = _rows(is_planted=False)
    numbers = sorted({row["images"] for row in rows})
    lines = []
    for name in dict.fromkeys(row["data"] for row in rows):
        own = {row["images"]: row for row in rows if row["data"] == name}
        cells = [name, _both(own[numbers[0]]["before"])]
        cells += [f"{own[n]['after']['iou']:.3f} ({own[n]['change']:+.3f}, {own[n]['worst']:+.3f})" for n in numbers]
        lines.append([*cells, _both(own[numbers[0]]["reference"])])
    heads = [f"{n} image{'s' if n > 1 else ''}" for n in numbers]
    return markdown(["", "default", *heads, "all masks"], lines)


def calibrate_planted() -> str:
    """What it wins where masks are dilated, eroded, or drawn at a level."""
    lines = []
    for row in _rows(is_planted=True):
        gap = row["reference"]["iou"] - row["before"]["iou"]
        won = f"{100 * row['change'] / gap:.0f} %" if gap > 0 else "-"
        cells = [_both(row[key]) for key in ("before", "after", "reference")]
        lines.append([f"{row['data']}, {row['way']}", *cells, won, f"{row['worst']:+.3f}"])
    return markdown(["", "default", "calibrated", "refitted", "won back", "worst draw"], lines)


def calibrate_leaks() -> str:
    """Masks that swallow the scene, before and after, summed over the draws."""
    rows = _rows(is_planted=False)
    lines = []
    for n in sorted({row["images"] for row in rows}):
        own = [row for row in rows if row["images"] == n]
        total = sum(row["targets"] for row in own)
        leaks = [sum(row[key]["leaks"] for row in own) for key in ("before", "after")]
        lines.append([f"{n}", str(total), *(f"{each:.1f}" for each in leaks)])
    return markdown(["images", "targets", "leaks, default", "leaks, calibrated"], lines)


def calibrate_time() -> str:
    """Seconds of a calibration, by the number of images."""
    rows = _rows(is_planted=False)
    cells = []
    for n in sorted({row["images"] for row in rows}):
        times = [row["time"] for row in rows if row["images"] == n]
        middle = np.median([time["median_ms"] for time in times]) / 1000
        slowest = max(time["median_ms"] for time in times) / 1000
        cells.append([f"{n}", f"{middle:.2f}", f"{slowest:.2f}"])
    return markdown(["images", "median", "slowest data set"], cells)


def image_styles() -> str:
    """Styles guessed from images alone."""
    rows = stored("image_styles")["rows"]
    names = [name for name in rows[0] if name != "data"]
    return markdown(["", *names], [[row["data"], *(f"{row[name]:.3f}" for name in names)] for row in rows])


TABLES = (calibrate_left_out, calibrate_planted, calibrate_leaks, calibrate_time, image_styles)
