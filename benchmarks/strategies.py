"""Every training strategy on SIRST-v1 from one point a target: IoU, nIoU, Pd, Fa over seeds.

python benchmarks/strategies.py --out benchmarks/results/strategies.json
python benchmarks/strategies.py --model mlclnet --lr 0.001 --seeds 0 --epochs 40 \
    --strategies full offline-diffusion bilevel --out benchmarks/results/strategies_mlclnet.json
python benchmarks/strategies.py --measure

Runs lie in their own folders under --runs. What is done is skipped, and what was stopped goes on where it was: stop it
whenever you like, and give the same command again. `--measure` trains two epochs of each strategy and says how many
hours the whole takes.
"""

from __future__ import annotations

import argparse
from typing import Any

from training_runs import Job, add_options, estimate, rows_of, show, train_all

from common import finish, need_data, parser

DATASET = "SIRST-v1"
#: Row -> what it differs in from the settings below.
STRATEGIES: dict[str, dict[str, Any]] = {
    "full": {"strategy": "full"},
    "point": {"strategy": "point"},
    "offline-diffusion": {"strategy": "offline", "label_method": "diffusion"},
    "offline-default": {"strategy": "offline"},
    "lesps": {
        "strategy": "lesps",
        "loss": "heatmap-focal",
        "zoom": 0.0,
    },  # its published loss; see docs/methods/lesps.md
    "pal": {"strategy": "pal"},
    "bilevel": {"strategy": "bilevel", "label_method": "diffusion"},
    # The same on the default's labels, which have no theta to learn: weights and validation batches alone.
    "bilevel-default": {"strategy": "bilevel"},
}
USUAL = tuple(name for name in STRATEGIES if name != "bilevel-default")


def plan(args: argparse.Namespace) -> list[Job]:
    """One job for each strategy and seed, seeds outermost: a first table of all strategies comes early."""
    jobs = []
    for seed in args.seeds:
        for name in args.strategies:
            settings = {
                "model": args.model,
                "points": args.points,
                "crop": args.crop,
                "epochs": args.epochs,
                "lr": args.lr,
                "seed": seed,
                "validate_every": 4,
                "outer_start": 0.2,
                "outer_every": 0.05,
                "device": args.device,
                **STRATEGIES[name],
            }
            folder = args.runs / f"{DATASET}-{args.model}-{args.points}-{args.epochs}-{name}-{seed}"
            jobs.append(Job(name, settings, (args.data / DATASET,), folder))
    return jobs


def main() -> None:
    """Train, print, store."""
    options = parser(__doc__)
    add_options(options, epochs=80, seeds=(0, 1, 2))
    options.add_argument("--strategies", nargs="+", default=list(USUAL), choices=list(STRATEGIES), metavar="NAME")
    options.add_argument("--points", default="centroid", choices=("centroid", "coarse"))
    options.add_argument("--lr", type=float, default=5e-3, help="learning rate of all runs, default 0.005")
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
    about = {
        name: getattr(args, name) for name in ("model", "points", "epochs", "lr", "crop", "seeds", "jobs", "device")
    }
    finish({"dataset": DATASET, **about, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
