"""The table of files that are written once per run: the manifest, and the sheet of the doubtful targets."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..io.exchange.ledger import open_export
from ..io.files import write_whole
from ..io.json_lines import encode_line
from ..io.manifest import ManifestWriter, sorted_records, tidy_manifest
from ..io.outdir import OutputGate
from ..io.writers import EXPORTS, OVERLAY
from .events import ImageDone, RunSummary
from .job import Job, Labelled, RunContext, label_job, open_job
from .output import SHEET_NAME

SHEET_TARGETS = 60


class RunWriter:
    """Writes one file per run: opened before the first image, closed however the run ends.

    Parameters
    ----------
    context : of the run.
    jobs : its images.
    """

    def __init__(self, context: RunContext, jobs: Sequence[Job]) -> None:
        self.context = context
        self.jobs = jobs

    def add(self, done: ImageDone) -> None:
        """Take one image, in the order of the jobs; ``done.record`` is None where an earlier run did it."""

    def close(self) -> None:
        """Close what is open."""

    def end(self, summary: RunSummary) -> None:
        """Write what needs all images, those of earlier runs included; called after every writer's `close`.

        The manifest holds the records of all. It is called too where an error ended the run early
        (``summary.stopped``).
        """


class Manifest(RunWriter):
    """A line of JSON per image, appended as the images are done."""

    def __init__(self, context: RunContext, jobs: Sequence[Job]) -> None:
        super().__init__(context, jobs)
        self._path = context.manifest
        n_ids = len({job.entry.id for job in jobs})  # names of a table that no image has can share one
        self._is_tidy = n_ids == len(jobs) and not (os.path.isfile(self._path) and os.path.getsize(self._path))
        self._writer = ManifestWriter(self._path)

    def add(self, done: ImageDone) -> None:
        """Append the image's record."""
        if done.record is not None:
            self._writer.append(encode_line(done.record))

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def end(self, summary: RunSummary) -> None:
        """Leave one line per id, where an earlier run or a second job may have written another."""
        if not self._is_tidy:
            tidy_manifest(self._path)


class Sheet(RunWriter):
    """A picture of the targets of lowest quality times presence.

    The few images that hold them are annotated once more, so that the sheet is the same whether they were done just
    now, by a worker, or before the run was resumed.
    """

    def __init__(self, context: RunContext, jobs: Sequence[Job]) -> None:
        super().__init__(context, jobs)
        self._lowest: list[tuple[float, str, int]] = []  # trust, image id, number of the target

    def add(self, done: ImageDone) -> None:
        """Keep the lowest."""
        new = [(trust, done.image_id, number) for number, trust in enumerate(done.tally.trusts, start=1)]
        if new:
            self._lowest = heapq.nsmallest(SHEET_TARGETS, [*self._lowest, *new])

    def end(self, summary: RunSummary) -> None:
        """Draw the sheet, unless an error ended the run early."""
        from ..io.masks.png import encode_picture
        from ..io.overlay import ContactSheet

        if summary.stopped:
            return
        wanted = {image_id for _, image_id, _ in self._lowest}
        sheet = ContactSheet(SHEET_TARGETS, self.context.settings.window)
        for job in self.jobs:
            if job.entry.id in wanted:
                made = label_job(open_job(replace(job, done=None), self.context), self.context)
                if isinstance(made, Labelled):
                    sheet.add(job.entry.id, made.sample.image, made.labels)
        sheet.n_seen = summary.n_targets
        picture = sheet.draw()
        if picture is not None:
            write_whole(self.context.gate.path(OVERLAY, SHEET_NAME), encode_picture(picture))


class Export(RunWriter):
    """The masks of all images in a format of another tool, made of the manifest when the run is done."""

    def __init__(self, name: str, context: RunContext, jobs: Sequence[Job]) -> None:
        super().__init__(context, jobs)
        self._name = name

    def end(self, summary: RunSummary) -> None:
        """Write it, unless an error ended the run early."""
        if not summary.stopped:
            may_be_changed = any(job.done is not None for job in self.jobs)
            records = sorted_records(self.context.manifest)
            write_export(self._name, self.context.gate, records, may_be_changed=may_be_changed)


def write_export(
    name: str, gate: OutputGate, records: Iterable[dict[str, Any]], *, may_be_changed: bool = True
) -> None:
    """Write the masks of a run in a format of another tool.

    Parameters
    ----------
    name : of the format, out of `EXPORTS`.
    gate : of the output folder.
    records : of the manifest, with run lengths, in the order of the ids.
    may_be_changed : whether somebody may have changed some masks since they were written.
    """
    from ..io.exchange.convert import export
    from ..io.exchange.run import masks_of_record
    from ..io.exchange.table import FORMATS

    # The soft label of each image is a file of its own, which no export reads.
    images = (
        masks_of_record(each, gate.folder, with_soft=False, may_be_changed=may_be_changed)
        for each in records
        if each["status"] == "ok"
    )
    export(images, open_export(gate, name), FORMATS[name])


#: What writes a file per run, and the output of `RunSettings` that asks for it; None for every run. The manifest is
#: the first, so that it is whole when others read it in `end`.
RUN_WRITERS: tuple[tuple[str | None, Callable[[RunContext, Sequence[Job]], RunWriter]], ...] = (
    (None, Manifest),
    (OVERLAY, Sheet),
    *((name, partial(Export, name)) for name in EXPORTS),
)


def open_writers(context: RunContext, jobs: Sequence[Job]) -> list[RunWriter]:
    """The writers per run that the settings ask for; of a shard the manifest only, since `merge` writes the others.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    wanted = (None,) if context.shard is not None else (None, *context.settings.outputs)
    return [make(context, jobs) for output, make in RUN_WRITERS if output in wanted]
