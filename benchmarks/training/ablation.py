"""Rows A1 to A4 and B1 to B4 of the paper's ablation, and the full method: IoU, nIoU, Pd, Fa over seeds.

python -m benchmarks.training.ablation --out benchmarks/results/ablation.json
python -m benchmarks.training.ablation --datasets SIRST-v1 NUDT-SIRST IRSTD-1k --model alclnet --crop 256 --epochs 400
python -m benchmarks.training.ablation --measure

A1 to A4 train on labels that never change: the points, heat alone, the superpixel alone, both fused. B1 to B4 take one
part out of the bi-level method on the labels of A4: joint learning in place of two levels, all samples alike, labels
that stay, no validation loss in the detector's step. `published` is the IoU of the paper's Table 3, on other data and
another detector unless the options say the same; it is printed for the order of the rows.

Runs lie in their own folders under --runs, those of A4 and of the full method where strategies.py has them, too. What
is done is skipped, and what was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.common import parser
from benchmarks.training.runs import Job, job_of, read_options, train_and_tell
from benchmarks.training.strategies import STRATEGIES

#: The hypergradient that `bilevel` takes by itself.
USUAL_HYPERGRADIENT = "proxy"


def _labels(method: str) -> dict[str, Any]:
    return {"strategy": "offline", "label_method": method}


def _without(**options: Any) -> dict[str, Any]:
    return {**STRATEGIES["bilevel"], "options": options}


#: Row -> the name of its folder, what it differs in, and the published IoU on SIRST3 with ALCLNet.
ROWS: dict[str, tuple[str, dict[str, Any], float]] = {
    "A1 points": ("ablation-A1", _labels("point"), 0.0807),
    "A2 heat": ("ablation-A2", _labels("heat"), 0.6964),
    "A3 superpixel": ("ablation-A3", _labels("superpixel"), 0.6864),
    "A4 heat and superpixel": ("offline-diffusion", STRATEGIES["offline-diffusion"], 0.7075),
    "B1 joint learning": ("ablation-B1", _without(joint=True), 0.6710),
    "B2 all weights 1": ("ablation-B2", _without(balance=False), 0.7096),
    "B3 no label update": ("ablation-B3", _without(update_labels=False), 0.7152),
    "B4 beta = 0": ("ablation-B4", _without(beta=0.0), 0.6774),
    "full method": ("bilevel", _without(), 0.7328),
}


def job(args: argparse.Namespace, name: str, seed: int) -> Job:
    """The run of a row."""
    tag, changes, published = ROWS[name]
    if changes["strategy"] == "bilevel" and args.hypergradient != USUAL_HYPERGRADIENT:
        changes = {**changes, "options": {**changes["options"], "hypergradient": args.hypergradient}}
        tag = f"{tag}-{args.hypergradient}"
    return job_of(args, name, tag, seed, changes, args.datasets, published=published)


def main() -> None:
    """Train, print, store; seeds outermost, so that a first table of all rows comes early."""
    options = parser(__doc__)
    options.add_argument("--datasets", nargs="+", default=["SIRST-v1"], metavar="NAME", help="default SIRST-v1")
    options.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    options.add_argument("--hypergradient", default=USUAL_HYPERGRADIENT, choices=("proxy", "head", "one-step"))
    args = read_options(options)
    jobs = [job(args, name, seed) for seed in args.seeds for name in args.rows]
    train_and_tell(args, jobs, datasets=args.datasets, hypergradient=args.hypergradient)


if __name__ == "__main__":
    main()
