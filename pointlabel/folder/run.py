"""Annotate a folder of images: the function behind ``pointlabel annotate``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from time import perf_counter

from .._values import as_choice, as_number, as_path
from ..engine.default.ahead import compile_ahead
from ..errors import InputError
from ..io.lock import hold_folder
from ..io.messages import Note
from ..io.points.base import PointSource
from ..io.points.given import STDIN, STDIN_NAME
from ..io.points.match import match_points
from ..io.shards import Shard, as_shard
from ..io.writers import OVERLAY
from .events import Report, RunNote, RunStarted, RunSummary
from .job import RunContext
from .output import MODES, SHEET_NAME, open_output
from .plan import (
    closing_notes,
    find_images,
    find_true_masks,
    look_ahead,
    plan_jobs,
    plan_shard,
    refuse_changed,
    run_notes,
)
from .pool import Engine, run_jobs
from .settings import RunSettings
from .writers import open_writers

Path = str | os.PathLike[str]


def annotate_folder(
    images: Path | Sequence[Path],
    points: Path | PointSource,
    out: Path,
    settings: RunSettings | None = None,
    *,
    origin: str = "center",
    points_format: str | None = None,
    allow_pickle: bool = False,
    true_masks: Path | None = None,
    frames: bool = False,
    jobs: int = 1,
    mode: str = "new",
    on_error: str = "skip",
    shard: str | Shard | None = None,
    engine: Engine = run_jobs,
    report: Report | None = None,
) -> RunSummary:
    """Annotate images from one point per target and write masks, and a manifest with a line per image.

    Parameters
    ----------
    images : a folder with its sub-folders, one file, or a glob, or several of these; PNG, TIFF, BMP, JPEG, or
        stacks of frames.
    points : a file or folder of any format of `pointlabel.io.points.formats`, ``-`` for standard input, or points that
        are open already, such as `pointlabel.io.points.clicks.Clicks`.
    out : the output folder; ``masks/ID.png`` and ``manifest.jsonl`` are written below it.
    settings : method, its parameters, and what is written; None for the defaults of `RunSettings`.
    origin, points_format, allow_pickle : as for `pointlabel.io.points.readers.open_points`.
    true_masks : folder of true masks, for methods run with ``size_prior="oracle"`` only.
    frames : whether each frame of each file is an image; without it, those that the points name are, and of a TIFF
        else the first page.
    jobs : worker processes; 1 works in this process, 0 takes one per processor. With the backend torch, threads
        that read and write images.
    mode : "new", "resume" or "overwrite", for a folder that holds a run.
    on_error : "skip" goes on after an image that fails, "stop" ends the run there.
    shard : "2/8" does the second of eight parts of the images, beside the others, which may be done at the same time
        and on other machines; `pointlabel.shards.merge_shards` joins them.
    engine : what does the images: worker processes of this machine, or `pointlabel.distributed.ray_engine.open_ray`.
    report : called with each event as it happens.

    Returns
    -------
    RunSummary. Images that failed are counted there and named in the manifest; they raise nothing.

    Raises
    ------
    InputError
        Where an argument is out of range, an input is missing, or `out` holds what would be lost; nothing has been
        written then.
    OutputError
        Where the output cannot be written; what is done stays, and can be resumed.
    KeyboardInterrupt
        On Ctrl-C, after what was in progress is recorded.
    """
    start = perf_counter()
    places = list(images) if isinstance(images, list | tuple) else [images]
    wheres, out = [as_path(each, "images") for each in places], as_path(out, "out")
    source_or_path = as_path(points, "points") if not hasattr(points, "bind") else points
    name = STDIN_NAME if source_or_path == STDIN else str(source_or_path)
    settings = settings or RunSettings()
    say: Report = report or (lambda event: None)
    as_choice(on_error, "on_error", ("skip", "stop"))
    as_choice(mode, "mode", MODES)
    as_number(jobs, "jobs", 0, 1024, whole=True)
    if settings.needs_true_area and true_masks is None:
        raise InputError("size_prior oracle needs a folder of true masks (`true_masks`)")
    found, source, bound = match_points(
        find_images(wheres, name, out, frames),
        source_or_path,
        origin,
        points_format=points_format,
        allow_pickle=allow_pickle,
    )
    part = as_shard(shard)
    if part is not None:
        _refuse_per_run(settings)
    if OVERLAY in settings.outputs and SHEET_NAME in found.ids:
        raise InputError(
            f"{found.root}: an image called {SHEET_NAME} cannot have an overlay, whose name is taken; rename it"
        )
    masks: dict[str, str] | None = None
    mask_notes: tuple[Note, ...] = ()
    if settings.needs_true_area and true_masks is not None:
        masks, mask_notes = find_true_masks(os.fspath(true_masks), sorted(found.ids), settings.mask_threshold)
    summary = RunSummary()
    detail = f"with method {settings.method}" if part is None else f"shard {part}"
    with hold_folder(out, "annotate", detail, part.name if part else ""):
        stamp = settings.stamp()
        plan = None if part is None else plan_shard(part, found, bound, source, stamp)
        own = found.ids if plan is None else found.ids & set(plan.ids)
        folder = open_output(out, mode, stamp, own, plan)
        context = RunContext(settings, folder.gate, stamp, part)
        work = plan_jobs(found, bound, source, masks, folder)
        refuse_changed(work, folder)
        notes = [
            *look_ahead(found, bound, name, settings.polarity, folder.earlier),
            *run_notes(found, name, bound, source, settings, folder),
            *mask_notes,
        ]
        del found, source, bound  # a shard needs no more of the images and points of the others
        if engine is run_jobs and settings.is_compiled_ahead and any(job.done is None for job in work):
            waited = perf_counter()
            compile_ahead()
            start += perf_counter() - waited  # once for an installation, and no part of what a run takes
        folder.begin()
        say(RunStarted(len(work)))
        for note in notes:
            say(RunNote(note))
        writers = open_writers(context, work)
        try:
            with closing(engine(work, context, jobs)) as outcomes:
                for done in outcomes:
                    for writer in writers:
                        writer.add(done)
                    summary.add(done)
                    say(done)
                    if done.status == "error" and on_error == "stop":
                        summary.stopped = True
                        break
        finally:
            for writer in writers:
                writer.close()
        last = closing_notes(summary, name, settings.polarity)
        for note in last:
            say(RunNote(note))
        summary.n_warnings += len(notes + last)
        summary.n_new_warnings += len(notes + last)
        for writer in writers:
            writer.end(summary)
        if not summary.stopped:
            folder.finish()
    summary.seconds = perf_counter() - start
    return summary


def _refuse_per_run(settings: RunSettings) -> None:
    """Refuse what is drawn of all images together, which no shard sees; files of other tools are left to `merge`."""
    if OVERLAY in settings.outputs:
        raise InputError(
            "`overlay` ends with a sheet of all images, which a shard does not see; leave it out, and look at the "
            "run by --resume --html after pointlabel merge"
        )
