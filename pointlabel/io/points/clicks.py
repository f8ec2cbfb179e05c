"""Points that are given with a command: clicks on one image."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...errors import InputError
from ..messages import Note
from .base import Bound, PointRow
from .named import RowsEntry


class Clicks:
    """Clicks on the one image of a run.

    Parameters
    ----------
    points : (x, y) as a viewer shows them: x to the right, y down, the centre of the first pixel at (0, 0).
    """

    has_tightness = False
    names_images = False
    what = "clicks"
    notes: tuple[Note, ...] = ()

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._rows = tuple(
            PointRow(y, x, f"point {k}", f"(x, y) = ({x:g}, {y:g})") for k, (x, y) in enumerate(points, start=1)
        )

    def __str__(self) -> str:
        return "clicks"

    def bind(self, ids: Collection[str], root: str | None = None) -> Bound:
        """Give the clicks to the one image; raise `InputError` where there are several."""
        if len(ids) != 1:
            raise InputError(f"clicks are of one image, got {len(ids)} images; a table holds those of several")
        return Bound({next(iter(ids)): RowsEntry(str(self), self._rows)}, [])
