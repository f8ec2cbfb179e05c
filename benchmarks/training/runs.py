"""What the benchmarks of training share: many runs, each in its folder, resumable; tables of their scores."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.common import POINTS, finish, need_data, replace_rows
from pointlabel.errors import PointLabelError
from pointlabel.training.config import TrainConfig, differing_setting

#: What the tables show of ``results.json``.
SCORES = ("iou", "niou", "pd", "fa")


@dataclass(frozen=True, slots=True)
class Job:
    """One run: the row it belongs to, its settings, the data sets, its folder."""

    row: str
    settings: dict[str, Any]
    datasets: tuple[Path, ...]
    folder: Path
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> TrainConfig:
        """The settings as the trainer takes them."""
        return TrainConfig(**self.settings)


#: Options that are settings of every run under the same name, and those that a stored result says.
SETTINGS = ("model", "points", "epochs", "lr", "crop", "target_share", "device")
ABOUT = (*SETTINGS, "seeds", "jobs")
#: What all runs share beside the options.
SCHEDULE: dict[str, Any] = {"validate_every": 4, "outer_start": 0.2, "outer_every": 0.05, "mine": "off"}


def read_options(options: argparse.ArgumentParser, *, seeds: Sequence[int] = (0, 1, 2)) -> argparse.Namespace:
    """Add the options that every benchmark of training has, and read the command line."""
    options.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs; default ./runs")
    options.add_argument("--epochs", type=int, default=80, help="default 80; 8 with --quick")
    options.add_argument("--seeds", type=int, nargs="+", default=list(seeds), metavar="N")
    options.add_argument("--model", default="tiny", help="detector, default tiny")
    options.add_argument("--points", default="centroid", choices=POINTS)
    options.add_argument("--lr", type=float, default=5e-3, help="learning rate of all runs, default 0.005")
    options.add_argument("--crop", type=int, default=128, help="side of the crops in pixels, default 128")
    options.add_argument("--target-share", type=float, default=0.5, help="share of crops around a target, default 0.5")
    options.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N; default cpu")
    options.add_argument("--jobs", type=int, default=2, help="runs at a time, each with its share of the processors")
    options.add_argument("--measure", action="store_true", help="train 2 epochs of each and say what the whole takes")
    options.add_argument("--replace", action="store_true", help="put the rows into --out and leave its other rows")
    args = options.parse_args()
    if args.replace and (args.measure or args.out is None or not args.out.exists()):
        options.error("--replace needs an --out that holds scores, and no --measure")
    args.data = need_data(args)
    if args.quick:
        args.epochs, args.seeds = max(1, args.epochs // 10), args.seeds[:1]
    return args


def job_of(
    args: argparse.Namespace,
    row: str,
    tag: str,
    seed: int,
    changes: dict[str, Any],
    datasets: Sequence[str],
    **notes: Any,
) -> Job:
    """The run of a row: the options' settings but for `changes`, in a folder that is named by `tag`."""
    settings = {**{name: getattr(args, name) for name in SETTINGS}, **SCHEDULE, "seed": seed, **changes}
    folder = "-".join(str(word) for word in ("+".join(datasets), args.model, args.points, args.epochs, tag, seed))
    return Job(row, settings, tuple(args.data / name for name in datasets), args.runs / folder, notes)


def train_and_tell(args: argparse.Namespace, jobs: Sequence[Job], **about: Any) -> list[dict[str, Any]]:
    """Train all or measure an epoch of each, print and store; return the rows of scores."""
    if args.measure:
        rows = estimate(jobs, args.jobs)
    else:
        rows = rows_of(jobs, train_all(jobs, args.jobs))
        show(rows)
    about |= {name: getattr(args, name) for name in ABOUT}
    if args.replace:
        # How many ran at a time changes the seconds alone.
        replace_rows(rows, {key: value for key, value in about.items() if key != "jobs"}, args.out)
    else:
        finish({**about, "rows": rows}, args.out)
    return [] if args.measure else rows


