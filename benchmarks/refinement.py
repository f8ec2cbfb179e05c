"""What `--refine crf` gives and costs after several methods, on real images.

    python benchmarks/refinement.py --out benchmarks/results/refinement.json

The strengths of the CRF were chosen on images 1, 13, 25, ... of each data set, in the order of their names; figures are
for images 2, 4, 6, ..., none of those.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from common import DATASETS, finish, load, need_data, parser, spread
from pointlabel import annotate
from pointlabel.baselines.crf.labels import CrfParams, refine_by_crf

METHODS = ("threshold", "superpixel", "diffusion", "default")


def measure(data: Path, dataset: str, method: str, every: int) -> dict[str, Any]:
    """IoU, nIoU and time a target without and with the CRF."""
    counts: list[list[tuple[int, int]]] = [[], []]
    areas: list[list[int]] = [[], []]
    times: list[float] = []
    for sample in load(data, dataset, every=every, start=1):
        plain = annotate(sample.image, sample.points, method=method)
        refined = annotate(sample.image, sample.points, method=method, refine="crf")
        for kept, area, labels in zip(counts, areas, (plain, refined), strict=True):
            mask = labels.mask()
            area.append(int(mask.sum()))
            kept.append((int((mask & sample.mask).sum()), int((mask | sample.mask).sum())))
        for target in plain.targets:
            start = perf_counter()
            refine_by_crf(sample.image, [target])
            times.append((perf_counter() - start) * 1000)
    before, after = (np.array(kept, float) for kept in counts)
    ratios = [np.divide(a, b, out=np.ones_like(a), where=b > 0) for a, b in (before.T, after.T)]
    change = ratios[1] - ratios[0]
    return {
        "data": dataset,
        "method": method,
        "images": len(before),
        "targets": len(times),
        **{
            name: {"iou": float(kept[:, 0].sum() / kept[:, 1].sum()), "niou": float(ratio.mean())}
            for name, kept, ratio in zip(("before", "after"), (before, after), ratios, strict=True)
        },
        "area": sum(areas[1]) / sum(areas[0]),
        "better": float((change > 0.01).mean()),
        "worse": float((change < -0.01).mean()),
        **spread(times),
    }


def main() -> None:
    """Measure, print a line for each data set and method, write the result."""
    arguments = parser(__doc__)
    args = arguments.parse_args()
    data = need_data(args)
    annotate(np.eye(40), [(20, 20)], refine="crf")  # compiles
    rows = []
    for dataset in DATASETS:
        for method in METHODS:
            row = measure(data, dataset, method, 20 if args.quick else 2)
            rows.append(row)
            print(
                f"{dataset:11} {method:11} IoU {row['before']['iou']:.3f} -> {row['after']['iou']:.3f}, "
                f"nIoU {row['before']['niou']:.3f} -> {row['after']['niou']:.3f}, "
                f"area x {row['area']:.2f}, {row['better']:.0%} of images better, {row['worse']:.0%} worse, "
                f"{row['median_ms']:.2f} ms a target (90 %: {row['p90_ms']:.2f}, 99 %: {row['p99_ms']:.2f})",
                flush=True,
            )
    finish({"strengths": asdict(CrfParams()), "rows": rows}, args.out)


if __name__ == "__main__":
    main()
