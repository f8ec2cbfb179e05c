"""Losses on SIRST-v1 with true masks and from points: IoU, nIoU, Pd, Fa, and IoU and Pd by local contrast (SCR).

python benchmarks/training_losses.py --out benchmarks/results/training_losses.json
python benchmarks/training_losses.py --model mshnet --seeds 0 --epochs 40 \
    --out benchmarks/results/training_losses_mshnet.json
python benchmarks/training_losses.py --measure

MSHNet's loss (`sls`), the other three of its family, and REEM on top of it, beside the plain soft IoU; `full` trains on
the true masks, `offline` on those that the default method makes from one point a target. All runs share one learning
rate and everything else. Runs lie in their own folders under --runs, those of `soft-iou` where strategies.py has them
too. What is done is skipped, and what was stopped goes on where it was.

The family is soft IoU up to epoch 5, and REEM is `sls` up to epoch 10, so that a `--quick` run tells little of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import strategies
from training_runs import Job, add_options, estimate, rows_of, show, train_all

from common import finish, need_data, parser

#: Names as `pointlabel train --loss` has them, the one that the others are compared with first.
LOSSES = ("sls", "ratio", "diff", "signed", "reem", "soft-iou")
#: Strategy -> its row in strategies.py.
STRATEGIES = {"full": "full", "offline": "offline-default"}
#: The loss that strategies.py trains with.
USUAL_LOSS = "soft-iou"


def plan(args: argparse.Namespace) -> list[Job]:
    """One job for each strategy, loss and seed, seeds outermost: a first table of all comes early."""
    jobs = []
    for seed in args.seeds:
        for strategy in args.strategies:
            own = argparse.Namespace(**{**vars(args), "seeds": [seed], "strategies": [STRATEGIES[strategy]]})
            (usual,) = strategies.plan(own)
            for loss in args.losses:
                folder = usual.folder
                if loss != USUAL_LOSS:
                    folder = folder.with_name(f"{folder.name}-{loss}")
                settings = {**usual.settings, "loss": loss}
                notes = {"strategy": strategy, "loss": loss}
                jobs.append(replace(usual, row=f"{strategy} {loss}", settings=settings, folder=folder, notes=notes))
    return jobs


def show_by_scr(rows: Sequence[dict[str, Any]]) -> None:
    """Print mean IoU and Pd of the targets by SCR."""
    groups = {name: group["targets"] for name, group in rows[0]["by_scr"].items() if group["targets"]}
    heads = [f"{name} ({n_targets})" for name, n_targets in groups.items()]
    print(f"\n{'IoU / Pd by SCR':<24}" + "".join(f"{head:>16}" for head in heads))
    for row in rows:
        cells = [f"{row['by_scr'][name]['iou']:.3f} / {row['by_scr'][name]['pd']:.3f}" for name in groups]
        print(f"{row['name']:<24}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    """Train, print, store."""
    options = parser(__doc__)
    add_options(options, epochs=80, seeds=(0, 1, 2))
    options.add_argument("--losses", nargs="+", default=list(LOSSES), choices=LOSSES, metavar="NAME")
    options.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES), metavar="NAME")
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
        if rows:
            show_by_scr(rows)
    names = ("model", "points", "epochs", "lr", "crop", "seeds", "jobs", "device")
    about = {name: getattr(args, name) for name in names}
    finish({"dataset": strategies.DATASET, **about, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
