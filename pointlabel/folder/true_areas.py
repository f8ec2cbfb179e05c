"""True areas out of mask files, for comparisons that let a method know the target's size."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..evaluation.targets import POINT_DISTANCE_PX, target_areas
from ..io.masks.pairs import list_masks
from ..io.masks.read import MASK_THRESHOLD, read_true_mask
from ..io.masks.survey import survey_masks
from ..io.messages import Note


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


def true_areas(
    mask_path: str, points: NDArray[np.float64], shape: tuple[int, int], threshold: float = MASK_THRESHOLD
) -> tuple[NDArray[np.int64], list[Note]]:
    """Read a true mask, the pixels above `threshold`, and return the area of each point's target, as `target_areas`.

    A point without a target gets area 1 and a note.

    Raises
    ------
    InputError
        Where the mask cannot be read or has another size than the image.
    """
    mask, mask_notes = read_true_mask(mask_path, threshold, shape)
    areas, found = target_areas(mask, points)
    wheres = [f"(x, y) = ({column:g}, {row:g})" for row, column in points[~found]]
    reach = f"{POINT_DISTANCE_PX:g} px"
    notes = [Note("true_area", f"{mask_path}: no target within {reach} of {where}; area 1 is used") for where in wheres]
    return areas, [*mask_notes, *notes]