def train_all(jobs: Sequence[Job], n_jobs: int) -> dict[Path, dict[str, Any]]:
    """Train what is not trained yet, and read all results; a run that was stopped goes on where it was.

    Returns
    -------
    ``results.json`` of each run by its folder. A run that failed says so on standard error and is left out.
    """
    threads = max(1, (os.cpu_count() or 1) // n_jobs)
    waiting = [job for job in jobs if not is_done(job)]
    print(f"{len(jobs)} runs, {len(jobs) - len(waiting)} of them done; {n_jobs} at a time, {threads} threads each")
    start, done = perf_counter(), 0
    with get_context("spawn").Pool(n_jobs, initializer=_start_worker, initargs=(threads,)) as pool:
        for job, seconds, complaint in pool.imap_unordered(_train, waiting):
            done += 1
            left = (perf_counter() - start) / done * (len(waiting) - done)
            said = complaint or " ".join(f"{name} {_shown(name, read(job)[name])}" for name in SCORES)
            print(f"{job.folder.name}: {said} ({seconds / 60:.1f} min; {left / 60:.0f} min left)", flush=True)
    return {job.folder: read(job) for job in jobs if is_done(job)}


def is_done(job: Job) -> bool:
    """Whether the run has its results; end the script where the folder holds a run with other settings."""
    from pointlabel.io.json_files import read_json
    from pointlabel.training.run import RESULTS, RUN

    if (job.folder / RUN).exists():
        differs = differing_setting(read_json(str(job.folder / RUN))["config"], job.config)
        if differs is not None:
            sys.exit(f"{job.folder} holds a run with {differs[0]} {differs[1]}, not {differs[2]}; give other --runs")
    return (job.folder / RESULTS).exists()


def read(job: Job) -> dict[str, Any]:
    """Scores of a run that is done, and how its labels ended beside the true masks."""
    from pointlabel.io.json_files import read_json
    from pointlabel.training.run import RESULTS

    results = read_json(str(job.folder / RESULTS))
    whole = results["test"]["whole"]
    out = {name: whole[name] for name in SCORES}
    out |= {name: results[name] for name in ("best_epoch", "epochs", "seconds")}
    out["protocol"] = results["protocol"]
    out["label_iou"] = last_label_iou(job)
    out["by_scr"] = whole["by_scr"]
    return out


def last_label_iou(job: Job) -> float:
    """Pooled IoU of the last labels of the training images, cut at one half, with their true masks."""
    from pointlabel.io.datasets import open_dataset
    from pointlabel.io.json_files import read_json
    from pointlabel.io.samples import read_sample
    from pointlabel.training.checkpoint import read_checkpoint
    from pointlabel.training.run import LAST, RUN

    stamp = read_json(str(job.folder / RUN))
    state = read_checkpoint(str(job.folder / LAST))["trainer"]["labels"]["train"]
    counts, pixels, values = (state[name].numpy() for name in ("count", "pixel", "value"))
    stops = np.cumsum(counts)
    inter = union = number = 0
    for folder, name in zip(stamp["datasets"], stamp["names"], strict=True):
        entries = {entry.id: entry for entry in open_dataset(folder, points="centroid").entries}
        for each in stamp["split"][name]["train"]:
            mask = read_sample(entries[each]).mask
            assert mask is not None
            part = slice(stops[number] - counts[number], stops[number])
            label = np.zeros(mask.size, bool)
            label[pixels[part][values[part] > 0.5]] = True
            inter += int((label & mask.ravel()).sum())
            union += int((label | mask.ravel()).sum())
            number += 1
    return inter / union


def rows_of(jobs: Iterable[Job], results: dict[Path, dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and deviation over the seeds of each row, in the order of the jobs."""
    grouped: dict[str, list[Job]] = {}
    for job in jobs:
        if job.folder in results:
            grouped.setdefault(job.row, []).append(job)
    rows = []
    for name, group in grouped.items():
        found = [results[job.folder] for job in group]
        row: dict[str, Any] = {"name": name, **group[0].notes, "protocol": found[0]["protocol"]}
        row["seeds"] = [job.settings["seed"] for job in group]
        for key in (*SCORES, "label_iou", "best_epoch", "seconds"):
            values = [each[key] for each in found]
            row[key] = float(np.mean(values))
            row[f"{key}_std"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        row["by_scr"] = _mean_groups([each["by_scr"] for each in found])
        rows.append(row)
    return rows


def _mean_groups(runs: Sequence[dict[str, dict[str, Any]] | None]) -> dict[str, dict[str, Any]] | None:
    """Groups of targets averaged over the runs, which share their test images; None where there are no groups."""
    known = [groups for groups in runs if groups is not None]
    if not known:
        return None
    return {
        name: {
            "targets": group["targets"],
            **{key: float(np.mean([run[name][key] for run in known])) for key in ("iou", "pd") if group["targets"]},
        }
        for name, group in known[0].items()
    }


def show(rows: Sequence[dict[str, Any]], write: Callable[[str], None] = print) -> None:
    """Print the rows."""
    write(f"{'':<24}{'IoU':>16}{'nIoU':>9}{'Pd':>9}{'Fa/M':>9}{'labels':>9}{'epoch':>8}{'min':>7}")
    for row in rows:
        iou = f"{row['iou']:.4f}" + ("" if row["iou_std"] is None else f" ± {row['iou_std']:.4f}")
        write(
            f"{row['name']:<24}{iou:>16}{row['niou']:>9.4f}{row['pd']:>9.4f}{row['fa'] * 1e6:>9.2f}"
            f"{row['label_iou']:>9.4f}{row['best_epoch']:>8.0f}{row['seconds'] / 60:>7.1f}"
        )


def estimate(jobs: Sequence[Job], n_jobs: int) -> list[dict[str, Any]]:
    """Train 2 epochs of each row, one run after another on one thread, and say what all jobs take.

    Seconds are those that the process had the processor, since others' work on the machine is no part of the figure.
    The time of an update of the labels is spread over the epochs between two of them.
    """
    _use_threads(1)
    rows: dict[str, float] = {}
    total = 0.0
    for job in jobs:
        if job.row not in rows:
            rows[job.row] = _epoch_seconds(job)
            print(f"{job.row:<24}{rows[job.row]:8.2f} s an epoch", flush=True)
        total += rows[job.row] * job.settings["epochs"]
    hours = total / 3600
    print(f"{len(jobs)} runs: {hours:.2f} hours of one processor, {hours / n_jobs:.2f} with {n_jobs} at a time")
    return [{"name": name, "epoch_seconds": seconds} for name, seconds in rows.items()]


def _epoch_seconds(job: Job) -> float:
    """Seconds of an epoch of a job, from one epoch with an update of the labels and one without."""
    import tempfile

    from pointlabel.training import train
    from pointlabel.training.events import EpochDone, Event, TrainingStarted

    ticks: list[float] = []

    def report(event: Event) -> None:
        if isinstance(event, TrainingStarted | EpochDone):
            ticks.append(process_time())

    settings = {**job.settings, "epochs": 2, "outer_start": 0.0, "checkpoint_every": 1, "validate_every": 1}
    with tempfile.TemporaryDirectory() as folder:
        datasets = [str(each) for each in job.datasets]
        train(TrainConfig(**settings), datasets, Path(folder) / "run", report=report)
    first, second = np.diff(ticks).tolist()
    config = job.config
    share = sum(config.is_outer(epoch) for epoch in range(1, config.epochs + 1)) / config.epochs
    return second + max(first - second, 0.0) * share


def _train(job: Job) -> tuple[Job, float, str]:
    """Train one run; the last word is the complaint of a run that failed."""
    from pointlabel.training import train

    start = perf_counter()
    try:
        train(job.config, [str(folder) for folder in job.datasets], job.folder, mode="resume")
    except PointLabelError as error:
        return job, perf_counter() - start, f"failed: {error}"
    return job, perf_counter() - start, ""


def _use_threads(n: int) -> None:
    import torch

    torch.set_num_threads(n)


def _start_worker(n_threads: int) -> None:
    """What a worker does first; it must not train on where the script was killed."""
    from pointlabel.parent import end_with_parent

    end_with_parent()
    _use_threads(n_threads)


def _shown(name: str, value: float) -> str:
    return f"{value * 1e6:.2f}" if name == "fa" else f"{value:.4f}"
