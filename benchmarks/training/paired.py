"""How sure a gap between two strategies is: paired over seeds, and over the test images of all seeds together.

python -m benchmarks.training.paired offline-default:bilevel-errors offline-default:offline-mined \
    --runs RUNS --out benchmarks/results/paired.json

Each pair A:B names two rows of `benchmarks.training.strategies`, whose runs lie below --runs. Printed is B less A: the
IoU and nIoU of each seed, and the interval that holds 95 % of the differences when the images are drawn anew, where an
image counts with the pixels of all seeds.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.common import finish, parser
from benchmarks.training.runs import SCORES, Job, is_done, read_options
from benchmarks.training.strategies import job
from pointlabel.evaluation.bootstrap import paired_bootstrap
from pointlabel.training.compare import compare_runs


def compare(first: list[Job], second: list[Job]) -> dict[str, Any]:
    """Differences of the second row from the first: of each seed, and of all together with their intervals."""
    seeds, pooled = [], []
    for pair in zip(first, second, strict=True):
        found = compare_runs([each.folder for each in pair], device="cpu")
        scores = [run.scores for run in found.runs]
        seeds.append({name: scores[1][name] - scores[0][name] for name in SCORES})
        pooled.append([run.counts for run in found.runs])
        has_target = [bool(image.mask.any()) for image in found.images]
    before, after = np.sum(pooled, axis=0)
    together = paired_bootstrap(after, before, has_target)
    return {"by_seed": seeds, "together": {name: asdict(each) for name, each in together.items()}}


def main() -> None:
    """Compare, print, store."""
    options = parser(__doc__)
    options.add_argument("pairs", nargs="+", metavar="A:B", help="rows of benchmarks.training.strategies")
    args = read_options(options)
    rows = []
    for pair in args.pairs:
        names = pair.split(":")
        jobs = [[job(args, name, seed) for seed in args.seeds] for name in names]
        missing = [each.folder.name for row in jobs for each in row if not is_done(each)]
        if missing:
            options.error(f"not trained yet: {', '.join(missing)}")
        rows.append({"first": names[0], "second": names[1], **compare(*jobs)})
        for name in ("iou", "niou"):
            all_seeds, gaps = rows[-1]["together"][name], [f"{each[name]:+.3f}" for each in rows[-1]["by_seed"]]
            interval = f"{all_seeds['difference']:+.3f} ({all_seeds['low']:+.3f} to {all_seeds['high']:+.3f})"
            print(f"{names[1]} less {names[0]}, {name}: seeds {' '.join(gaps)}, together {interval}")
    finish({"dataset": "SIRST-v1", "epochs": args.epochs, "seeds": args.seeds, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
