"""Area of the true mask of each point, for comparisons that let a method know the target's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.masks.read import read_mask
from ..io.notes import Note

#: A point belongs to the nearest target within this distance.
REACH_PX = 3


def true_areas(
    mask_path: str, points: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], list[Note]]:
    """Area of the 8-connected component that holds each point, or is nearest to it within 3 px.

    A point with no component that near gets area 1 and a note.

    Raises
    ------
    InputError
        Where the mask cannot be read or has another size than the image.
    """
    mask = read_mask(mask_path)
    if mask.shape != shape:
        sizes = f"{mask.shape[1]} x {mask.shape[0]}, its image {shape[1]} x {shape[0]}"
        raise InputError(f"{mask_path}: the true mask is {sizes}")
    areas = np.ones(len(points), np.int64)
    notes = []
    for index, point in enumerate(points):
        start = _nearest_pixel(mask, point)
        if start is None:
            where = f"(x, y) = ({point[1]:g}, {point[0]:g})"
            notes.append(Note("true_area", f"{mask_path}: no target within {REACH_PX} px of {where}; area 1 is used"))
        else:
            areas[index] = _component_area(mask, start)
    return areas, notes


def _nearest_pixel(mask: NDArray[np.bool_], point: NDArray[np.float64]) -> tuple[int, int] | None:
    home = np.ceil(point - 0.5).astype(int)
    low = np.maximum(home - REACH_PX, 0)
    rows, columns = np.nonzero(mask[low[0] : home[0] + REACH_PX + 1, low[1] : home[1] + REACH_PX + 1])
    rows, columns = rows + low[0], columns + low[1]
    distance = np.hypot(rows - home[0], columns - home[1])
    near = np.flatnonzero(distance <= REACH_PX)
    if near.size == 0:
        return None
    best = near[np.argmin(distance[near])]
    return int(rows[best]), int(columns[best])


def _component_area(mask: NDArray[np.bool_], start: tuple[int, int]) -> int:
    """Pixels connected with `start`, found by walking from neighbour to neighbour."""
    height, width = mask.shape
    seen = {start}
    waiting = [start]
    while waiting:
        row, column = waiting.pop()
        for r in range(max(row - 1, 0), min(row + 2, height)):
            for c in range(max(column - 1, 0), min(column + 2, width)):
                if mask[r, c] and (r, c) not in seen:
                    seen.add((r, c))
                    waiting.append((r, c))
    return len(seen)
