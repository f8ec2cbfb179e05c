"""What the commands of ``pointlabel bench`` share: the run of all methods, its JSON, its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pointlabel.bench.comparison import Comparison
    from pointlabel.bench.methods import BenchJob
    from pointlabel.bench.runner import Setup
    from pointlabel.io.datasets import Dataset


def compare(
    ctx: click.Context,
    datasets: Sequence[Dataset],
    setups: Sequence[Setup],
    *,
    points: str,
    with_masks: bool,
    n_threads: int,
    no_progress: bool,
    repeat: int = 1,
    keep_crops: bool = False,
    mask_threshold: float = 127.0,
) -> tuple[Comparison, bool]:
    """Read the data sets, run every method on each; whether Ctrl-C ended it comes back too."""
    from contextlib import closing

    from pointlabel.bench.comparison import Comparison
    from pointlabel.bench.methods import BenchJob, run_bench, survey_dataset

    from .bench_console import BenchConsole

    quiet = bool(ctx.find_root().params.get("quiet"))
    with BenchConsole(progress=not no_progress, quiet=quiet) as console:
        surveys = []
        for dataset in datasets:
            console.start(f"reading {dataset.name}", len(dataset))
            surveys.append(survey_dataset(dataset, console.advance, mask_threshold=mask_threshold))
            console.survey_done(surveys[-1])
        comparison = Comparison(surveys, points=points, with_masks=with_masks, n_threads=n_threads)
        jobs: list[BenchJob] = [
            BenchJob(setup, place, survey) for place, survey in enumerate(surveys) for setup in setups
        ]
        work = run_bench(
            jobs, repeat=repeat, n_threads=n_threads, keep_crops=keep_crops, on_image=lambda job: console.advance()
        )
        try:
            with closing(work):
                for job in jobs:
                    console.start(f"{job.setup.method} on {comparison.names[job.place]}", len(job.survey.dataset))
                    done = next(work)
                    comparison.add(done)
                    console.job_done(done.error)
        except KeyboardInterrupt:
            console.say(f"stopped: {len(comparison.runs)} of {len(jobs)} runs are done", always=True)
            return comparison, True
    return comparison, False


def write_json(path: str | None, comparison: Comparison, options: dict[str, Any]) -> None:
    """Write every number, and the options it was made with; nothing without a path."""
    if path is None:
        return
    import json

    from .streams import write_bytes

    result = comparison.result() | {"options": options}
    write_bytes(path, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())


def end(ctx: click.Context, comparison: Comparison, stopped: bool) -> None:
    """End the command with the exit code that says how it went."""
    if stopped:
        ctx.exit(130)
    if comparison.n_errors or any(survey.left_out for survey in comparison.surveys):
        ctx.exit(3)
