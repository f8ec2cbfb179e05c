"""Rows A1 to A4 and B1 to B4 of the paper's ablation, and the full method: IoU, nIoU, Pd, Fa over seeds.

python benchmarks/ablation.py --out benchmarks/results/ablation.json
python benchmarks/ablation.py --datasets SIRST-v1 NUDT-SIRST IRSTD-1k --model alclnet --crop 256 --epochs 400
python benchmarks/ablation.py --measure

A1 to A4 train on labels that never change: the points, heat alone, the superpixel alone, both fused. B1 to B4 take one
part out of the bi-level method on the labels of A4: joint learning in place of two levels, all samples alike, labels
that stay, no validation loss in the detector's step. `published` is the IoU of the paper's Table 3, on other data and
another detector unless the options say the same; it is printed for the order of the rows.

Runs lie in their own folders under --runs. What is done is skipped, and what was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from typing import Any

from training_runs import Job, add_options, estimate, rows_of, show, train_all

from common import finish, need_data, parser


def _labels(method: str) -> dict[str, Any]:
    return {"strategy": "offline", "label_method": method}


def _without(**options: Any) -> dict[str, Any]:
    return {"strategy": "bilevel", "label_method": "diffusion", "options": options}


#: Row -> what it differs in, and the published IoU on SIRST3 with ALCLNet.
ROWS: dict[str, tuple[dict[str, Any], float]] = {
    "A1 points": (_labels("point"), 0.0807),
    "A2 heat": (_labels("heat"), 0.6964),
    "A3 superpixel": (_labels("superpixel"), 0.6864),
    "A4 heat and superpixel": (_labels("diffusion"), 0.7075),
    "B1 joint learning": (_without(joint=True), 0.6710),
    "B2 all weights 1": (_without(balance=False), 0.7096),
    "B3 no label update": (_without(update_labels=False), 0.7152),
    "B4 beta = 0": (_without(beta=0.0), 0.6774),
    "full method": (_without(), 0.7328),
}


def plan(args: argparse.Namespace) -> list[Job]:
    """One job for each row and seed, seeds outermost: a first table of all rows comes early."""
    jobs = []
    for seed in args.seeds:
        for name in args.rows:
            changes, published = ROWS[name]
            settings: dict[str, Any] = {
                "model": args.model,
                "points": args.points,
                "crop": args.crop,
                "epochs": args.epochs,
                "seed": seed,
                "outer_start": 0.2,
                "outer_every": 0.05,
                "device": args.device,
                **changes,
            }
            if settings["strategy"] == "bilevel":
                settings["options"] = {**settings["options"], "hypergradient": args.hypergradient}
            tag = name.partition(" ")[0]
            words = ("ablation", "+".join(args.datasets), args.model, args.points, args.crop, args.epochs, tag)
            folder = args.runs / "-".join(str(word) for word in (*words, args.hypergradient, seed))
            datasets = tuple(args.data / each for each in args.datasets)
            jobs.append(Job(name, settings, datasets, folder, {"published": published}))
    return jobs


def main() -> None:
    """Train, print, store."""
    options = parser(__doc__)
    add_options(options, epochs=80, seeds=(0, 1, 2))
    options.add_argument("--datasets", nargs="+", default=["SIRST-v1"], metavar="NAME", help="default SIRST-v1")
    options.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    options.add_argument("--points", default="centroid", choices=("centroid", "coarse"))
    options.add_argument("--hypergradient", default="proxy", choices=("proxy", "head", "one-step"))
    args = options.parse_args()
    args.data = need_data(args)
    if args.quick:
        args.epochs, args.seeds = max(1, args.epochs // 10), args.seeds[:1]
    jobs = plan(args)
    if args.measure:
        rows = estimate(jobs, args.jobs)
    else:
        rows = rows_of(jobs, train_all(jobs, args.jobs))
        show(rows)
    names = ("datasets", "model", "points", "epochs", "crop", "seeds", "hypergradient", "jobs", "device")
    finish({**{name: getattr(args, name) for name in names}, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
