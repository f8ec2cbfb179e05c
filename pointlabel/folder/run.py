"""Annotate a folder of images: the function behind ``pointlabel annotate``."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import closing
from time import perf_counter
from typing import Any

from .._values import as_choice, as_number, as_path
from ..errors import InputError
from ..io.files import write_whole
from ..io.images import ImageFile, ImageList, list_images
from ..io.lock import hold_folder
from ..io.manifest import ManifestWriter, tidy_manifest
from ..io.masks.read import MASK_THRESHOLD
from ..io.messages import Note
from ..io.points.base import Bound, PointSource
from ..io.points.checks import check_points, told_or_refused
from ..io.points.look import look_at_some
from ..io.points.match import match_points
from ..methods.table import get_method
from .events import Report, RunNote, RunStarted, RunSummary
from .job import Job, RunContext, is_as_done, label_again
from .output import MODES, SHEET_NAME, OutputFolder, open_output
from .pool import run_jobs
from .settings import OUTPUTS, RunSettings
from .true_areas import find_true_masks

SHEET_TARGETS = 60
#: A warning closes the run where more than this share of its targets, and so many at least, are flagged empty.
EMPTY_SHARE, FEWEST_EMPTY = 0.3, 3

Path = str | os.PathLike[str]


def annotate_folder(
    images: Path,
    points: Path,
    out: Path,
    *,
    method: str = "default",
    params: Any = None,
    tightness: float = 0.5,
    polarity: str = "bright",
    seed: int = 0,
    origin: str = "center",
    true_masks: Path | None = None,
    mask_threshold: float = MASK_THRESHOLD,
    refine: str | None = None,
    soft: bool = False,
    instances: bool = False,
    overlay: bool = False,
    jobs: int = 1,
    mode: str = "new",
    on_error: str = "skip",
    backend: str = "numba",
    device: str = "cpu",
    report: Report | None = None,
) -> RunSummary:
    """Annotate images from one point a target and write masks, and a manifest with a line for each image.

    Parameters
    ----------
    images : a folder with its sub-folders, one file, or a glob; PNG, TIFF, BMP, JPEG.
    points : a folder of one-pixel images, or a CSV table ``image,x,y[,label,id,tightness]``.
    out : the output folder; ``masks/ID.png`` and ``manifest.jsonl`` are written below it.
    method, params, tightness, polarity : as for `pointlabel.annotate`; a point's own tightness goes first.
    seed : non-negative; each image draws its random numbers from (seed, image id).
    origin : of a table's coordinates: "center" of the first pixel, or its "corner".
    true_masks : folder of true masks, for methods run with ``size_prior="oracle"`` only.
    mask_threshold : grey level in [0, 255) that the targets of true masks lie above; masks of 0 and 1 need 0.
    refine : as for `pointlabel.annotate`.
    soft, instances, overlay : whether to write ``soft/``, ``instances/`` and ``overlay/`` too.
    jobs : worker processes; 1 works in this process, 0 takes one for each processor. With the backend torch, threads
        that read and write images.
    mode : "new", "resume" or "overwrite", for a folder that holds a run.
    on_error : "skip" goes on after an image that fails, "stop" ends the run there.
    backend, device : as for `pointlabel.annotate`; the backend torch labels the targets of several images together.
    report : called with each event as it happens.

    Returns
    -------
    RunSummary. Images that failed are counted there and named in the manifest; they raise nothing.

    Raises
    ------
    InputError
        Where an argument breaks a rule; nothing has been written then.
    OutputError
        Where the output cannot be written; what is done stays, and can be resumed.
    KeyboardInterrupt
        On Ctrl-C, after what was in progress is recorded.
    """
    start = perf_counter()
    images, points, out = as_path(images, "images"), as_path(points, "points"), as_path(out, "out")
    say: Report = report or (lambda event: None)
    kinds = tuple(kind for kind, wanted in zip(OUTPUTS, (True, soft, instances, overlay), strict=True) if wanted)
    if params is None:
        params = get_method(method).params()
    settings = RunSettings(method, params, tightness, polarity, seed, kinds, refine, backend, device, mask_threshold)
    get_method(method).check(params)
    as_choice(on_error, "on_error", ("skip", "stop"))
    as_choice(mode, "mode", MODES)
    as_number(jobs, "jobs", 0, 1024, whole=True)
    if settings.needs_true_area and true_masks is None:
        raise InputError("size_prior oracle needs a folder of true masks (`true_masks`)")
    found = _find_images(os.fspath(images), os.fspath(points), os.fspath(out))
    if overlay and SHEET_NAME in found.ids:
        raise InputError(
            f"{images}: an image called {SHEET_NAME} cannot have an overlay, whose name is taken; rename it"
        )
    source, bound = match_points(found, points, origin)
    place = os.fspath(points)
    masks: dict[str, str] | None = None
    mask_notes: tuple[Note, ...] = ()
    if settings.needs_true_area and true_masks is not None:
        masks, mask_notes = find_true_masks(os.fspath(true_masks), sorted(found.ids), settings.mask_threshold)
    with hold_folder(os.fspath(out), "annotate", f"with method {method}"):
        stamp = settings.stamp()
        folder = open_output(os.fspath(out), mode, stamp, found.ids)
        context = RunContext(settings, folder.gate, stamp)
        work = _plan(found, bound, source, masks, folder)
        _refuse_changed(work, folder)
        notes = [
            *_look_ahead(found, bound, place, polarity, folder.earlier),
            *_run_notes(found, place, bound, source, settings, folder),
            *mask_notes,
        ]
        folder.begin()
        say(RunStarted(len(work)))
        for note in notes:
            say(RunNote(note))
        summary = _run(work, context, folder, jobs or os.cpu_count() or 1, on_error, say)
        last = _closing_notes(summary, place, polarity)
        for note in last:
            say(RunNote(note))
        summary.n_warnings += len(notes + last)
        if overlay and not summary.stopped:
            _draw_sheet(work, context, summary)
    summary.seconds = perf_counter() - start
    return summary


def _run(
    work: list[Job], context: RunContext, folder: OutputFolder, n_workers: int, on_error: str, say: Report
) -> RunSummary:
    summary = RunSummary()
    keep = SHEET_TARGETS if "overlay" in context.settings.outputs else 0
    writer = ManifestWriter(folder.manifest)
    try:
        with closing(run_jobs(work, context, n_workers)) as outcomes:
            for outcome in outcomes:
                if outcome.line is not None:
                    writer.append(outcome.line)
                summary.add(outcome.done, keep)
                say(outcome.done)
                if outcome.done.status == "error" and on_error == "stop":
                    summary.stopped = True
                    break
    finally:
        writer.close()
    tidy_manifest(folder.manifest)
    return summary


def _find_images(images: str, points: str, out: str) -> ImageList:
    if os.path.isdir(images) and os.path.realpath(images) == os.path.realpath(out):
        raise InputError(f"{out}: the output folder must not be the folder of the images")
    return list_images(images, skip=[out, points])


def _look_ahead(found: ImageList, bound: Bound, points: str, polarity: str, done: Collection[str] = ()) -> list[Note]:
    """Look at the points of a few images that are not done; refuse what is surely wrong, and tell what looks wrong."""
    work = [
        (file.path, bound.entries[file.id]) for file in found.files if file.id in bound.entries and file.id not in done
    ]
    return told_or_refused(check_points(look_at_some(work), points, polarity))


def _plan(
    found: ImageList, bound: Bound, source: PointSource, masks: dict[str, str] | None, folder: OutputFolder
) -> list[Job]:
    """One job for each image, in the order of the ids, then one for each image that only a table names."""
    work = []
    for file in found.files:
        points = bound.entries.get(file.id)
        note = None
        if points is None:
            note = Note("no_points", f"{file.path}: no points for this image; its mask is empty")
        error = _rival_error(file)
        mask = None
        if masks is not None:
            mask = masks.get(file.id)
            if mask is None and error is None:
                error = f"{file.shown}: there is no true mask for this image"
        earlier = folder.earlier.get(file.id)
        done, tally = (None, None) if earlier is None else (earlier.hashes, earlier.tally)
        work.append(Job(file.id, file.path, file.shown, points, note, error, mask, done, tally))
    if found.whole and source.names_images:
        work += [Job(name, "", name, error=sentence) for name, sentence in bound.unknown]
    return work


def _refuse_changed(work: list[Job], folder: OutputFolder) -> None:
    """Refuse to do an image again whose files somebody changed; where its inputs are as they were, they are kept."""
    at_stake: list[str] = []
    for job in work:
        earlier = folder.earlier.get(job.image_id)
        if earlier is not None and earlier.changed and not is_as_done(job):
            at_stake += earlier.changed
    if at_stake:
        more = f" (and {len(at_stake) - 1} more)" if len(at_stake) > 1 else ""
        raise InputError(
            f"{at_stake[0]}{more}: changed since this program wrote it, and would be replaced, for its image or its "
            "points changed too; move it away, or choose another folder"
        )


def _rival_error(file: ImageFile) -> str | None:
    if not file.rivals:
        return None
    return f"{', '.join((file.shown, *file.rivals))}: images with the same id {file.id}; rename one"


def _run_notes(
    found: ImageList, points: str, bound: Bound, source: PointSource, settings: RunSettings, folder: OutputFolder
) -> list[Note]:
    notes: list[Note] = []
    if found.whole and not source.names_images:
        notes += [Note("unused_points", sentence) for _, sentence in bound.unknown]
    notes += source.notes
    if found.whole and source.names_images and bound.unknown:
        text = f"{points}: {len(bound.unknown)} of its images are not in {found.root}; each is an error of its own"
        notes.append(Note("unknown_images", text))
    if source.has_tightness and not settings.has_tightness:
        text = f"method {settings.method} does not follow tightness; the values of the points are left unused"
        notes.append(Note("tightness", text))
    if folder.n_torn:
        text = f"{folder.manifest}: {folder.n_torn} torn or damaged lines are dropped; their images are done again"
        if folder.aside is not None:
            text += f"; the file is kept as {folder.aside}"
        notes.append(Note("manifest", text))
    kept = [path for earlier in folder.earlier.values() for path in earlier.changed]
    if kept:
        text = f"{kept[0]}: changed since this program wrote it; files that somebody changed are kept: {len(kept)}"
        notes.append(Note("changed", text))
    return notes


def _closing_notes(summary: RunSummary, points: str, polarity: str) -> list[Note]:
    """What the targets say about the points when all is done."""
    n_empty, n = summary.flags["empty"], summary.n_targets
    if n_empty >= FEWEST_EMPTY and n_empty > EMPTY_SHARE * n:
        other = "" if polarity == "auto" else f", or `polarity={'dark' if polarity == 'bright' else 'bright'}`"
        text = f"{points}: at {n_empty} of {n} points no target was found (flag empty); other points{other} may mend it"
        return [Note("mostly_empty", text)]
    if not n and summary.n_ok >= FEWEST_EMPTY:
        return [Note("no_targets", f"{points}: no image has a point; all {summary.n_ok} masks are empty")]
    return []


def _draw_sheet(work: list[Job], context: RunContext, summary: RunSummary) -> None:
    """Draw the lowest qualities of the whole run.

    The few images that hold them are annotated once more, so that the sheet is the same whether they were done
    just now, by a worker, or before the run was resumed.
    """
    from ..io.masks.png import encode_picture
    from ..io.overlay import ContactSheet

    wanted = {image_id for _, image_id, _ in summary.lowest}
    sheet = ContactSheet(SHEET_TARGETS)
    for job in work:
        if job.image_id in wanted:
            sheet.add(job.image_id, *label_again(job, context))
    sheet.n_seen = summary.n_targets
    picture = sheet.draw()
    if picture is not None:
        write_whole(context.gate.path("overlay", SHEET_NAME), encode_picture(picture))
