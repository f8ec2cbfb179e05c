"""What ``pointlabel bench`` says on standard error while it works."""

from __future__ import annotations

from time import perf_counter

from pointlabel.bench.compare import BenchReport
from pointlabel.bench.methods import Survey

from .console import Console, note_lines

_SHOWN = 3  # images that are named where several are left out


class BenchConsole(Console, BenchReport):
    """A bar for the step in progress, a line for each that is done."""

    def start(self, what: str, n_images: int) -> None:
        """Begin a step."""
        self._step, self._n, self._done, self._start = what, n_images, 0, perf_counter()
        self.show(what, 0, n_images)

    def advance(self) -> None:
        """One image of the step is done."""
        self._done += 1
        self.show(self._step, self._done, self._n)

    def survey_done(self, survey: Survey) -> None:
        """A data set was read."""
        name = survey.dataset.name
        self.say(f"{name}: {len(survey.dataset)} images, {survey.n_points} points")
        for sentence in survey.left_out[:_SHOWN]:
            self.say(f"warning: left out: {sentence}")
        if len(survey.left_out) > _SHOWN:
            self.say(f"warning: {name}: {len(survey.left_out)} images are left out, all named in the JSON file")
        for line in note_lines(survey.notes):
            self.say(line)
        off = int(sum(survey.features[:, 0] != survey.features[:, 0]))
        if off:
            self.say(f"warning: {name}: {off} points have no true target within 3 px")

    def job_done(self, error: str | None) -> None:
        """A method is done with a data set, or has failed."""
        if error is not None:
            self.say(f"error: {self._step}: {error}", always=True)
        else:
            self.say(f"{self._step}: {self._n} images in {perf_counter() - self._start:.1f} s")

    def stopped(self, n_done: int, n_jobs: int) -> None:
        """Ctrl-C ended the comparison."""
        self.say(f"stopped: {n_done} of {n_jobs} runs are done", always=True)
