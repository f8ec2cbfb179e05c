"""Read data sets, run every method on each, collect the results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing

from ..errors import InputError
from ..io.datasets import Dataset
from ..io.masks.read import MASK_THRESHOLD
from ..methods.table import BUILT_IN, get_method
from .comparison import Comparison
from .methods import BenchJob, Survey, run_bench, survey_dataset
from .runner import Setup, plan_setup


class BenchReport:
    """What a comparison reports while it works; a subclass says it."""

    def start(self, what: str, n_images: int) -> None:
        """A step begins: a data set is read, or a method runs on it."""

    def advance(self) -> None:
        """One image of the step is done."""

    def survey_done(self, survey: Survey) -> None:
        """A data set was read."""

    def job_done(self, error: str | None) -> None:
        """A method is done with a data set, or has failed."""

    def stopped(self, n_done: int, n_jobs: int) -> None:
        """Ctrl-C ended the comparison."""


def plan_setups(
    names: Collection[str] | None, checkpoints: Mapping[str, str], *, size_prior: str = "none", n_seeds: int = 1
) -> list[Setup]:
    """The methods to compare with their parameters, each once.

    Parameters
    ----------
    names : of the methods; None for all of this package that need no trained model.
    checkpoints : folder of the trained model by the name of its method.
    size_prior, n_seeds : as for `plan_setup`.

    Raises
    ------
    InputError
        For an unknown method, or a checkpoint of a method that is not compared.
    """
    if names is None:
        names = [name for name, method in BUILT_IN.items() if not method.needs_checkpoint]
    names = list(dict.fromkeys(names))
    for name in names:
        get_method(name)
    for name in checkpoints:
        if name not in names:
            raise InputError(f"`checkpoint` of {name}: {name} is not among the methods {', '.join(names)}")
    return [
        plan_setup(
            name,
            size_prior=size_prior,
            n_seeds=n_seeds,
            **({"checkpoint": checkpoints[name]} if name in checkpoints else {}),
        )
        for name in names
    ]


def compare_methods(
    datasets: Sequence[Dataset],
    setups: Sequence[Setup],
    *,
    points: str,
    with_masks: bool = True,
    n_threads: int = 1,
    repeat: int = 1,
    keep_crops: bool = False,
    mask_threshold: float = MASK_THRESHOLD,
    report: BenchReport | None = None,
) -> tuple[Comparison, bool]:
    """Run every method on every data set.

    Parameters
    ----------
    datasets : what to run on.
    setups : the methods.
    points : the kind of points, for the rows.
    with_masks : False for a comparison of times.
    n_threads, repeat, keep_crops : as for `run_bench`.
    mask_threshold : grey level that the targets of true masks lie above.
    report : called during the work.

    Returns
    -------
    The comparison, and whether Ctrl-C ended it early.

    Raises
    ------
    InputError
        Where a data set cannot be used; see `survey_dataset`.
    """
    report = report or BenchReport()
    surveys = []
    for dataset in datasets:
        report.start(f"reading {dataset.name}", len(dataset))
        surveys.append(survey_dataset(dataset, report.advance, mask_threshold=mask_threshold))
        report.survey_done(surveys[-1])
    comparison = Comparison(surveys, points=points, with_masks=with_masks, n_threads=n_threads)
    jobs = [BenchJob(setup, place, survey) for place, survey in enumerate(surveys) for setup in setups]
    work = run_bench(
        jobs, repeat=repeat, n_threads=n_threads, keep_crops=keep_crops, on_image=lambda job: report.advance()
    )
    try:
        with closing(work):
            for job in jobs:
                report.start(f"{job.setup.method} on {comparison.names[job.place]}", len(job.survey.dataset))
                done = next(work)
                comparison.add(done)
                report.job_done(done.error)
    except KeyboardInterrupt:
        report.stopped(len(comparison.runs), len(jobs))
        return comparison, True
    return comparison, False
