"""Training on a part of the images only: chosen by weight, by prior difficulty and at random, over seeds.

python -m benchmarks.training.selection --bilevel runs/SIRST-v1-tiny-centroid-80-bilevel-0 \
    --out benchmarks/results/selection.json
python -m benchmarks.training.selection --bilevel runs/SIRST-v1-tiny-centroid-80-bilevel-errors-0 --epochs 40 \
    --shares 0.3 --orders weight random --rivals --seeds 0 1 2 --out benchmarks/results/selection_errors.json
python -m benchmarks.training.selection --bilevel RUN --measure

A detector is trained from scratch on the top 10, 20, 30 and 50 % of the training images of a run of `bilevel`, with
that run's label method, and beside it on all images with the labels of lesps, pal, mclc and of the label method. All
detectors make about the same number of steps: runs on a share s of the images have 1 / s times the epochs, and look
at the held-out images s times as often. Runs are skipped when done and resumed when stopped, as in `strategies`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import parser
from benchmarks.training.runs import SCHEDULE, Job, job_of, read_options, train_and_tell
from benchmarks.training.strategies import STRATEGIES

SHARES = (0.1, 0.2, 0.3, 0.5)
ORDERS = ("weight", "difficulty", "random")
#: Rows on all images, with what they differ in.
RIVALS: dict[str, dict[str, Any]] = {
    "all, lesps": STRATEGIES["lesps"],
    "all, pal": STRATEGIES["pal"],
    "all, mclc": {"strategy": "offline", "label_method": "mclc"},
}


def part_of(folder: Path, source: Path, train: list[str], stamp: dict[str, Any]) -> Path:
    """A data set whose images are those of `source`, by links, with lists of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.iterdir()):
        if each.is_dir() and each.name != "img_idx" and not (folder / each.name).exists():
            (folder / each.name).symlink_to(each.resolve(), target_is_directory=True)
    lists = {"train": train, "val": stamp["split"][source.name]["val"], "test": stamp["split"][source.name]["test"]}
    (folder / "img_idx").mkdir(exist_ok=True)
    for name, ids in lists.items():
        (folder / "img_idx" / f"{name}.txt").write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")
    return folder


def plan(args: argparse.Namespace, stamp: dict[str, Any]) -> list[Job]:
    """All jobs, seeds outermost; the validation and test images are those of the bilevel run throughout."""
    from pointlabel.training.selection import read_weights, select_samples

    (name,) = stamp["names"]
    weights = read_weights(args.bilevel)
    ours = {"strategy": "offline", "label_method": stamp["config"]["label_method"]}
    rows: list[tuple[str, float, str, dict[str, Any]]] = []
    for order in args.orders:
        rows += [(f"{order}, {share:.0%}", share, order, ours) for share in args.shares]
    rows.append((f"all, {ours['label_method']}", 1.0, "weight", ours))
    rows += [(row, 1.0, "weight", RIVALS[row]) for row in args.rivals]
    jobs = []
    for seed in args.seeds:
        for row, share, order, changes in rows:
            # Random parts differ from seed to seed; the others are one part, trained from several seeds.
            ids = select_samples(weights, share, by=order, seed=seed)
            tag = row.replace(", ", "-").replace("%", "")
            place = args.runs / "parts" / (f"{tag}-{seed}" if order == "random" else tag)
            part_of(place / name, args.data / name, [each.partition("/")[2] for each in ids], stamp)
            times = {
                "epochs": max(1, round(args.epochs / share)),
                "validate_every": max(1, round(SCHEDULE["validate_every"] / share)),
                "checkpoint_every": max(1, round(1 / share)),
            }
            own = argparse.Namespace(**{**vars(args), "data": place})
            notes = {"images": len(ids), "share": share, "order": order}
            jobs.append(job_of(own, row, f"selection-{tag}", seed, {**changes, **times}, (name,), **notes))
    return jobs


def main() -> None:
    """Train, print, store."""
    options = parser(__doc__)
    options.add_argument("--bilevel", type=Path, required=True, help="finished run of `bilevel` that gives the weights")
    options.add_argument("--shares", type=float, nargs="+", default=list(SHARES), metavar="S")
    options.add_argument("--orders", nargs="+", default=list(ORDERS), choices=ORDERS, metavar="ORDER")
    options.add_argument("--rivals", nargs="*", default=list(RIVALS), choices=list(RIVALS), metavar="ROW")
    args = read_options(options, seeds=(0, 1, 2, 3, 4))
    from pointlabel.io.json_files import read_json
    from pointlabel.training.run import RUN

    stamp = read_json(str(args.bilevel / RUN))
    if len(stamp["datasets"]) != 1:
        sys.exit(f"{args.bilevel}: a run on one data set is needed, got {len(stamp['datasets'])}")
    if stamp["config"]["points"] != args.points:
        sys.exit(f"{args.bilevel}: a run on {stamp['config']['points']} points; give the same --points")
    args.runs = args.runs.resolve()  # the links of the parts hold from anywhere
    about = {"dataset": stamp["names"][0], "label_method": stamp["config"]["label_method"]}
    train_and_tell(args, plan(args, stamp), **about)


if __name__ == "__main__":
    main()
