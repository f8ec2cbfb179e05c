"""What needs a GPU, piece by piece: detectors trained at the published length, then the backend's speed.

python -m benchmarks.gpu --data DIR --runs RUNS --out benchmarks/results/gpu.json

Give the same command again until it says that nothing is left: each call works for --minutes, stores what is done, and
goes on where the last one stopped. Pieces come in the order of what they tell: ALCLNet, then DNANet, each with the
split 6:2:2 by the protocol "paper" and with the official lists by our own; last the diffusion and the default method.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.common import ROOT, finish, need_data, parser
from benchmarks.training.runs import Job, is_done, read
from benchmarks.training.strategies import STRATEGIES
from pointlabel.training.presets import get_preset

DATASET = "SIRST-v1"
MODELS = ("alclnet", "dnanet")
SPLITS = {"6:2:2": "paper", "official": "ours"}
PRESET = get_preset("d2d-code")
#: What all runs share: what the published code of the bi-level method trains every detector with.
SCHEDULE = {
    name: PRESET[name]
    for name in ("batch_size", "optimizer", "lr", "weight_decay", "schedule", "long_side_low", "long_side_high")
} | {"mine": "off"}
ARMS: dict[str, dict[str, Any]] = {
    "full": STRATEGIES["full"],
    "full-mined": STRATEGIES["full-mined"],
    "offline-default": STRATEGIES["offline-default"],
    "offline-d2d-code": {"strategy": "offline", "label_method": "d2d-code"},
    "bilevel": STRATEGIES["bilevel-default"],
    "bilevel-d2d-preset": {name: PRESET[name] for name in ("strategy", "label_method", "start_probability", "options")},
    "lesps": {**STRATEGIES["lesps"], "long_side_low": 0, "long_side_high": 0},
    "pal": STRATEGIES["pal"],
}
#: What an epoch of a run keeps back for its last checkpoint and the scores, seconds.
MARGIN_S = 30.0


class Enough(Exception):
    """The minutes of this call are over."""


def jobs_of(args: argparse.Namespace) -> list[Job]:
    """All runs in their order."""
    out = []
    for model in args.models:
        for split, protocol in SPLITS.items():
            folder = args.data / DATASET if protocol == "ours" else without_lists(args.data / DATASET, args.runs)
            for arm, changes in ARMS.items():
                settings = {
                    **SCHEDULE,
                    "model": model,
                    "protocol": protocol,
                    "epochs": args.epochs,
                    "crop": args.crop,
                    "device": args.device,
                    "amp": args.device != "cpu",
                    "workers": args.workers,
                    "seed": args.seed,
                    **changes,
                }
                name = f"gpu-{model}-{split.replace(':', '')}-{args.epochs}-{arm}-{args.seed}"
                notes = {"model": model, "split": split}
                out.append(Job(arm, settings, (folder,), args.runs / name, notes))
    return out


def without_lists(dataset: Path, runs: Path) -> Path:
    """The data set without its lists of ids, as links: where there are none, the protocol "paper" draws 6:2:2."""
    out = runs / "gpu-drawn-split" / dataset.name
    out.mkdir(parents=True, exist_ok=True)
    for part in ("images", "masks", "masks_centroid"):
        if not (out / part).exists():
            (out / part).symlink_to((dataset / part).resolve(), target_is_directory=True)
    return out


def train_until(job: Job, end: float) -> bool:
    """Train a run to its end, or to the epoch after which the time is over; whether it is done."""
    from pointlabel.training import train
    from pointlabel.training.events import EpochDone, Event

    def report(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch < job.config.epochs and monotonic() > end:
            raise Enough

    try:
        train(job.config, [str(folder) for folder in job.datasets], job.folder, mode="resume", report=report)
    except Enough:
        return False
    return True


def backend(args: argparse.Namespace, end: float) -> dict[str, Any] | None:
    """Figures of the backend torch: diffusion alone, the whole default, share of bandwidth; None for want of time."""
    out = args.runs / "gpu-backend.json"
    if not out.exists():
        if monotonic() > end:
            return None
        command = [sys.executable, "-m", "benchmarks.speed.torch_backend", "--out", str(out), "--data", str(args.data)]
        subprocess.run(command + ["--quick"] * args.quick, cwd=ROOT, check=True)
    return json.loads(out.read_text(encoding="utf-8"))["result"]


def card(device: str) -> str:
    """Name of the card, or of the processor's place."""
    import torch

    return "CPU" if device == "cpu" else torch.cuda.get_device_name(device)


def main() -> None:
    """Go on for the minutes of this call, store, and say what is left."""
    options = parser(__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs; default ./runs")
    options.add_argument("--minutes", type=float, default=9.0, help="of this call, default 9")
    options.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME")
    options.add_argument("--epochs", type=int, default=PRESET["epochs"])
    options.add_argument("--crop", type=int, default=PRESET["crop"])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", default="cuda")
    options.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1))
    args = options.parse_args()
    args.data, args.runs = need_data(args), args.runs.resolve()
    end = monotonic() + 60 * args.minutes - MARGIN_S
    jobs = jobs_of(args)
    started = False
    for job in (each for each in jobs if not is_done(each)):
        if started and monotonic() > end:
            break
        started = True
        word = "done" if train_until(job, end) else "stopped"
        print(f"{job.folder.name}: {word}", flush=True)
    left = [job.folder.name for job in jobs if not is_done(job)]
    speed = None if left else backend(args, end)
    rows = [{"name": job.row, **job.notes, **read(job)} for job in jobs if is_done(job)]
    finish({"card": card(args.device), "epochs": args.epochs, "rows": rows, "backend": speed}, args.out)
    waits = left + ([] if speed else ["the backend's speed"])
    print(f"{len(waits)} left, next {waits[0]}: give the command again" if waits else "nothing is left")


if __name__ == "__main__":
    main()
