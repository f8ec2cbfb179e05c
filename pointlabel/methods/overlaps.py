"""Touching targets share no pixel: the larger soft label wins it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..types import TargetLabel
from .crop_grid import CropGrid

Part = tuple[slice, slice]
Pixel = tuple[int, int]


def shared_part(a: Part, b: Part) -> Part | None:
    """Slices, in the image, of the part that two crops share; None where they share none."""
    shared = []
    for one, other in zip(a, b, strict=True):
        start, stop = max(one.start, other.start), min(one.stop, other.stop)
        if start >= stop:
            return None
        shared.append(slice(start, stop))
    return shared[0], shared[1]


def masks_meet(a: TargetLabel, b: TargetLabel) -> bool:
    """Whether two masks claim the same pixel."""
    part = shared_part(a.window, b.window)
    return part is not None and bool((a.mask[inside(a.origin, part)] & b.mask[inside(b.origin, part)]).any())


def inside(origin: Pixel, part: Part) -> Part:
    """Slices of a part of the image in a crop that starts at `origin`."""
    (row, column), (rows, columns) = origin, part
    return slice(rows.start - row, rows.stop - row), slice(columns.start - column, columns.stop - column)


def share_out(targets: Sequence[TargetLabel], homes: Sequence[Pixel | None]) -> list[TargetLabel]:
    """Give every pixel that several masks claim to one of them; the answer does not depend on their order.

    A pixel goes to the larger soft label, then to the nearer point, then to the point that comes first in
    (row, column) order. A mask keeps the pixel of `homes`, its point's, where it holds it, and one that would come out
    empty becomes that pixel, or stays empty where there is none. So only points of one home may share a pixel. Masks
    that met are flagged "overlap". The soft labels stay as they are.
    """
    out = list(targets)
    grid = CropGrid(out)
    order = sorted(range(len(out)), key=lambda index: out[index].origin[0])
    place = {index: position for position, index in enumerate(order)}
    pairs = [sorted(pair, key=place.__getitem__) for pair in grid.overlapping()]
    for i, j in sorted(pairs, key=lambda pair: (place[pair[0]], place[pair[1]])):
        first, second = (i, j) if _comes_first(targets[i], targets[j]) else (j, i)
        out[first], out[second] = _settle(out[first], out[second], homes[first], homes[second])
    _refill(out, homes, grid)
    return out


def _comes_first(a: TargetLabel, b: TargetLabel) -> bool:
    """What decides between equals: the point, then, for two points in one place, the labels themselves."""
    if a.point != b.point:
        return a.point < b.point
    first, second = (
        (label.area, label.origin, label.mask.shape, label.mask.tobytes(), label.soft.tobytes()) for label in (a, b)
    )
    return first <= second


def _settle(
    a: TargetLabel, b: TargetLabel, home_a: Pixel | None, home_b: Pixel | None
) -> tuple[TargetLabel, TargetLabel]:
    """Share out the pixels that two masks both claim; `a` is the one that comes first."""
    part = shared_part(a.window, b.window)
    if part is None:
        return a, b
    in_a, in_b = inside(a.origin, part), inside(b.origin, part)
    both = a.mask[in_a] & b.mask[in_b]
    if not both.any():
        return a, b
    wins = _first_wins(a, b, part)
    for home, owns in ((home_b, False), (home_a, True)):
        if home is None:
            continue
        row, column = home[0] - part[0].start, home[1] - part[1].start
        if 0 <= row < both.shape[0] and 0 <= column < both.shape[1]:
            wins[row, column] = owns
    mask_a, mask_b = a.mask.copy(), b.mask.copy()
    mask_a[in_a] &= ~both | wins
    mask_b[in_b] &= ~both | ~wins
    return _marked(replace(a, mask=mask_a)), _marked(replace(b, mask=mask_b))


def _refill(out: list[TargetLabel], homes: Sequence[Pixel | None], grid: CropGrid) -> None:
    """Give each empty mask its home, taken from masks of other points; these may then be empty in turn.

    It ends: a mask that was refilled loses its pixel to nobody. That is why crops that grew here need not be found.
    """
    empty = [index for index, target in enumerate(out) if not target.mask.any()]
    while empty:
        index = empty.pop()
        home = homes[index]
        if home is None:
            continue
        for other in grid.around(home):
            target = out[other]
            row, column = home[0] - target.origin[0], home[1] - target.origin[1]
            if homes[other] == home or not (0 <= row < target.mask.shape[0] and 0 <= column < target.mask.shape[1]):
                continue
            if target.mask[row, column]:
                mask = target.mask.copy()
                mask[row, column] = False
                out[other] = _marked(replace(target, mask=mask))
                if not mask.any():
                    empty.append(other)
        out[index] = _with_pixel(out[index], home)


def _with_pixel(target: TargetLabel, pixel: Pixel) -> TargetLabel:
    """The target with `pixel` in its mask, its crop enlarged where that is needed."""
    low = np.minimum(target.origin, pixel)
    high = np.maximum(np.add(target.origin, target.mask.shape), np.add(pixel, 1))
    before, after = target.origin - low, high - np.add(target.origin, target.mask.shape)
    margins = list(zip(before, after, strict=True))
    mask = np.pad(target.mask, margins)
    mask[pixel[0] - low[0], pixel[1] - low[1]] = True
    return replace(target, origin=(int(low[0]), int(low[1])), soft=np.pad(target.soft, margins), mask=mask)


def _first_wins(a: TargetLabel, b: TargetLabel, part: Part) -> np.ndarray:
    soft_a, soft_b = a.soft[inside(a.origin, part)], b.soft[inside(b.origin, part)]
    rows = np.arange(part[0].start, part[0].stop)[:, None]
    columns = np.arange(part[1].start, part[1].stop)
    near_a = (rows - a.point[0]) ** 2 + (columns - a.point[1]) ** 2
    near_b = (rows - b.point[0]) ** 2 + (columns - b.point[1]) ** 2
    return np.where(soft_a == soft_b, near_a <= near_b, soft_a > soft_b)


def _marked(target: TargetLabel) -> TargetLabel:
    return target if "overlap" in target.flags else replace(target, flags=tuple(sorted((*target.flags, "overlap"))))
