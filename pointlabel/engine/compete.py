"""Touching targets share no pixel: the larger soft label wins it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..types import TargetLabel


def _meets(a: TargetLabel, b: TargetLabel) -> tuple[slice, slice] | None:
    """Slices, in the image, of the part that two crops share."""
    shared = []
    for one, other in zip(a.window, b.window, strict=True):
        start, stop = max(one.start, other.start), min(one.stop, other.stop)
        if start >= stop:
            return None
        shared.append(slice(start, stop))
    return shared[0], shared[1]


def _inside(target: TargetLabel, part: tuple[slice, slice]) -> tuple[slice, slice]:
    row, column = target.origin
    return (
        slice(part[0].start - row, part[0].stop - row),
        slice(part[1].start - column, part[1].stop - column),
    )


def share_out(targets: Sequence[TargetLabel], shape: tuple[int, int]) -> list[TargetLabel]:
    """Give every pixel that several masks claim to one of them; the answer does not depend on their order.

    A pixel goes to the larger soft label, then to the nearer point, then to the point that comes first in
    (row, column) order. A target keeps its own point's pixel, so no mask comes out empty.
    Both are flagged "overlap". The soft labels stay as they are.
    """
    out = list(targets)
    for i in range(len(out)):
        for j in range(i + 1, len(out)):
            part = _meets(out[i], out[j])
            if part is None:
                continue
            first, second = (i, j) if out[i].point <= out[j].point else (j, i)
            a, b = out[first], out[second]
            both = a.mask[_inside(a, part)] & b.mask[_inside(b, part)]
            if not both.any():
                continue
            wins = _first_wins(a, b, part)
            mask_a, mask_b = a.mask.copy(), b.mask.copy()
            mask_a[_inside(a, part)] &= ~both | wins
            mask_b[_inside(b, part)] &= ~both | ~wins
            out[first] = _marked(replace(a, mask=mask_a))
            out[second] = _marked(replace(b, mask=mask_b))
    return out


def _first_wins(a: TargetLabel, b: TargetLabel, part: tuple[slice, slice]) -> np.ndarray:
    soft_a, soft_b = a.soft[_inside(a, part)], b.soft[_inside(b, part)]
    rows = np.arange(part[0].start, part[0].stop)[:, None]
    columns = np.arange(part[1].start, part[1].stop)
    near_a = (rows - a.point[0]) ** 2 + (columns - a.point[1]) ** 2
    near_b = (rows - b.point[0]) ** 2 + (columns - b.point[1]) ** 2
    wins = np.where(soft_a == soft_b, near_a <= near_b, soft_a > soft_b)
    for target, owns in ((b, False), (a, True)):
        home = (rows == np.ceil(target.point[0] - 0.5)) & (columns == np.ceil(target.point[1] - 0.5))
        wins[home] = owns
    return wins


def _marked(target: TargetLabel) -> TargetLabel:
    return target if "overlap" in target.flags else replace(target, flags=tuple(sorted((*target.flags, "overlap"))))
