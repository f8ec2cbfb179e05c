"""What larger windows bring and cost: the default with and without `enlarge` on every data set that is there.

python benchmarks/larger.py --out benchmarks/results/larger.json

A leak is a mask of more than 4 times the true area and 50 px. Sets whose targets are dark are labelled so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from common import POINTS, finish, load, need_data, parser
from pointlabel import annotate, get_method
from pointlabel.evaluation.targets import owned_ious, true_targets

DARK = ("RSS-dark-1", "MT-blowhole")
WAYS = ("without", "with")


def measure(data: Path, name: str, points: str, every: int) -> dict[str, Any]:
    """Pooled IoU, mean IoU of the targets and leaks of one data set, without and with larger windows."""
    pixels = {way: np.zeros(2) for way in WAYS}
    ious: dict[str, list[float]] = {way: [] for way in WAYS}
    leaks = dict.fromkeys(WAYS, 0)
    n_targets = 0
    for sample in load(data, name, points, every=every):
        numbers, owners = true_targets(sample.mask, sample.points)
        areas = np.bincount(numbers.ravel())
        n_targets += len(owners)
        for way in WAYS:
            params = get_method("default").params(enlarge=way == "with")
            polarity = "dark" if name in DARK else "bright"
            labels = annotate(sample.image, sample.points, params=params, polarity=polarity)
            mask = labels.mask()
            pixels[way] += (mask & sample.mask).sum(), (mask | sample.mask).sum()
            found = owned_ious(labels, numbers, owners)
            ious[way] += found[np.isfinite(found)].tolist()
            true = np.where(owners > 0, areas[owners], 0)
            leaks[way] += sum(t.area > 4 * area + 50 for t, area in zip(labels.targets, true, strict=True))
    row: dict[str, Any] = {"data": name, "points": points, "targets": n_targets}
    for way in WAYS:
        iou = float(pixels[way][0] / pixels[way][1])
        row[way] = {"iou": iou, "mean_iou": float(np.mean(ious[way])), "leaks": int(leaks[way])}
    return row


def main() -> None:
    """Measure, print, store."""
    args = parser(__doc__).parse_args()
    data = need_data(args)
    names = sorted(path.name for path in data.iterdir() if (path / POINTS["centroid"]).is_dir())
    rows = []
    for name in names:
        for points in POINTS:
            rows.append(measure(data, name, points, 10 if args.quick else 1))
            cells = [
                f"{rows[-1][way]['iou']:.4f} {rows[-1][way]['mean_iou']:.4f} {rows[-1][way]['leaks']}" for way in WAYS
            ]
            print(f"{name:<14} {points:<9} {rows[-1]['targets']:>5}   " + "   ".join(cells), flush=True)
    finish(
        {"note": "pooled IoU, mean IoU of the targets, leaks; without and with larger windows", "rows": rows}, args.out
    )


if __name__ == "__main__":
    main()
