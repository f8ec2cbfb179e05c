"""An image of a session that is open: its pixels, its targets, and what is written of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..folder.close import write_job
from ..folder.job import Attempt, Job, Labelled, RunContext
from ..folder.settings import RunSettings
from ..io.decode import decode_levels, read_source, source_sha256
from ..io.images import ImageFile
from ..io.messages import Note
from ..io.points.base import PointEntry, PointRow
from ..io.points.fit import fit_points
from ..io.points.named import RowsEntry
from ..io.samples import Entry, Sample
from ..types import ImageLabels, is_doubtful
from .board import TargetBoard
from .history import History
from .state import State, state_of_points


@dataclass(frozen=True, slots=True)
class Worst:
    """What the list of images says of one image.

    Attributes
    ----------
    n_targets, n_doubtful : how many, and how many are to be looked at (`types.is_doubtful`).
    trust : the lowest quality times presence, None without targets.
    """

    n_targets: int = 0
    n_doubtful: int = 0
    trust: float | None = None

    @staticmethod
    def of(labels: ImageLabels) -> Worst:
        """Of the targets of an image."""
        doubts = [is_doubtful(target.quality, target.presence, target.flags) for target in labels.targets]
        return Worst(len(doubts), sum(doubts), min((target.trust for target in labels.targets), default=None))


@dataclass(slots=True)
class OpenImage:
    """One image that was read.

    Attributes
    ----------
    file : where it is.
    board : its pixels and targets.
    full : largest value of the file's whole numbers, None in floating point.
    sha256 : hexadecimal hash of the file.
    notes : what to say about the file and its points.
    """

    file: ImageFile
    board: TargetBoard
    full: float | None
    sha256: str
    notes: tuple[Note, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the pixels."""
        return int(self.board.image.nbytes)


def open_image(file: ImageFile, settings: RunSettings, history: History | None, given: PointEntry | None) -> OpenImage:
    """Read an image; where nobody has clicked in it yet (`history` is None), it starts with the `given` points.

    Raises
    ------
    InputError
        Where the image or its points cannot be read, or it is smaller than when somebody clicked in it.
    """
    source = read_source(file.path)
    image, notes, full = decode_levels(source, file.path)
    shape = (image.shape[0], image.shape[1])
    if history is None and given is not None:
        fitted = fit_points(given.load(), shape)
        history, notes = History(state_of_points(fitted.rows, fitted.points.tolist())), notes + fitted.notes
    board = TargetBoard(image, settings.labeller, tightness=settings.tightness, history=history)
    return OpenImage(file, board, full, source_sha256(source), notes)


def rows_of(state: State) -> tuple[PointRow, ...]:
    """The clicks as a table of points has them."""
    return tuple(click.point_row() for click in state.clicks)


def points_hash(state: State) -> str:
    """Hash that a manifest has of these points, read from a table."""
    return RowsEntry("", rows_of(state)).load().sha256


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is to be written of an image: nothing that happens to it later changes this."""

    file: ImageFile
    image: NDArray
    sha256: str
    notes: tuple[Note, ...]
    state: State
    labels: ImageLabels

    @staticmethod
    def of(opened: OpenImage) -> Snapshot:
        """Of an image that is open."""
        board = opened.board
        return Snapshot(opened.file, board.image, opened.sha256, opened.notes, board.state, board.labels)

    def write(self, context: RunContext) -> dict[str, Any]:
        """Write the files of `annotate`, and return the line of the manifest.

        Raises
        ------
        OutputError
            Where a file could not be written.
        """
        file, rows = self.file, rows_of(self.state)
        attempt = Attempt(Job(Entry(file.id, file.path, None, None), file.shown))
        attempt.hashes = {"image_sha256": self.sha256, "points_sha256": points_hash(self.state)}
        attempt.notes = list(self.notes)
        attempt.seconds = sum(target.time_ms for target in self.labels.targets) / 1000
        points = np.array([target.point for target in self.labels.targets], np.float64).reshape(-1, 2)
        sample = Sample(file.id, self.image, points, rows, None, self.notes, "")
        written = write_job(Labelled(attempt, sample, self.labels), context)
        for each in written.files:
            each.start_sync()
        record = written.finish().record
        assert record is not None
        return record
