"""What a run has to do, and the messages about the whole run before the first image and after the last one."""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from ..errors import InputError
from ..io.frames import list_inputs
from ..io.images import ImageFile, ImageList
from ..io.masks.pairs import list_masks
from ..io.masks.read import MASK_THRESHOLD
from ..io.masks.survey import survey_masks
from ..io.messages import Note
from ..io.packed import PackedRuns
from ..io.points.base import Bound, PointSource
from ..io.points.checks import check_points, told_or_refused
from ..io.points.look import MOST_IMAGES, look_at_some, spread
from ..io.points.named import RowsEntry
from ..io.samples import Entry
from ..io.shards import Shard, ShardPlan, hash_names
from .events import NOTHING, RunSummary
from .job import Job, is_as_done
from .output import OutputFolder
from .settings import RunSettings

#: A warning closes the run where more than this share of its targets, and so many at least, are flagged empty.
EMPTY_SHARE, FEWEST_EMPTY = 0.3, 3


def find_images(images: Sequence[str], points: str, out: str, frames: bool = False) -> ImageList:
    if any(os.path.isdir(each) and os.path.realpath(each) == os.path.realpath(out) for each in images):
        raise InputError(f"{out}: the output folder must not be the folder of the images")
    return list_inputs(images[0] if len(images) == 1 else images, skip=[out, points], frames=frames)


def find_true_masks(
    folder: str, ids: Iterable[str], threshold: float = MASK_THRESHOLD
) -> tuple[dict[str, str], tuple[Note, ...]]:
    """Find the true masks of images, and look at some of them before anything is written.

    Parameters
    ----------
    folder : of the masks.
    ids : of the images.
    threshold : as for `pointlabel.io.masks.read.read_mask`.

    Returns
    -------
    paths : id -> path, for each image that has a mask.
    notes : what is to be known of the masks as a whole.

    Raises
    ------
    InputError
        Where `folder` is none, no image has a mask in it, or the masks are no true masks at this threshold
        (`survey_masks`).
    """
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: true masks must be a folder")
    names = list(ids)
    masks = list_masks(folder)
    paths = {name: masks[name] for name in names if name in masks}
    if not paths:
        raise InputError(f"{folder} has no mask for any image: it holds {next(iter(masks))}, the images are {names[0]}")
    return paths, survey_masks(list(paths.values()), folder, threshold, need_targets=True)


def look_ahead(found: ImageList, bound: Bound, points: str, polarity: str, done: Collection[str] = ()) -> list[Note]:
    """Check the points of a few images that are not done; refuse what is surely wrong, warn of what looks wrong."""
    ready = array("q", (k for k, name in enumerate(found.ids) if name in bound.entries and name not in done))
    files = [found.files[k] for k in spread(ready, MOST_IMAGES)]
    work = [(file.path, bound.entries[file.id]) for file in files]
    looked = look_at_some(work)
    are_all = not done and len(looked) == len(ready)
    return told_or_refused(check_points(looked, points, polarity, are_all=are_all))


def plan_shard(shard: Shard, found: ImageList, bound: Bound, source: PointSource, stamp: dict[str, Any]) -> ShardPlan:
    """What a shard of the run does: its share of the images, and of the names of a table that no image has."""
    unknown = [name for name, _ in bound.unknown] if found.whole and source.names_images else []
    # An id that comes more than once belongs to one shard, at the place where a run without shards has its line.
    last = dict.fromkeys(reversed(unknown))

    def ids() -> Iterator[str]:
        return chain((name for name in found.ids if name not in last), reversed(last))

    def hashed() -> Iterator[str]:
        yield from (file.shown for file in found.files)
        yield from ("" for _ in unknown)
        entries = (bound.entries[name] for name in found.ids if name in bound.entries)
        yield from (entry.load().sha256 for entry in entries if isinstance(entry, RowsEntry))

    return ShardPlan(shard, "annotate", stamp, PackedRuns(shard.own(ids())), hash_names(ids()), hash_names(hashed()))


def plan_jobs(
    found: ImageList, bound: Bound, source: PointSource, masks: dict[str, str] | None, folder: OutputFolder
) -> Sequence[Job]:
    """One job per image of the run or of its shard, in the order of the ids, then one per name that no image has."""
    return PackedRuns(_jobs(found, bound, source, masks, folder))


def _jobs(
    found: ImageList, bound: Bound, source: PointSource, masks: dict[str, str] | None, folder: OutputFolder
) -> Iterator[Job]:
    own = None if folder.plan is None else set(folder.plan.ids)
    for file in found.files:
        if own is not None and file.id not in own:
            continue
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
        done, tally = (None, NOTHING) if earlier is None else (earlier.hashes, earlier.tally)
        yield Job(Entry(file.id, file.path, points, mask), file.shown, note, error, done, tally)
    if found.whole and source.names_images:
        gone = set(folder.gone)  # a table still names them: what was made of them stays
        for name, sentence in bound.unknown:
            if name not in gone and (own is None or name in own):
                yield Job(Entry(name, "", None, None), name, error=sentence)


def refuse_changed(work: Sequence[Job], folder: OutputFolder) -> None:
    """Refuse to do an image again whose files somebody changed; where its inputs are as they were, they are kept."""
    if not any(earlier.changed for earlier in folder.earlier.values()):
        return
    at_stake: list[str] = []
    for job in work:
        earlier = folder.earlier.get(job.entry.id)
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


def run_notes(
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
        text = f"{folder.manifest}: torn or damaged lines are dropped: {folder.n_torn}; their images are done again"
        if folder.aside is not None:
            text += f"; the file is kept as {folder.aside}"
        notes.append(Note("manifest", text))
    if folder.gone:
        text = f"{found.root}: images done before that are not there now: {len(folder.gone)}, the first "
        notes.append(Note("gone", f"{text}{folder.gone[0]}; their masks and lines stay"))
    kept = [path for earlier in folder.earlier.values() for path in earlier.changed]
    if kept:
        text = f"{kept[0]}: changed since this program wrote it; files that somebody changed are kept: {len(kept)}"
        notes.append(Note("changed", text))
    return notes


def closing_notes(summary: RunSummary, points: str, polarity: str) -> list[Note]:
    """Notes on the points after the last image, from its targets."""
    n_empty, n = summary.flags["empty"], summary.n_targets
    if n_empty >= FEWEST_EMPTY and n_empty > EMPTY_SHARE * n:
        other = "" if polarity == "auto" else f", or `polarity={'dark' if polarity == 'bright' else 'bright'}`"
        text = f"{points}: at {n_empty} of {n} points no target was found (flag empty); other points{other} may help"
        return [Note("mostly_empty", text)]
    if not n and summary.n_ok >= FEWEST_EMPTY:
        return [Note("no_targets", f"{points}: no image has a point; all {summary.n_ok} masks are empty")]
    return []
