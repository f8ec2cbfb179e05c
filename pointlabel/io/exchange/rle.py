"""Run lengths of COCO: column by column through the whole image, made of a target's window alone.

The counts begin with background and alternate; the compressed form writes each as the difference to the count two
places before, five bits a letter. Specification: the format page of COCO and the files that pycocotools writes.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .base import check_shape, crop

Window = tuple[tuple[int, int], NDArray[np.bool_]]


def count_runs(mask: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, int]) -> list[int]:
    """Counts of a mask, background first, column by column.

    Parameters
    ----------
    mask : (h, w) bool, a window of the image.
    origin : (row, column) of its first pixel.
    shape : (H, W) of the image.
    """
    height, width = mask.shape
    padded = np.zeros((width, height + 1), np.int8)  # a row of background ends each column
    padded[:, :height] = mask.T
    steps = np.flatnonzero(np.diff(padded.ravel(), prepend=0))  # where runs start and end, in turn
    columns, rows = np.divmod(steps, height + 1)
    places = (columns + origin[1]) * shape[0] + rows + origin[0]
    edges = [0, *places.tolist(), shape[0] * shape[1]]
    counts = [after - before for before, after in pairwise(edges)]
    if 0 in counts[1:]:  # a run that goes on at the top of the next column, or to the end of the image
        counts = _joined(counts)
    return counts


def count_rows(mask: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, int]) -> list[int]:
    """As `count_runs`, row by row, as other tools than COCO count."""
    return count_runs(mask.T, (origin[1], origin[0]), (shape[1], shape[0]))


def _joined(counts: list[int]) -> list[int]:
    out = counts[:1]
    at = 1
    while at < len(counts):
        if counts[at] == 0 and at + 1 < len(counts):
            out[-1] += counts[at + 1]
            at += 2
        else:
            out += [counts[at]] if counts[at] else []
            at += 1
    return out


def compress(counts: list[int]) -> str:
    """Counts -> the text that pycocotools writes."""
    letters = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(bits + (80 if more else 48))
    return bytes(letters).decode("ascii")


def decompress(text: str, where: str) -> list[int]:
    """The inverse of `compress`; raise `InputError` where the text is none."""
    counts: list[int] = []
    value = shift = 0
    for letter in text.encode("utf-8"):
        bits = letter - 48
        if not 0 <= bits < 64 or shift > 60:
            raise InputError(f"{where}: damaged run lengths ({text[:40]!r})")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise InputError(f"{where}: run lengths that are cut short ({text[:40]!r})")
    return counts


def encode(mask: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, int]) -> str:
    """Compressed counts of a window; see `count_runs`."""
    return compress(count_runs(mask, origin, shape))


def decode_rows(counts: list[int], shape: tuple[int, int], where: str) -> Window | None:
    """As `decode`, for counts that go row by row."""
    found = decode(counts, (shape[1], shape[0]), where)
    if found is None:
        return None
    (column, row), mask = found
    return (row, column), np.ascontiguousarray(mask.T)


def decode(counts: list[int], shape: tuple[int, int], where: str) -> Window | None:
    """The window of a mask by its counts; None for an empty mask.

    Raises
    ------
    InputError
        Where the counts are no such numbers, or do not fill an image of `shape`.
    """
    height, width = check_shape(*shape, where)
    runs = np.asarray(counts, dtype=object)
    if not all(isinstance(count, int) and count >= 0 for count in counts) or sum(counts) != height * width:
        raise InputError(f"{where}: run lengths that do not fill {width} x {height} pixels")
    edges = np.concatenate([[0], np.cumsum(runs.astype(np.int64))])
    starts, ends = edges[1:-1:2], edges[2::2]
    filled = ends > starts
    starts, ends = starts[filled], ends[filled]
    if not starts.size:
        return None
    first, last = int(starts[0]) // height, (int(ends[-1]) - 1) // height
    flat = np.zeros((last - first + 1) * height + 1, np.int8)
    np.add.at(flat, starts - first * height, 1)
    np.add.at(flat, ends - first * height, -1)
    mask = np.cumsum(flat[:-1], dtype=np.int8).reshape(-1, height).T.astype(bool)
    return crop(np.ascontiguousarray(mask), (0, first))
