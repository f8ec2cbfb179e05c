"""From labels to files and a record.

Files are written under temporary names, and moved to their places some images later, so that the disk works while the
next images are labelled.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from ..io.exchange import rle
from ..io.files import FileWrite
from ..io.messages import Note
from ..io.records import target_record
from ..io.writers import OVERLAY, RLE, WRITERS
from .events import ImageDone, Tally
from .job import Ended, Labelled, RunContext
from .settings import RunSettings

#: Images whose files are forced to the disk together ...
SYNC_IMAGES = 32
#: ... and seconds after which fewer are.
SYNC_EVERY_S = 0.5


@dataclass(slots=True)
class Written:
    """An image whose files have temporary names and are being written to the disk.

    Attributes
    ----------
    made : its outcome.
    context : of the run.
    files : what was written for it.
    hashes : of the files, by kind.
    """

    made: Labelled | Ended
    context: RunContext
    files: list[FileWrite] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def finish(self) -> ImageDone:
        """Move the files to their places, once the disk has them, and make the record.

        Raises
        ------
        OutputError
            Where a file could not be written.
        """
        attempt, context = self.made.attempt, self.context
        job = attempt.job
        name = job.entry.id
        if isinstance(self.made, Ended) and attempt.error is None:
            return ImageDone(name, "skipped", tally=job.tally)
        record: dict[str, Any] = {"id": name, "status": "ok"}
        targets: list[dict[str, Any]] = []
        if isinstance(self.made, Labelled) and attempt.error is None:
            labels, rows = self.made.labels, self.made.sample.rows
            with attempt:
                for file in self.files:
                    file.place()
                record["outputs_sha256"] = self.hashes
                record["height"], record["width"] = labels.shape
                targets = [target_record(target, row) for target, row in zip(labels.targets, rows, strict=True)]
                if context.settings.has_rle:
                    for each, target in zip(targets, labels.targets, strict=True):
                        each[RLE] = rle.encode(target.mask, target.origin, labels.shape)
        if attempt.error is not None:
            record["status"], record["error"] = "error", attempt.error
            targets = []
            for kind in context.settings.image_outputs:  # of an earlier run, or of this one before it failed
                context.gate.remove(kind, name)
        record |= {"warnings": [note.text for note in attempt.notes], "image": job.shown}
        record |= {**attempt.hashes, **context.stamp, "targets": targets, "ms": round(attempt.seconds * 1000, 3)}
        return ImageDone(name, record["status"], attempt.error, tuple(attempt.notes), Tally.of(record), record)

    def discard(self) -> None:
        """Leave no file behind."""
        for file in self.files:
            file.discard()


def write_job(made: Labelled | Ended, context: RunContext) -> Written:
    """Write the files of one image under temporary names.

    Raises
    ------
    OutputError
        Where a file could not be written.
    """
    written = Written(made, context)
    if isinstance(made, Ended):
        return written
    try:
        with made.attempt:
            for kind in context.settings.image_outputs:
                data = _encode(kind, made, context.settings)
                written.files.append(FileWrite(context.gate.path(kind, made.sample.id), data))
                written.hashes[kind] = hashlib.sha256(data).hexdigest()
    except BaseException:  # Ctrl-C, or a disk that is full
        written.discard()
        raise
    if made.attempt.error is not None:
        written.discard()
    return written


def _encode(kind: str, made: Labelled, settings: RunSettings) -> bytes:
    if kind != OVERLAY or settings.window is None:
        return WRITERS[kind].encode(made.sample.image, made.labels)
    from ..io.masks.png import encode_picture
    from ..io.overlay import draw_overlay  # only where pictures are asked for

    image, window = made.sample.image, settings.window
    low, high = window.of(image)
    if not ((image > low) & (image < high)).any():
        text = f"{made.attempt.job.entry.image}: no grey level lies between {low:g} and {high:g}, the overlay's window"
        made.attempt.notes.append(Note("window", text))
    return encode_picture(draw_overlay(image, made.labels, window))


class FinishQueue:
    """Finishes images as they come, some behind, so that the disk works while the next ones are labelled.

    Their files are forced to the disk some images at a time: one by one would delay the writing of new files.
    """

    def __init__(self) -> None:
        self._waiting: deque[Written] = deque()  # of which the first `_n_syncing` are on their way to the disk
        self._n_syncing = 0
        self._since = monotonic()

    def add(self, written: Written) -> Iterator[ImageDone]:
        """Take one image; finish those whose files the disk has had time for."""
        self._waiting.append(written)
        is_late = monotonic() - self._since > SYNC_EVERY_S
        if len(self._waiting) - self._n_syncing < SYNC_IMAGES and not is_late:
            return
        while self._n_syncing:
            self._n_syncing -= 1
            yield self._finish_first()
        self._start_syncs()
        if is_late:  # slow work: let it be known, and recorded, at once
            yield from self.finish()
        self._since = monotonic()

    def finish(self) -> Iterator[ImageDone]:
        """Finish all that wait."""
        self._start_syncs()
        self._n_syncing = 0
        while self._waiting:
            yield self._finish_first()

    def discard(self) -> None:
        """Leave no file of those that wait."""
        for written in self._waiting:
            written.discard()

    def _finish_first(self) -> ImageDone:
        written = self._waiting.popleft()
        try:
            return written.finish()
        except BaseException:  # Ctrl-C, while it waits for the disk
            written.discard()
            raise

    def _start_syncs(self) -> None:
        for written in self._waiting:
            for file in written.files:
                file.start_sync()
        self._n_syncing = len(self._waiting)


def finish_in_order(groups: Iterable[Iterable[Written]]) -> Generator[ImageDone]:
    """Finish images as they come, and all that wait after each group.

    Where Ctrl-C is pressed, those that came are finished first.
    """
    queue = FinishQueue()
    try:
        for group in groups:
            for written in group:
                yield from queue.add(written)
            yield from queue.finish()
    except KeyboardInterrupt:
        yield from queue.finish()
        raise
    finally:
        queue.discard()
