"""What a run reports while it goes on, and what it sums up at the end. Nothing here prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..io.messages import Note
from ..types import is_doubtful, trust_of


@dataclass(frozen=True, slots=True)
class Tally:
    """What the summary needs to know of one image that is done.

    Attributes
    ----------
    n_targets : targets in the image.
    flags : the flags of all its targets, one after the other.
    trusts : quality times presence of each target.
    n_doubtful : targets that `types.is_doubtful` says are to be looked at.
    n_warnings : warnings about the image.
    """

    n_targets: int = 0
    flags: tuple[str, ...] = ()
    trusts: tuple[float, ...] = ()
    n_doubtful: int = 0
    n_warnings: int = 0

    @staticmethod
    def of(record: dict[str, Any]) -> Tally:
        """Tally of a record of the manifest."""
        targets = record.get("targets", [])
        rates = [(target["quality"], target.get("presence")) for target in targets]
        doubts = [is_doubtful(*rate, target["flags"]) for rate, target in zip(rates, targets, strict=True)]
        return Tally(
            len(targets),
            tuple(flag for target in targets for flag in target["flags"]),
            tuple(trust_of(*rate) for rate in rates),
            sum(doubts),
            len(record.get("warnings", [])),
        )


#: Of an image that was not done before.
NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The inputs are known and the output folder is ready."""

    n_images: int


@dataclass(frozen=True, slots=True)
class RunNote:
    """A message about the run as a whole."""

    note: Note


@dataclass(frozen=True, slots=True)
class ImageDone:
    """One image is done: its files and its line of the manifest are written, or it was done before.

    Attributes
    ----------
    image_id : its id.
    status : "ok", "error" or "skipped".
    error : the sentence where it failed.
    notes : warnings about it.
    tally : what it adds to the summary.
    record : its line of the manifest; None where it was done before.
    """

    image_id: str
    status: str
    error: str | None = None
    notes: tuple[Note, ...] = ()
    tally: Tally = NOTHING
    record: dict[str, Any] | None = None


Event = RunStarted | RunNote | ImageDone
Report = Callable[[Event], None]


@dataclass(slots=True)
class RunSummary:
    """Counts over all images of the input, those done before included.

    Attributes
    ----------
    n_images, n_ok, n_skipped, n_errors : images; skipped ones were done by an earlier run.
    n_targets, n_new_targets : targets in masks that are there, and those of this run.
    n_doubtful : targets that are to be looked at: flagged "empty", or quality or presence below 1/2.
    n_warnings, n_new_warnings : warnings, and those of this run.
    flags : flag -> number of targets.
    seconds : wall time of this run.
    stopped : whether an error ended the run before the last image.
    """

    n_images: int = 0
    n_ok: int = 0
    n_skipped: int = 0
    n_errors: int = 0
    n_targets: int = 0
    n_new_targets: int = 0
    n_doubtful: int = 0
    n_warnings: int = 0
    n_new_warnings: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    stopped: bool = False

    def add(self, done: ImageDone) -> None:
        """Count one image."""
        tally = done.tally
        self.n_images += 1
        self.n_ok += done.status == "ok"
        self.n_skipped += done.status == "skipped"
        self.n_errors += done.status == "error"
        self.n_targets += tally.n_targets
        self.n_new_targets += tally.n_targets if done.status == "ok" else 0
        self.n_doubtful += tally.n_doubtful
        self.n_warnings += tally.n_warnings
        self.n_new_warnings += 0 if done.status == "skipped" else tally.n_warnings
        self.flags.update(tally.flags)
