"""Every method side by side on the three data sets: both kinds of point, with and without the true size.

    python benchmarks/all_methods.py
    python benchmarks/tables.py

The first writes `results/bench_centroid.json` and `results/bench_coarse.json`, the second the tables made of them. It
does what `pointlabel bench accuracy` does, four times; with the true size only methods that can be told it are run.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from time import perf_counter
from typing import Any

from common import DATASETS, POINTS, ROOT, circumstances, need_data, parser
from pointlabel.bench.comparison import POOLED, Comparison
from pointlabel.bench.methods import BenchJob, Survey, run_bench, survey_dataset
from pointlabel.bench.runner import plan_setup
from pointlabel.io.datasets import open_dataset
from pointlabel.methods.table import BUILT_IN

RESULTS = ROOT / "benchmarks" / "results"


def compare(surveys: list[Survey], points: str, size_prior: str, names: list[str], n_seeds: int) -> Comparison:
    """Run the methods that can be told as much of the size as asked, each on every data set."""
    setups = [plan_setup(name, size_prior=size_prior, n_seeds=n_seeds) for name in names]
    setups = [setup for setup in setups if setup.size_prior == size_prior]
    comparison = Comparison(surveys, points=points)
    jobs = [BenchJob(setup, place, survey) for setup in setups for place, survey in enumerate(surveys)]
    start = perf_counter()
    with closing(run_bench(jobs)) as work:
        for done in work:
            comparison.add(done)
            setup, name = done.job.setup, comparison.names[done.job.place]
            iou = "" if done.run is None else f"IoU {done.run.inter.sum() / done.run.union.sum():.3f}"
            print(
                f"{perf_counter() - start:7.0f} s  {points:<9}{size_prior:<8}{setup.method:<12}{name:<12}"
                f"{done.error or iou}",
                flush=True,
            )
    return comparison


def main() -> None:
    """Measure everything, store one result for each kind of point."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5, help="seeds of the methods that draw random numbers")
    options.add_argument("--methods", help="names separated by commas, default all that need no trained model")
    args = options.parse_args()
    data = need_data(args)
    names = [name for name, method in BUILT_IN.items() if not method.needs_checkpoint]
    if args.methods:
        names = args.methods.split(",")
    n_errors = 0
    for points in POINTS:
        datasets = [open_dataset(data / name, points=points) for name in DATASETS]
        if args.quick:
            datasets = [dataset.sample(len(dataset) // 10) for dataset in datasets]
        surveys = [survey_dataset(dataset) for dataset in datasets]
        rows: list[dict[str, Any]] = []
        about: list[dict[str, Any]] = []
        for prior in ("none", "oracle"):
            comparison = compare(surveys, points, prior, names, 2 if args.quick else args.seeds)
            rows += comparison.rows()
            about = comparison.result()["data"]
            n_errors += comparison.n_errors
        show(rows)
        result = {"rows": rows, "data": about, "threads_of_methods": comparison.n_threads}
        path = (args.out or RESULTS) / f"bench_{points}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**circumstances(), "result": result}, indent=1) + "\n", encoding="utf-8")
        print(f"written to {path}")
    if n_errors:
        sys.exit(f"{n_errors} runs failed")


def show(rows: list[dict[str, Any]]) -> None:
    """Print the pooled rows, the highest IoU first."""
    print(f"{'method':<12}{'size prior':<12}{'IoU':>7}{'nIoU':>7}{'poor':>7}{'ms':>8}{'p99':>8}")
    for row in sorted((row for row in rows if row["dataset"] == POOLED), key=lambda row: -row["iou"]):
        print(
            f"{row['method']:<12}{row['size_prior']:<12}{row['iou']:7.3f}{row['niou']:7.3f}{row['poor']:7.1%}"
            f"{row['ms_median']:8.3f}{row['ms_p99']:8.3f}"
        )


if __name__ == "__main__":
    main()
