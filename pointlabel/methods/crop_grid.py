"""Which crops of an image overlap, without comparing every pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

CELL_PX = 64  # crops of the usual size lie in one to four cells


class HasWindow(Protocol):
    """Whatever has a part of the image, such as a `TargetLabel`."""

    @property
    def window(self) -> tuple[slice, slice]: ...


class CropGrid:
    """The crops of an image's targets in square cells: its cost grows with their number where they lie apart."""

    def __init__(self, targets: Sequence[HasWindow]) -> None:
        windows = [target.window for target in targets]
        self._boxes = [(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in windows]
        self._cells: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, (top, left, bottom, right) in enumerate(self._boxes):
            for row in range(top // CELL_PX, -(-bottom // CELL_PX)):
                for column in range(left // CELL_PX, -(-right // CELL_PX)):
                    self._cells[row, column].append(index)

    def overlapping(self) -> list[tuple[int, int]]:
        """Indices of every two targets whose crops share a pixel, each pair and the list in ascending order."""
        found = []
        for (row, column), indices in self._cells.items():
            for i, j in combinations(indices, 2):
                a, b = self._boxes[i], self._boxes[j]
                top, left = max(a[0], b[0]), max(a[1], b[1])
                shared = top < min(a[2], b[2]) and left < min(a[3], b[3])
                if shared and top // CELL_PX == row and left // CELL_PX == column:  # in one of their common cells
                    found.append((i, j))
        return sorted(found)

    def around(self, pixel: tuple[int, int]) -> list[int]:
        """Indices of the targets whose crops may hold a pixel, in ascending order."""
        return self._cells.get((pixel[0] // CELL_PX, pixel[1] // CELL_PX), [])
