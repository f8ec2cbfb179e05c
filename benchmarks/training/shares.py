"""What each part of the published bi-level method brings, one added after the other: IoU, nIoU, Pd, Fa over seeds.

python -m benchmarks.training.shares --out benchmarks/results/shares.json
python -m benchmarks.training.shares --measure

All rows train on the labels of `d2d-code`, with images scaled as the published code scales them, and are scored by the
protocol "paper": at 256 x 256, the epoch chosen on the test part itself. Steps with the held-out images take crops at
first, then the whole images at the test's size; then labels are drawn anew, and last samples are weighed.

Runs lie in their own folders under --runs. What is done is skipped, and what was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.common import parser
from benchmarks.training.runs import Job, job_of, read_options, train_and_tell

DATASET = "SIRST-v1"
#: Settings of the published code that all rows have.
SHARED: dict[str, Any] = {
    "label_method": "d2d-code",
    "protocol": "paper",
    "long_side_low": 128,
    "long_side_high": 512,
}
#: The bi-level method with nothing but its steps on the held-out images.
HELD_OUT: dict[str, Any] = {"beta": 1 / 1.2, "balance": False, "update_labels": False}
UPDATED = {"update_labels": True, "redraw": True, "theta_loss": "bce"}
#: Row -> strategy, and its parameters.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "offline": ("offline", {}),
    "+ held-out images": ("bilevel", HELD_OUT),
    "+ test geometry": ("bilevel", {**HELD_OUT, "whole": True}),
    "+ fresh draws": ("bilevel", {**HELD_OUT, "whole": True, **UPDATED}),
    "+ weights": ("bilevel", {**HELD_OUT, "whole": True, **UPDATED, "balance": True}),
}


def job(args: argparse.Namespace, name: str, seed: int) -> Job:
    """The run of a row."""
    strategy, options = ROWS[name]
    changes = {**SHARED, "strategy": strategy, "options": options}
    tag = "shares-" + name.removeprefix("+ ").replace(" ", "-")
    return job_of(args, name, tag, seed, changes, (DATASET,))


def main() -> None:
    """Train, print, store; seeds outermost, so that a first table of all rows comes early."""
    options = parser(__doc__)
    options.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    args = read_options(options)
    train_and_tell(args, [job(args, name, seed) for seed in args.seeds for name in args.rows], dataset=DATASET)


if __name__ == "__main__":
    main()
