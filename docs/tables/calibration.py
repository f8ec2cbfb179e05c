"""Tables of calibration."""

from __future__ import annotations

import numpy as np

from .store import both, markdown, stored


def _calibrations(*parts: str) -> str:
    """Rows of the parts of the calibration's benchmark."""
    several, has_reference = len(parts) > 1, parts != ("shipped",)
    rows = []
    for row in stored("calibrate")["rows"]:
        if row["part"] not in parts:
            continue
        change = " / ".join(f"{row['change'][name]:+.4f}" for name in ("iou", "niou"))
        worst = " / ".join(f"{row['worst'][name]:+.3f}" for name in ("iou", "niou"))
        won = row["won_back"] and " / ".join(
            "-" if share is None else f"{100 * share:.0f} %" for share in map(row["won_back"].get, ("iou", "niou"))
        )
        kept = row["taken"].get("the defaults", 0)
        head = [f"{row['data']}, {row['part']}" if several else row["data"], str(row["images"])]
        cells = [both(row["before"]), both(row["after"]), both(row["refitted"])]
        cells += [both(row["reference"]), won] if has_reference else []
        rows.append([*head, *cells, change, worst, f"{row['draws'] - kept} of {row['draws']}"])
    columns = [
        "",
        "images",
        "defaults",
        "calibrated",
        "refitted",
        *(["reference", "won back"] if has_reference else []),
    ]
    return markdown([*columns, "change", "worst draw", "styles taken"], rows)


def calibrate_shipped() -> str:
    """What calibration changes where there is nothing to win."""
    return _calibrations("shipped")


def calibrate_left_out() -> str:
    """What it wins on a data set that the fit has not seen."""
    return _calibrations("left out")


def calibrate_planted() -> str:
    """What it wins where masks are dilated or eroded."""
    return _calibrations("dilated", "eroded")


def calibrate_level() -> str:
    """What it wins where masks are drawn at a level."""
    return _calibrations("level 3 %", "level 8 %")


def calibrate_time() -> str:
    """Seconds of a calibration, by the number of images."""
    rows = stored("calibrate")["rows"]
    cells = []
    for n in sorted({row["images"] for row in rows}):
        times = [row["time"] for row in rows if row["images"] == n]
        middle = np.median([time["median_ms"] for time in times]) / 1000
        slowest = max(time["p99_ms"] for time in times) / 1000
        cells.append([f"{n} images", f"{middle:.1f}", f"{slowest:.1f}"])
    return markdown(["", "median", "99 % of the slowest set"], cells)


TABLES = (calibrate_shipped, calibrate_left_out, calibrate_planted, calibrate_level, calibrate_time)
