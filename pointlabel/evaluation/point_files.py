"""Point labels from a folder of masks: one point per target, as images of one pixel or as rows of a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.files import write_whole
from ..io.masks.pairs import list_masks
from ..io.masks.png import encode_mask
from ..io.masks.read import MASK_THRESHOLD, read_true_mask
from ..io.masks.survey import MaskTally, survey_masks
from ..io.outdir import OutputGate
from .sampling import points_from_mask


@dataclass(frozen=True, slots=True)
class PointsReport:
    """Points of the masks in a folder.

    Attributes
    ----------
    rows : image, x and y of each point; x and y are "" for a mask without a target.
    n_masks, n_points : masks that could be read, and their points.
    n_failed : masks that could not be read.
    notes : what to know of them, one sentence each.
    """

    rows: tuple[dict[str, Any], ...]
    n_masks: int
    n_points: int
    n_failed: int
    notes: tuple[str, ...]


def points_from_folder(
    masks: str,
    out: str | None = None,
    *,
    mode: str = "centroid",
    seed: int = 0,
    mask_threshold: float = MASK_THRESHOLD,
    on_error: Callable[[str], None] = lambda text: None,
) -> PointsReport:
    """Make one point for each 8-connected component of the masks.

    Parameters
    ----------
    masks : a folder with its sub-folders, or a file.
    out : folder for an image of one-pixel points for each mask; None writes nothing.
    mode, seed : as for `points_from_mask`.
    mask_threshold : grey level that targets lie above.
    on_error : called with a sentence for each mask that cannot be read.

    Raises
    ------
    InputError
        Where no mask can be read, or an image would replace a mask or a file that is not this program's.
    OutputError
        Where an image cannot be written.
    """
    found = list_masks(masks)
    if out is not None:
        _check_targets(out, found)
    notes = [note.text for note in survey_masks(list(found.values()), masks, mask_threshold, noun="mask")]
    tally, rows, n_points = MaskTally(), [], 0
    moved: list[str] = []
    empty: list[str] = []
    failed: list[str] = []
    for image_id, path in found.items():
        try:
            mask, more = read_true_mask(path, mask_threshold)
        except InputError as error:
            failed.append(str(error))
            on_error(str(error))
            continue
        tally.add(mask, more)
        spots, was_moved = points_from_mask(mask, mode, seed=seed, image_id=image_id)
        n_points += len(spots)
        moved += [f"{image_id} (x={x}, y={y})" for y, x in spots[was_moved]]
        empty += [image_id] if len(spots) == 0 else []
        rows += [{"image": image_id, "x": x, "y": y} for y, x in spots.tolist() or [("", "")]]
        if out is not None:
            marks = np.zeros(mask.shape, bool)
            marks[tuple(spots.T)] = True
            write_whole(_target(out, image_id), encode_mask(marks))
    if len(failed) == len(found):
        raise InputError(f"{masks}: no mask can be read, see above")
    for names, text in (
        (moved, "points moved to the nearest pixel of their target, which they fell outside of"),
        (empty, "masks without a target"),
        (failed, "masks that cannot be read, left out"),
    ):
        if names:
            notes.append(f"{text}: {len(names)}; the first: {names[0]}")
    notes += tally.sentences("masks")
    return PointsReport(tuple(rows), len(found) - len(failed), n_points, len(failed), tuple(notes))


def _target(out: str, image_id: str) -> str:
    return os.path.join(out, *f"{image_id}.png".split("/"))


def _check_targets(out: str, found: Mapping[str, str]) -> None:
    """Refuse to write over a mask, or over any file that is not this program's."""
    masks = {os.path.realpath(path): path for path in found.values()}
    for image_id in found:
        mask = masks.get(os.path.realpath(_target(out, image_id)))
        if mask is not None:
            raise InputError(f"the points of {mask} would overwrite the mask; choose another folder for `out`")
    OutputGate(out).refuse_foreign(("", image_id, None) for image_id in found)
