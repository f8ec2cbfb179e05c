"""Methods over data sets, each in a process of its own, so that first calls and memory are its own."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, PointLabelError
from ..evaluation.environment import THREAD_VARIABLES
from ..evaluation.shapes import SHAPE_FEATURES, describe_targets
from ..evaluation.targets import true_targets
from ..folder.job import image_generator
from ..io.datasets import Dataset
from ..io.masks.read import MASK_THRESHOLD
from ..io.masks.survey import survey_masks
from ..io.messages import Note
from ..io.samples import Entry, Sample, read_sample
from .runner import BenchImage, MethodRun, Setup, run_method


@dataclass(frozen=True, slots=True)
class Survey:
    """A data set that was read once, image by image.

    Attributes
    ----------
    dataset : without the images that could not be read.
    n_points : points of all images.
    features : (T, 4) float64, `describe_targets` of each point's true target, NaN where it has none.
    targets : (K, 4) float64, the same of every true target.
    sha256 : hexadecimal hash of ids, images, masks and points.
    left_out : a sentence for each image that could not be read.
    notes : messages about the others.
    mask_threshold : grey level that the targets of the true masks lie above.
    """

    dataset: Dataset
    n_points: int
    features: NDArray[np.float64]
    targets: NDArray[np.float64]
    sha256: str
    left_out: tuple[str, ...]
    notes: tuple[Note, ...]
    mask_threshold: float = MASK_THRESHOLD


@dataclass(frozen=True, slots=True)
class BenchJob:
    """One method on one data set; `place` says which of the surveys."""

    setup: Setup
    place: int
    survey: Survey


@dataclass(frozen=True, slots=True)
class JobDone:
    """A job with its run, or with a sentence where it failed."""

    job: BenchJob
    run: MethodRun | None
    error: str | None = None


def survey_dataset(
    dataset: Dataset, on_image: Callable[[], None] = lambda: None, *, mask_threshold: float = MASK_THRESHOLD
) -> Survey:
    """Read every image once: what cannot be read is left out, points and targets are counted and measured.

    Parameters
    ----------
    dataset : with or without true masks.
    on_image : called after each image.
    mask_threshold : grey level that the targets of the true masks lie above.

    Raises
    ------
    InputError
        Where no image can be read, none has a point, or the true masks are none at this threshold (`survey_masks`).
    """
    digest = hashlib.sha256()
    kept: list[Entry] = []
    left_out: list[str] = []
    masks = [entry.mask for entry in dataset.entries if entry.mask is not None]
    where = os.path.dirname(masks[0]) if masks else dataset.folder
    notes = [*survey_masks(masks, where, mask_threshold, need_targets=True)] if masks else []
    features, targets = [np.zeros((0, len(SHAPE_FEATURES)))], [np.zeros((0, len(SHAPE_FEATURES)))]
    n_points = 0
    for entry in dataset.entries:
        try:
            sample = read_sample(entry, mask_threshold=mask_threshold)
        except InputError as error:
            left_out.append(str(error))
            continue
        finally:
            on_image()
        kept.append(entry)
        notes += sample.notes
        n_points += len(sample.points)
        digest.update(_line_of(sample))
        if sample.mask is not None:
            described = describe_targets(sample.image, sample.mask)
            _, owners = true_targets(sample.mask, sample.points)
            missing = np.full((1, described.shape[1]), np.nan)
            features.append(np.concatenate([missing, described])[owners])
            targets.append(described)
    if not kept:
        raise InputError(f"{dataset.folder}: no image can be read; the first: {left_out[0]}")
    if n_points == 0:
        raise InputError(f"{dataset.folder}: no image has a point; there is nothing to measure")
    return Survey(
        replace(dataset, entries=tuple(kept)),
        n_points,
        np.concatenate(features),
        np.concatenate(targets),
        digest.hexdigest(),
        tuple(left_out),
        tuple(notes),
        mask_threshold,
    )


def run_bench(
    jobs: Sequence[BenchJob],
    *,
    repeat: int = 1,
    n_threads: int = 1,
    keep_crops: bool = False,
    on_image: Callable[[BenchJob], None] = lambda job: None,
) -> Generator[JobDone]:
    """Do the jobs one after another, each in a new process, and yield their outcomes.

    A method that fails yields its sentence, and the next goes on. Closing the generator ends the process at work.

    Parameters
    ----------
    jobs : what to do.
    repeat : calls that are timed for each image; the fastest counts.
    n_threads : threads that compiled code may take in a process.
    keep_crops : whether runs keep their masks.
    on_image : called after each image of a job.
    """
    processes = multiprocessing.get_context("spawn")
    for job in jobs:
        receiver, sender = processes.Pipe(duplex=False)
        task = (sender, job.survey, job.setup, repeat, keep_crops)
        child = processes.Process(target=_work, args=task, daemon=True)
        try:
            with _threads(n_threads):
                child.start()
            sender.close()  # this end, so that the death of the child ends the pipe
            kind, answer = _listen(receiver, partial(on_image, job))
            child.join()
        finally:
            if child.is_alive():
                child.terminate()
                child.join()
            receiver.close()
        if kind == "died":
            answer = f"its process died with exit code {child.exitcode}, perhaps for want of memory"
        yield JobDone(job, answer, None) if kind == "run" else JobDone(job, None, answer)


def _listen(receiver: Connection, on_image: Callable[[], None]) -> tuple[str, Any]:
    while True:
        try:
            kind, answer = receiver.recv()
        except EOFError:
            return "died", None
        if kind != "image":
            return kind, answer
        on_image()


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Set the numbers of threads for processes that start inside; this one has read its own long ago."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(n)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(sender: Connection, survey: Survey, setup: Setup, repeat: int, keep_crops: bool) -> None:
    """What a process does; its answers are ("image", None), ("run", MethodRun) and ("failed", sentence)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    try:
        run = run_method(
            _images(survey),
            setup,
            image_generator,
            repeat=repeat,
            keep_crops=keep_crops,
            on_image=lambda: sender.send(("image", None)),
        )
        sender.send(("run", run))
    except BrokenPipeError:
        return  # the parent is gone
    except (PointLabelError, MemoryError) as error:
        sender.send(("failed", str(error) or "not enough memory"))
    except Exception as error:
        # The comparison goes on where a method fails; the type of the error helps to report it.
        sender.send(("failed", f"{type(error).__name__}: {error}"))


def _images(survey: Survey) -> Iterator[BenchImage]:
    """The images of a survey; a sentence after the last one where they are no longer those that it looked at."""
    digest = hashlib.sha256()
    for entry in survey.dataset.entries:
        sample = read_sample(entry, mask_threshold=survey.mask_threshold)
        digest.update(_line_of(sample))
        yield BenchImage(sample.id, sample.image, sample.points, sample.mask)
    if digest.hexdigest() != survey.sha256:
        raise InputError(f"{survey.dataset.folder}: its files changed while methods ran on them; run again")


def _line_of(sample: Sample) -> bytes:
    """What a sample adds to the hash of its data set."""
    return f"{sample.id}\0{sample.sha256}\n".encode("utf-8", "surrogateescape")
