"""One image of a run, from labels to files and a line of the manifest.

Two steps, so that the disk works while the next images are labelled: close, finish.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from numpy.typing import NDArray

from ..io.files import FileWrite
from ..io.manifest import encode_record
from ..io.masks.png import encode_instances, encode_mask, encode_picture, encode_soft
from ..io.points.fit import FittedPoints
from ..types import ImageLabels
from .events import ImageDone, Tally
from .job import OpenJob, RunContext, recorded

#: Images whose files are forced to the disk together ...
SYNC_IMAGES = 32
#: ... and seconds after which fewer are.
SYNC_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: the line to append to the manifest (None where it was done before), and its report."""

    line: bytes | None
    done: ImageDone


@dataclass(slots=True)
class ClosedJob:
    """A job whose files lie under temporary names, on their way to the disk.

    Attributes
    ----------
    work : the job.
    context : of the run.
    files : what was written for it.
    hashes : of the files, by kind.
    """

    work: OpenJob
    context: RunContext
    files: list[FileWrite] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def finish(self) -> Outcome:
        """Move the files to their places, once the disk has them, and build the line of the manifest.

        Raises
        ------
        OutputError
            Where a file could not be written.
        """
        work, context = self.work, self.context
        job = work.job
        if work.is_done:
            return Outcome(None, ImageDone(job.image_id, "skipped", None, (), job.tally or Tally()))
        record: dict[str, Any] = {"id": job.image_id, "status": "ok"}
        targets: list[dict[str, Any]] = []
        if work.error is None:
            with recorded(work):
                assert work.points is not None
                assert work.labels is not None
                for file in self.files:
                    file.place()
                record["outputs_sha256"] = self.hashes
                record["height"], record["width"] = work.labels.shape
                targets = _target_records(work.labels, work.points)
        if work.error is not None:
            record["status"], record["error"] = "error", work.error
            targets = []
            for kind in context.settings.outputs:  # of an earlier run, or of this one before it failed
                context.gate.remove(kind, job.image_id)
        record |= {"warnings": [note.text for note in work.notes], "image": job.shown, **work.hashes, **context.stamp}
        record["targets"] = targets
        record["ms"] = round(work.seconds * 1000, 3)
        done = ImageDone(job.image_id, record["status"], record.get("error"), tuple(work.notes), Tally.of(record))
        return Outcome(encode_record(record), done)

    def discard(self) -> None:
        """Leave no file behind."""
        for file in self.files:
            file.discard()


def close_job(work: OpenJob, context: RunContext) -> ClosedJob:
    """Write the files of one image under temporary names.

    Raises
    ------
    OutputError
        Where a file could not be written.
    """
    closed = ClosedJob(work, context)
    if work.is_done or work.error is not None:
        return closed
    with recorded(work):
        assert work.image is not None
        assert work.labels is not None
        for kind in context.settings.outputs:
            data = _encode(kind, work.image, work.labels)
            written = FileWrite(context.gate.path(kind, work.job.image_id), data)
            closed.files.append(written)
            closed.hashes[kind] = hashlib.sha256(data).hexdigest()
    if work.error is not None:
        closed.discard()
    return closed


def finish_in_order(closed: Iterable[ClosedJob]) -> Generator[Outcome]:
    """Finish jobs as they come, some behind, so that the disk works while the next ones are labelled.

    Their files are forced to the disk some images at a time: one by one that would hold up whoever makes new files.
    Where Ctrl-C is pressed, those that were closed are finished first.
    """
    waiting: deque[ClosedJob] = deque()  # of which the first `n_syncing` are on their way to the disk
    n_syncing, since = 0, monotonic()
    try:
        for job in closed:
            waiting.append(job)
            n_new, is_late = len(waiting) - n_syncing, monotonic() - since > SYNC_EVERY_S
            if n_new < SYNC_IMAGES and not is_late:
                continue
            for _ in range(n_syncing):
                yield waiting.popleft().finish()
            _start_syncs(waiting)
            n_syncing, since = len(waiting), monotonic()
            while is_late and waiting:  # slow work: let it be known, and recorded, at once
                yield waiting.popleft().finish()
            n_syncing = len(waiting)
        yield from _finish_all(waiting)
    except KeyboardInterrupt:
        yield from _finish_all(waiting)
        raise
    finally:
        for job in waiting:
            job.discard()


def _finish_all(waiting: deque[ClosedJob]) -> Iterator[Outcome]:
    _start_syncs(waiting)
    while waiting:
        yield waiting.popleft().finish()


def _start_syncs(waiting: Iterable[ClosedJob]) -> None:
    for job in waiting:
        for file in job.files:
            file.start_sync()


def _encode(kind: str, image: NDArray, labels: ImageLabels) -> bytes:
    if kind == "masks":
        return encode_mask(labels.mask())
    if kind == "soft":
        return encode_soft(labels.soft())
    if kind == "instances":
        return encode_instances(labels.instances())
    from ..io.overlay import draw_overlay

    return encode_picture(draw_overlay(image, labels))


def _target_records(labels: ImageLabels, fitted: FittedPoints) -> list[dict[str, Any]]:
    out = []
    for target, row in zip(labels.targets, fitted.rows, strict=True):
        record: dict[str, Any] = {
            "x": float(target.point[1]),
            "y": float(target.point[0]),
            "area": target.area,
            "quality": round(float(target.quality), 6),
            "flags": list(target.flags),
            "polarity": target.polarity,
            "ms": round(float(target.time_ms), 3),
        }
        named = {"label": row.label, "id": row.id, "tightness": row.tightness}
        out.append(record | {key: value for key, value in named.items() if value not in (None, "")})
    return out
