"""Every training strategy on one data set from one point a target: IoU, nIoU, Pd, Fa over seeds.

python -m benchmarks.training.strategies --out benchmarks/results/strategies.json
python -m benchmarks.training.strategies --model mlclnet --lr 0.002 --target-share 1 --seeds 0 --epochs 10 \
    --strategies full offline-diffusion bilevel --out benchmarks/results/strategies_mlclnet.json
python -m benchmarks.training.strategies --data HALVES --dataset NUDT-SIRST --epochs 40 --seeds 0 \
    --strategies offline-default offline-mined --out benchmarks/results/mining_nudt.json
python -m benchmarks.training.strategies --measure

Runs lie in their own folders under --runs. What is done is skipped, and what was stopped goes on where it was: stop it
whenever you like, and give the same command again. `--measure` trains two epochs of each strategy and says how many
hours the whole takes. `--strategies NAME --replace` trains one row and puts it into the stored result.

A data set without lists is split first, in a folder of its own: `pointlabel split HALVES/NUDT-SIRST --ratio 1:1`.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.common import parser
from benchmarks.training.runs import Job, job_of, read_options, train_and_tell

DATASET = "SIRST-v1"
#: Row -> what it differs in from the settings that all share.
STRATEGIES: dict[str, dict[str, Any]] = {
    "full": {"strategy": "full"},
    "full-mined": {"strategy": "full", "mine": "on"},
    "point": {"strategy": "point"},
    "offline-diffusion": {"strategy": "offline", "label_method": "diffusion"},
    "offline-default": {"strategy": "offline"},
    "offline-mined": {"strategy": "offline", "mine": "on"},
    # Its published loss, and crops that keep their scale; see docs/methods/lesps.md.
    "lesps": {"strategy": "lesps", "loss": "heatmap-focal", "zoom": 0.0},
    "pal": {"strategy": "pal"},
    "pal-mined": {"strategy": "pal", "mine": "on"},
    "bilevel": {"strategy": "bilevel", "label_method": "diffusion"},
    "bilevel-head": {"strategy": "bilevel", "label_method": "diffusion", "options": {"hypergradient": "head"}},
    # On the default's labels there is no theta to learn: weights and validation batches alone.
    "bilevel-default": {"strategy": "bilevel"},
    "bilevel-mined": {"strategy": "bilevel", "mine": "on"},
    "bilevel-errors": {"strategy": "bilevel", "mine": "on", "options": {"weights": "errors"}},
    "bilevel-agreement": {"strategy": "bilevel", "mine": "on", "options": {"weights": "agreement"}},
    "bilevel-quality": {"strategy": "bilevel", "mine": "on", "options": {"weights": "quality"}},
    "bilevel-alike": {"strategy": "bilevel", "mine": "on", "options": {"balance": False}},
}
USUAL = tuple(name for name in STRATEGIES if name != "bilevel-default")


def job(args: argparse.Namespace, name: str, seed: int, dataset: str = DATASET) -> Job:
    """The run of a strategy."""
    return job_of(args, name, name, seed, STRATEGIES[name], (dataset,))


def main() -> None:
    """Train, print, store; seeds outermost, so that a first table of all strategies comes early."""
    options = parser(__doc__)
    options.add_argument("--strategies", nargs="+", default=list(USUAL), choices=list(STRATEGIES), metavar="NAME")
    options.add_argument("--dataset", default=DATASET, metavar="NAME", help=f"default {DATASET}")
    args = read_options(options)
    jobs = [job(args, name, seed, args.dataset) for seed in args.seeds for name in args.strategies]
    train_and_tell(args, jobs, dataset=args.dataset)


if __name__ == "__main__":
    main()
