"""A comparison as it grows: rows for each data set, and for all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.environment import THREAD_VARIABLES, circumstances
from .methods import JobDone, Survey
from .runner import MethodRun, join_runs
from .summaries import summarise

#: What rows of several data sets together are called.
POOLED = "pooled"
#: The method that times are compared with.
TIMED_AGAINST = "mclc"


class Comparison:
    """Collects the runs of several methods on the same images and points.

    Parameters
    ----------
    surveys : the data sets.
    points : the kind of points, for the rows.
    with_masks : False for a comparison of times.
    n_threads : threads that each process might take.
    """

    def __init__(self, surveys: Sequence[Survey], *, points: str, with_masks: bool = True, n_threads: int = 1) -> None:
        self.surveys = tuple(surveys)
        self.names = _distinct_names(self.surveys)
        self.points, self.with_masks, self.n_threads = points, with_masks, n_threads
        #: (place of the data set, method) -> run, in the order they were done.
        self.runs: dict[tuple[int, str], MethodRun] = {}
        self._errors: list[dict[str, Any]] = []

    def add(self, done: JobDone) -> None:
        """Add the outcome of one job."""
        if done.run is not None:
            self.runs[done.job.place, done.run.method] = done.run
            return
        setup = done.job.setup
        head = {"dataset": self.names[done.job.place], "points": self.points, "method": setup.method}
        self._errors.append({**head, "size_prior": setup.size_prior, "error": done.error})

    @property
    def n_errors(self) -> int:
        """Jobs that failed."""
        return len(self._errors)

    @property
    def methods(self) -> list[str]:
        """Methods that were run on every data set, in the order they were done."""
        counts = Counter(method for _, method in self.runs)
        return [method for method, count in counts.items() if count == len(self.surveys)]

    def pooled_run(self, method: str) -> MethodRun:
        """The runs of one of `methods` on all data sets together."""
        return join_runs([self.runs[place, method] for place in range(len(self.surveys))])

    def pooled_features(self) -> NDArray[np.float64]:
        """`Survey.features` of all data sets together."""
        return np.concatenate([survey.features for survey in self.surveys])

    def rows(self) -> list[dict[str, Any]]:
        """A row for each method on each data set, those that failed, and with several data sets those pooled."""
        rows = []
        for place, survey in enumerate(self.surveys):
            runs = [run for (where, _), run in self.runs.items() if where == place]
            rows += self._of_one(self.names[place], runs, survey.features)
            rows += [row for row in self._errors if row["dataset"] == self.names[place]]
        if len(self.surveys) > 1:
            rows += self._of_one(POOLED, [self.pooled_run(name) for name in self.methods], self.pooled_features())
        return rows

    def _of_one(self, name: str, runs: list[MethodRun], features: NDArray[np.float64]) -> list[dict[str, Any]]:
        head = {"dataset": name, "points": self.points}
        rows = [head | summarise(run, features if self.with_masks else None) for run in runs]
        base = next((row["ms_median"] for row in rows if row["method"] == TIMED_AGAINST), None)
        if base is not None:
            for row in rows:
                row[f"speed_over_{TIMED_AGAINST}"] = base / row["ms_median"]
        return rows

    def result(self) -> dict[str, Any]:
        """Everything that is stored as JSON."""
        about = circumstances()
        about["threads"] = dict.fromkeys(THREAD_VARIABLES, str(self.n_threads))
        return {
            "rows": self.rows(),
            "data": [
                {
                    "dataset": name,
                    "images": len(survey.dataset),
                    "points": survey.n_points,
                    "targets": len(survey.targets) if self.with_masks else None,
                    "sha256": survey.sha256,
                    "left_out": list(survey.left_out),
                }
                for name, survey in zip(self.names, self.surveys, strict=True)
            ],
            **about,
        }


def _distinct_names(surveys: tuple[Survey, ...]) -> list[str]:
    """Names of the folders, and where two are alike or one is `POOLED`, their paths."""
    names = [survey.dataset.name for survey in surveys]
    alike = len(set(names)) < len(names) or POOLED in names
    return [survey.dataset.folder for survey in surveys] if alike else names
