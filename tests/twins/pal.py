"""Slow twins of progressive active learning as published: edges, the update of labels, admission; pixels in loops."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from tests.twins.lesps import split

Array = NDArray[np.float64]
Place = tuple[int, int]


def canny(levels: NDArray[np.int64], low: int, high: int) -> set[Place]:
    """Edge pixels; the strength is the sum of both Sobel differences, and 0 beyond the border."""
    height, width = levels.shape
    places = [(row, column) for row in range(height) for column in range(width)]

    def level(row: int, column: int) -> int:
        return int(levels[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])

    gradient: dict[Place, Place] = {}
    for row, column in places:
        x = sum(w * (level(row + k, column + 1) - level(row + k, column - 1)) for k, w in ((-1, 1), (0, 2), (1, 1)))
        y = sum(w * (level(row + 1, column + k) - level(row - 1, column + k)) for k, w in ((-1, 1), (0, 2), (1, 1)))
        gradient[row, column] = x, y
    strength = {at: abs(x) + abs(y) for at, (x, y) in gradient.items()}

    def beats(at: Place, row: int, column: int, *, ties: bool = False) -> bool:
        other = strength.get((at[0] + row, at[1] + column), 0)
        return strength[at] > other or (ties and strength[at] == other)

    candidates = set()
    for at, (x, y) in gradient.items():
        degrees = math.degrees(math.atan2(abs(y), abs(x)))
        if degrees < 22.5:
            largest = beats(at, 0, -1) and beats(at, 0, 1, ties=True)
        elif degrees > 67.5:
            largest = beats(at, -1, 0) and beats(at, 1, 0, ties=True)
        else:
            side = -1 if (x < 0) == (y < 0) else 1
            largest = beats(at, -1, side) and beats(at, 1, -side)
        if largest and strength[at] > low:
            candidates.add(at)
    strong = [group for group in split(candidates) if any(strength[at] > high for at in group)]
    return set().union(*strong)


def evolve(p: Array, label: Array, *, reach: int, base: float, growth: float, share: float, decay: float) -> Array:
    """One update: candidate pixels of all regions, one average, decay elsewhere; pixels at 1 are put back."""
    height, width = label.shape
    pixels = [(row, column) for row in range(height) for column in range(width)]
    passing: set[Place] = set()
    for region in measure.regionprops(measure.label(label > 0.5, connectivity=2)):
        middle = int(region.centroid[0]), int(region.centroid[1])
        far = {at: max(abs(at[0] - middle[0]), abs(at[1] - middle[1])) for at in pixels}
        peak = max(p[at] for at in pixels if far[at] <= reach)
        start = peak * base
        threshold = start + growth * (peak - start) * region.area / (height * width * share)
        candidates = {at for at in pixels if far[at] <= reach and p[at] > threshold}
        passing |= set().union(*(group for group in split(candidates) if any(far[at] <= 1 for at in group)))
    updated = label * decay
    for at in passing:
        updated[at] = min((label[at] + p[at]) / 2, 254 / 255)
    updated[label == 1] = 1
    updated[updated < 1 / 512] = 0
    return updated


def filled(mask: NDArray[np.bool_]) -> list[set[Place]]:
    """Components of a mask with their holes, as sets of pixels; those that lie in a hole of another are part of it."""
    height, width = mask.shape
    outside, edge = set(), [(-1, -1)]
    while edge:  # a walk from beyond the border, over sides alone
        row, column = edge.pop()
        if (row, column) in outside or not (-1 <= row <= height and -1 <= column <= width):
            continue
        if 0 <= row < height and 0 <= column < width and mask[row, column]:
            continue
        outside.add((row, column))
        edge += [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return split({(row, column) for row in range(height) for column in range(width)} - outside)


def admitted(mask: NDArray[np.bool_], points: set[Place], lost: float, alarms: float) -> set[Place] | None:
    """Pixels of the label that an image is let in with, None where it is not; touching points are one."""
    groups, marks = filled(mask), split(points)
    if not marks:
        return set()
    found = [mark for mark in marks if any(mark & group for group in groups)]
    missed, false = len(marks) - len(found), len(groups) - len(found)
    if missed / len(marks) > lost or false / len(marks) > alarms:
        return None
    return points.union(*(group for group in groups if group & points))
