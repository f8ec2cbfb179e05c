"""Losses on SIRST-v1 with true masks and from points: IoU, nIoU, Pd, Fa, and IoU and Pd by local contrast (SCR).

python -m benchmarks.training.losses --out benchmarks/results/training_losses.json
python -m benchmarks.training.losses --model mshnet --seeds 0 --epochs 20 \
    --out benchmarks/results/training_losses_mshnet.json
python -m benchmarks.training.losses --measure

MSHNet's loss (`sls`), the other three of its family, and REEM on top of it, beside the plain soft IoU; `full` trains on
the true masks, `offline` on those that the default method makes from one point a target. All runs share one learning
rate and everything else. Runs lie in their own folders under --runs, those of `soft-iou` where strategies.py has them
too. What is done is skipped, and what was stopped goes on where it was.

The family is soft IoU up to epoch 6, and REEM is `sls` up to epoch 11, so that a `--quick` run tells little of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.common import parser
from benchmarks.training import strategies
from benchmarks.training.runs import Job, read_options, train_and_tell

#: Names as `pointlabel train --loss` has them, the one that the others are compared with first.
LOSSES = ("sls", "ratio", "diff", "signed", "reem", "soft-iou")
#: Strategy -> its row in strategies.py.
STRATEGIES = {"full": "full", "offline": "offline-default"}
#: The loss that strategies.py trains with.
USUAL_LOSS = "soft-iou"


def job(args: argparse.Namespace, strategy: str, loss: str, seed: int) -> Job:
    """The run of strategies.py with another loss."""
    usual = strategies.job(args, STRATEGIES[strategy], seed)
    tag = "" if loss == USUAL_LOSS else f"-{loss}"
    return replace(
        usual,
        row=f"{strategy} {loss}",
        settings={**usual.settings, "loss": loss},
        folder=usual.folder.with_name(usual.folder.name + tag),
        notes={"strategy": strategy, "loss": loss},
    )


def show_by_scr(rows: Sequence[dict[str, Any]]) -> None:
    """Print mean IoU and Pd of the targets by SCR."""
    groups = {name: group["targets"] for name, group in rows[0]["by_scr"].items() if group["targets"]}
    heads = [f"{name} ({n_targets})" for name, n_targets in groups.items()]
    print(f"\n{'IoU / Pd by SCR':<24}" + "".join(f"{head:>16}" for head in heads))
    for row in rows:
        cells = [f"{row['by_scr'][name]['iou']:.3f} / {row['by_scr'][name]['pd']:.3f}" for name in groups]
        print(f"{row['name']:<24}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    """Train, print, store; seeds outermost, so that a first table of all comes early."""
    options = parser(__doc__)
    options.add_argument("--losses", nargs="+", default=list(LOSSES), choices=LOSSES, metavar="NAME")
    options.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES), metavar="NAME")
    args = read_options(options)
    jobs = [
        job(args, strategy, loss, seed) for seed in args.seeds for strategy in args.strategies for loss in args.losses
    ]
    rows = train_and_tell(args, jobs, dataset=strategies.DATASET)
    if rows:
        show_by_scr(rows)


if __name__ == "__main__":
    main()
