"""Slow twin of the published update of labels (LESPS): one region after another, pixels in plain loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import measure

Array = NDArray[np.float64]


def evolve(p: Array, label: Array, *, reach: int, base: float, growth: float, share: float, least: float = 0) -> Array:
    """One update: candidate pixels, elimination of false alarms, average; pixels at 1 are put back at the end."""
    height, width = label.shape
    pixels = [(row, column) for row in range(height) for column in range(width)]
    updated = label.copy()
    for region in measure.regionprops(measure.label(label > 0.5, connectivity=2)):
        middle = int(region.centroid[0]), int(region.centroid[1])

        def far(at, middle=middle):
            return max(abs(at[0] - middle[0]), abs(at[1] - middle[1]))

        peak = max(p[at] for at in pixels if far(at) <= reach)
        if peak < least:
            continue
        start = peak * base
        threshold = start + growth * (peak - start) * region.area / (height * width * share)
        candidates = {at for at in pixels if far(at) <= reach and p[at] > threshold}
        groups = split(candidates)
        if len(groups) > 1:
            candidates = set().union(*(group for group in groups if any(far(at) <= 1 for at in group)))
        for at in candidates:
            updated[at] = min((updated[at] + p[at]) / 2, 254 / 255)
    updated[label == 1] = 1
    updated[updated < 1 / 512] = 0
    return updated


def split(pixels: set[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    """Groups of pixels that touch with sides or corners."""
    left, groups = set(pixels), []
    while left:
        group, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            group.add((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge += near
        groups.append(group)
    return groups
