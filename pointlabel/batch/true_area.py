"""True areas out of mask files, for comparisons that let a method know the target's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..evaluation.targets import POINT_DISTANCE_PX, target_areas
from ..io.masks.read import read_mask
from ..io.notes import Note


def true_areas(
    mask_path: str, points: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], list[Note]]:
    """Read a true mask and return the area of each point's target in it, as `target_areas` does.

    A point without a target gets area 1 and a note.

    Raises
    ------
    InputError
        Where the mask cannot be read or has another size than the image.
    """
    mask = read_mask(mask_path)
    if mask.shape != shape:
        sizes = f"{mask.shape[1]} x {mask.shape[0]}, its image {shape[1]} x {shape[0]}"
        raise InputError(f"{mask_path}: the true mask is {sizes}")
    areas, found = target_areas(mask, points)
    wheres = [f"(x, y) = ({column:g}, {row:g})" for row, column in points[~found]]
    reach = f"{POINT_DISTANCE_PX:g} px"
    notes = [Note("true_area", f"{mask_path}: no target within {reach} of {where}; area 1 is used") for where in wheres]
    return areas, notes
