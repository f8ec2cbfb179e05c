"""One image of a run, from bytes to labels, in any process.

Two steps, so that the targets of several images can be labelled together: open, label. `close` is the third.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, OutputError, PointLabelError
from ..io.decode import decode_image
from ..io.files import read_bytes
from ..io.messages import Note
from ..io.outdir import OutputGate
from ..io.points.base import PointEntry, PointSet
from ..io.points.fit import FittedPoints, fit_points
from ..labeling import annotate
from ..types import ImageLabels
from .events import Tally
from .settings import RunSettings
from .true_areas import true_areas


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all images of a run share: settings, the gate to the output folder, stamp of the manifest."""

    settings: RunSettings
    gate: OutputGate
    stamp: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One image to do.

    Attributes
    ----------
    image_id : its id.
    path, shown : where to read it, and its name below the root.
    points : its points, None where there are none.
    note : what to tell about it before anything is read.
    error : a sentence where it is known to fail.
    true_mask : path of its true mask, for methods that may know the target's size.
    done : hashes of image, points and true mask of an earlier run, None where there is none.
    tally : what the earlier run counted.
    """

    image_id: str
    path: str
    shown: str
    points: PointEntry | None = None
    note: Note | None = None
    error: str | None = None
    true_mask: str | None = None
    done: tuple[str | None, ...] | None = None
    tally: Tally | None = None


@dataclass(slots=True)
class OpenJob:
    """A job on its way.

    Attributes
    ----------
    job : what to do.
    hashes : of image, points and true mask.
    notes : warnings so far.
    image, points : what was read.
    labels : what came of it.
    error : a sentence where it failed; nothing more is done then.
    is_done : whether an earlier run did it, with the same inputs.
    seconds : spent on it.
    """

    job: Job
    hashes: dict[str, str | None]
    notes: list[Note]
    image: NDArray | None = None
    points: FittedPoints | None = None
    labels: ImageLabels | None = None
    error: str | None = None
    is_done: bool = False
    seconds: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether its targets wait to be labelled."""
        return self.image is not None and self.labels is None and self.error is None


@contextmanager
def recorded(work: OpenJob) -> Iterator[None]:
    """Turn whatever is wrong with the image into the job's error; only what concerns the output folder is raised."""
    start = perf_counter()
    try:
        yield
    except OutputError:
        raise
    except (PointLabelError, MemoryError) as error:
        work.error = str(error) or "not enough memory"
    except Exception as error:
        # A batch goes on where a method fails on one image; the type of the error helps whoever reports it.
        work.error = f"{work.job.path}: {type(error).__name__}: {error}"
    finally:
        work.seconds += perf_counter() - start


def open_job(job: Job, context: RunContext) -> OpenJob:
    """Read one image with its points."""
    hashes: dict[str, str | None] = {"image_sha256": None, "points_sha256": None}
    work = OpenJob(job, hashes, [] if job.note is None else [job.note])
    with recorded(work):
        data, given = _read_inputs(job, hashes)
        if job.done == tuple(hashes.values()):
            work.is_done = True
            return work
        image, more = decode_image(data, job.path)
        work.notes += more
        shape = (image.shape[0], image.shape[1])
        work.points = FittedPoints(np.zeros((0, 2)), (), ()) if given is None else fit_points(given, shape)
        work.notes += work.points.notes
        work.image = image
    return work


def _read_inputs(job: Job, hashes: dict[str, str | None]) -> tuple[bytes, PointSet | None]:
    """Bytes of the image and its points; their hashes go to `hashes` as they are known."""
    if job.error is not None:
        raise InputError(job.error)
    data = read_bytes(job.path)
    hashes["image_sha256"] = hashlib.sha256(data).hexdigest()
    given = None if job.points is None else job.points.load()
    hashes["points_sha256"] = None if given is None else given.sha256
    if job.true_mask is not None:
        hashes["true_mask_sha256"] = hashlib.sha256(read_bytes(job.true_mask)).hexdigest()
    return data, given


def is_as_done(job: Job) -> bool:
    """Whether image, points and true mask are those of the earlier run."""
    hashes: dict[str, str | None] = {"image_sha256": None, "points_sha256": None}
    try:
        _read_inputs(job, hashes)
    except PointLabelError:
        return False
    return job.done == tuple(hashes.values())


def label_job(work: OpenJob, context: RunContext) -> None:
    """Label the targets of one image."""
    with recorded(work):
        assert work.image is not None
        assert work.points is not None
        work.labels = _label(work.job, context.settings, work.image, work.points, work.notes)


def label_again(job: Job, context: RunContext) -> tuple[NDArray, ImageLabels]:
    """Read and annotate an image a second time; the answer is the same, and nothing is written."""
    image, _ = decode_image(read_bytes(job.path), job.path)
    points = FittedPoints(np.zeros((0, 2)), (), ())
    if job.points is not None:
        points = fit_points(job.points.load(), (image.shape[0], image.shape[1]))
    return image, _label(job, context.settings, image, points, [])


def image_generator(seed: int, image_id: str) -> np.random.Generator:
    """Random numbers of one image, whatever the order of the images and the number of workers."""
    words = np.frombuffer(hashlib.sha256(image_id.encode("utf-8", "surrogateescape")).digest()[:16], np.dtype("<u4"))
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))


def _label(job: Job, settings: RunSettings, image: NDArray, fitted: FittedPoints, notes: list[Note]) -> ImageLabels:
    shape = (image.shape[0], image.shape[1])
    areas = None
    if job.true_mask is not None:
        areas, more = true_areas(job.true_mask, fitted.points, shape, settings.mask_threshold)
        notes += more
    return annotate(
        image,
        fitted.points,
        method=settings.method,
        params=settings.params,
        tightness=tightness_of(settings, fitted),
        polarity=settings.polarity,
        true_area=areas,
        refine=settings.refine,
        rng=image_generator(settings.seed, job.image_id),
        backend=settings.backend,
        device=settings.device,
    )


def tightness_of(settings: RunSettings, points: FittedPoints) -> float | list[float]:
    """Tightness of each point: its own where it has one, else that of the run."""
    if not settings.has_tightness or all(row.tightness is None for row in points.rows):
        return settings.tightness
    return [settings.tightness if row.tightness is None else row.tightness for row in points.rows]
