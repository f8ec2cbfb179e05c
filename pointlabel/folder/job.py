"""One image of a run: read it, label it, write its files. The same steps in any process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, OutputError, PointLabelError
from ..evaluation.targets import POINT_DISTANCE_PX, target_areas
from ..io.messages import Note
from ..io.outdir import OutputGate
from ..io.samples import Entry, Hashes, Sample, decode_sample, read_inputs
from ..io.shards import Shard, manifest_of
from ..types import ImageLabels
from .events import NOTHING, Tally
from .settings import RunSettings

_UNUSED = np.random.default_rng(0)  # for methods that draw no numbers: to make a generator per image takes a while


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all images of a run share: settings, gate to the output folder, stamp of the manifest, and the shard."""

    settings: RunSettings
    gate: OutputGate
    stamp: dict[str, Any]
    shard: Shard | None = None

    @property
    def manifest(self) -> str:
        """Path of the manifest that the run writes, or of the shard's part of it."""
        return manifest_of(self.gate, self.shard)

    @property
    def part(self) -> str:
        """Name of the shard as locks have it, empty for a whole run."""
        return "" if self.shard is None else self.shard.name


@dataclass(frozen=True, slots=True)
class Job:
    """One image to do.

    Attributes
    ----------
    entry : where its files are; the true mask is for methods that may know the target's size.
    shown : its name below the root.
    note : a message about it before anything is read.
    error : a sentence where it is known to fail.
    done : hashes of image, points and true mask of an earlier run, None where there is none.
    tally : what the earlier run counted.
    """

    entry: Entry
    shown: str
    note: Note | None = None
    error: str | None = None
    done: tuple[str | None, ...] | None = None
    tally: Tally = NOTHING

    def is_done(self, hashes: Hashes) -> bool:
        """Whether these hashes are those of the earlier run."""
        return self.done == tuple(hashes.values())


class Attempt:
    """What is known about an image while it is worked on, also if it fails.

    As a context it measures the time, and turns any error of the image into `error`; only errors of the output folder
    are raised.

    Attributes
    ----------
    job : what to do.
    hashes : of image, points and true mask.
    notes : warnings so far.
    seconds : spent on it.
    error : a sentence where it failed.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.hashes: Hashes = {"image_sha256": None, "points_sha256": None}
        self.notes: list[Note] = [] if job.note is None else [job.note]
        self.seconds = 0.0
        self.error: str | None = None
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        self.seconds += perf_counter() - self._start
        if isinstance(error, OutputError) or not isinstance(error, Exception):
            return False
        if isinstance(error, PointLabelError | MemoryError):
            self.error = str(error) or "not enough memory"
        else:  # a run goes on where a method fails on one image; the type of the error helps to report it
            self.error = f"{self.job.entry.image}: {type(error).__name__}: {error}"
        return True


@dataclass(frozen=True, slots=True)
class Opened:
    """An image that was read and waits to be labelled."""

    attempt: Attempt
    sample: Sample


@dataclass(frozen=True, slots=True)
class Ended:
    """An image that needs no labels: an earlier run did it with the same inputs, or it failed (`Attempt.error`)."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Labelled:
    """An image with its labels."""

    attempt: Attempt
    sample: Sample
    labels: ImageLabels


def open_job(job: Job, context: RunContext) -> Opened | Ended:
    """Read one image with its points."""
    attempt = Attempt(job)
    with attempt:
        if job.error is not None:
            raise InputError(job.error)
        inputs = read_inputs(job.entry, attempt.hashes)
        if job.is_done(attempt.hashes):
            return Ended(attempt)
        sample = decode_sample(job.entry, inputs, attempt.hashes, context.settings.mask_threshold)
        attempt.notes += sample.notes
        return Opened(attempt, sample)
    return Ended(attempt)


def label_job(opened: Opened | Ended, context: RunContext) -> Labelled | Ended:
    """Label the targets of one image."""
    if isinstance(opened, Ended):
        return opened
    attempt, sample, settings = opened.attempt, opened.sample, context.settings
    with attempt:
        labels = settings.labeller.label(
            sample.image,
            sample.points,
            tightness=settings.tightness_of(sample.rows),
            polarity=settings.polarity_of(sample.rows),
            true_area=true_areas(sample, attempt),
            rng=image_generator(settings.seed, sample.id) if settings.draws_numbers else _UNUSED,
        )
        return Labelled(attempt, sample, labels)
    return Ended(attempt)


def is_as_done(job: Job) -> bool:
    """Whether image, points and true mask are those of the earlier run."""
    hashes: Hashes = {}
    try:
        read_inputs(job.entry, hashes)
    except PointLabelError:
        return False
    return job.is_done(hashes)


def image_generator(seed: int, image_id: str) -> np.random.Generator:
    """Random numbers of one image, whatever the order of the images and the number of workers."""
    words = np.frombuffer(hashlib.sha256(image_id.encode("utf-8", "surrogateescape")).digest()[:16], np.dtype("<u4"))
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))


def true_areas(sample: Sample, attempt: Attempt) -> NDArray[np.int64] | None:
    """Area of each point's target in the true mask, as `target_areas`; None without a mask.

    A point without a target gets area 1 and a note.
    """
    if sample.mask is None:
        return None
    areas, found = target_areas(sample.mask, sample.points)
    for row, column in sample.points[~found]:
        where = f"(x, y) = ({column:g}, {row:g})"
        text = f"{attempt.job.entry.mask}: no target within {POINT_DISTANCE_PX:g} px of {where}; area 1 is used"
        attempt.notes.append(Note("true_area", text))
    return areas
