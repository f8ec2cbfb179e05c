"""What looks wrong with the points of a run as a whole: arrays in, findings out.

Each point is looked at in its surroundings: how far the brightest and the darkest of the 3 x 3 pixels around it stand
out from the ring 6 to 9 px away, in robust deviations of that ring. One point proves nothing. A run
has a finding if most of its points lie on spots of the other polarity, on no spot, or beside their spots on one side.
`benchmarks/accuracy/point_checks.py` measures how often planted faults are found, and that right points raise nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._checks import pixel_of
from ...errors import InputError
from ..messages import Note
from .fit import is_inside
from .look import LookedAt

#: Half-side of the window around a point, and the distance at which its ring begins, in pixels.
REACH_PX, RING_PX = 9, 6
#: What stands out by more than so many deviations is surely a spot; larger values are cut to it.
MOST_OUT = 4.0
#: Fewer points inside their images than this prove nothing by their surroundings.
FEWEST = 3
#: Points on spots stand out by 3.2 or more on the average of a run, points anywhere by 1.0. The mean of n points is
#: asked to stay below `OFF` by `CARE` / sqrt(n).
OFF, CARE = 2.4, 2.6
#: Spots of the other polarity: below stands out by more than above, by this and `CARE` / sqrt(n), on the average.
OTHER = 1.0
#: Points beside their spots: so many at least, leaning this far on the average, beyond `SURE` standard errors.
FEWEST_LEANING, LEANING, SURE = 12, 0.25, 4.0


class Finding(NamedTuple):
    """Something that looks wrong.

    Attributes
    ----------
    kind : out of `io.messages.NOTE_KINDS`.
    text : a sentence, with the option that corrects it.
    is_sure : whether it is certain enough to refuse the run; else it is a warning.
    """

    kind: str
    text: str
    is_sure: bool


class Surroundings(NamedTuple):
    """How N points lie among their surroundings, each (N,) float64.

    Attributes
    ----------
    above, below : how far the brightest and the darkest pixel of 3 x 3 stand out from the ring, in its deviations,
        cut to [-4, 4].
    lean : how much brighter it is towards the upper left than towards the lower right, against the spot's height, in
        [-1, 1].
    """

    above: NDArray[np.float64]
    below: NDArray[np.float64]
    lean: NDArray[np.float64]


def check_points(
    looked: Sequence[LookedAt], name: str, polarity: str = "bright", *, are_all: bool = False
) -> list[Finding]:
    """Say what looks wrong with the points of a run.

    Parameters
    ----------
    looked : some of its images with their points.
    name : of the file or folder of points, for the sentences.
    polarity : of the run: "bright", "dark" or "auto"; where points have their own, either is right.
    are_all : whether these are all images of the run that have points, so that even one outside proves something.

    Returns
    -------
    At most one finding: the one that explains most.
    """
    n = sum(len(each.points) for each in looked)
    if not n:
        return []
    if len(looked) >= FEWEST and all(_has_two_levels(each.image) for each in looked):
        text = f"{name}: the {len(looked)} images looked at hold two grey levels only; are they masks, not images?"
        return [Finding("two_levels", text, False)]
    polarity = "auto" if any(each.has_polarity for each in looked) else polarity
    inside = [is_inside(each.points, each.image.shape) for each in looked]
    n_outside = n - sum(int(each.sum()) for each in inside)
    seen = _look([each.points[good] for each, good in zip(looked, inside, strict=True)], looked)
    is_off = _is_off(seen, polarity)
    turned = [LookedAt(each.image, each.points[:, ::-1]) for each in looked]
    fits_turned = all(bool(is_inside(each.points, each.image.shape).all()) for each in turned)
    if fits_turned and (n_outside or is_off):
        swapped = _look([each.points for each in turned], looked)
        if _stands_out(swapped, polarity) and (n_outside or len(swapped.above) >= FEWEST):
            outside = f"{n_outside} of {n} points lie outside their images as they are, and " if n_outside else ""
            text = f"{name}: x and y look swapped: {outside}all lie on spots the other way round; swap them"
            return [Finding("swapped", text, True)]
    if (n_outside == n and (are_all or n >= FEWEST)) or (n_outside > n / 2 and n_outside > 2 * FEWEST):
        each, good = next(pair for pair in zip(looked, inside, strict=True) if not pair[1].all())
        (row, column), (height, width) = each.points[~good][0].tolist(), each.image.shape[:2]
        text = (
            f"{name}: {n_outside} of {n} points lie outside their images, the first at (x, y) = "
            f"({column:g}, {row:g}) of {width} x {height} pixels; they were made for other images"
        )
        return [Finding("outside", text, True)]
    if is_off:
        return [_other_polarity(seen, name, polarity) or _off(name, len(seen.above))]
    return [_shifted(name)] if _is_shifted(seen, polarity) else []


def told_or_refused(findings: Sequence[Finding]) -> list[Note]:
    """Findings as notes; raise `InputError` where one is sure."""
    for finding in findings:
        if finding.is_sure:
            raise InputError(finding.text)
    return [Note(finding.kind, finding.text) for finding in findings]


def surroundings(image: NDArray, points: NDArray[np.float64]) -> Surroundings:
    """Look at (N, 2) points (row, column) inside an image (H, W)."""
    out = np.zeros((len(points), 3))
    shape = (image.shape[0], image.shape[1])
    for k, (row, column) in enumerate(pixel_of(points, shape).tolist()):
        top, left = max(row - REACH_PX, 0), max(column - REACH_PX, 0)
        window = image[top : row + REACH_PX + 1, left : column + REACH_PX + 1].astype(np.float64)
        r, c = row - top, column - left
        rows, columns = np.abs(np.arange(window.shape[0]) - r)[:, None], np.abs(np.arange(window.shape[1]) - c)
        finite = np.isfinite(window)
        distance = np.maximum(rows, columns)
        ring, core = window[(distance >= RING_PX) & finite], window[(distance <= 1) & finite]
        if not ring.size or not core.size:
            continue
        level = float(np.median(ring))
        spread = 1.4826 * float(np.median(np.abs(ring - level)))
        spread = max(spread, float(ring.std()) / 4, float(np.abs(window[finite] - level).max()) / 255) or 1.0
        high, low = float(core.max()) - level, level - float(core.min())
        out[k, :2] = np.clip([high / spread, low / spread], -MOST_OUT, MOST_OUT)
        before, after = window[max(r - 2, 0) : r, max(c - 2, 0) : c], window[r + 1 : r + 3, c + 1 : c + 3]
        if before.size and after.size and np.isfinite(before).all() and np.isfinite(after).all():
            out[k, 2] = np.clip((before.mean() - after.mean()) / max(abs(high), abs(low), spread), -1, 1)
    return Surroundings(*out.T)


def _look(points: Sequence[NDArray[np.float64]], looked: Sequence[LookedAt]) -> Surroundings:
    parts = [surroundings(each.image, places) for places, each in zip(points, looked, strict=True)]
    return Surroundings(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _out(seen: Surroundings, polarity: str) -> NDArray[np.float64]:
    """How far each point stands out in the sense of the polarity."""
    out = {"bright": seen.above, "dark": seen.below}.get(polarity, np.maximum(seen.above, seen.below))
    return np.maximum(out, 0)


def _has_two_levels(image: NDArray) -> bool:
    low, high = image.min(), image.max()
    return bool(low < high and ((image == low) | (image == high)).all())


def _is_off(seen: Surroundings, polarity: str) -> bool:
    out = _out(seen, polarity)
    return len(out) >= FEWEST and float(out.mean()) < OFF - CARE / math.sqrt(len(out))


def _stands_out(seen: Surroundings, polarity: str) -> bool:
    out = _out(seen, polarity)
    return len(out) > 0 and float(out.mean()) > OFF


def _other_polarity(seen: Surroundings, name: str, polarity: str) -> Finding | None:
    if polarity == "auto":
        return None
    sign = 1 if polarity == "bright" else -1
    against = sign * (seen.below - seen.above)
    if float(against.mean()) < OTHER + CARE / math.sqrt(len(against)):
        return None
    other, mend = ("darker", "dark") if polarity == "bright" else ("brighter", "bright")
    text = f"{name}: most points are {other} than their surroundings; if targets are {mend}, take `polarity={mend}`"
    return Finding("polarity", text, False)


def _off(name: str, n: int) -> Finding:
    text = (
        f"{name}: most of {n} points looked at lie on no spot; were they made for other images, or counted otherwise "
        "(`origin=corner`)?"
    )
    return Finding("off_peak", text, False)


def _is_shifted(seen: Surroundings, polarity: str) -> bool:
    """Whether spots lie to the upper left of their points, most of them and by far."""
    on = _out(seen, polarity) >= MOST_OUT - 1
    dark = seen.below > seen.above if polarity == "auto" else np.full(len(on), polarity == "dark")
    lean = np.where(dark, -seen.lean, seen.lean)[on]
    if len(lean) < FEWEST_LEANING:
        return False
    mean, error = float(lean.mean()), float(lean.std()) / math.sqrt(len(lean))
    return mean > LEANING and mean > SURE * error


def _shifted(name: str) -> Finding:
    text = (
        f"{name}: most points lie below and to the right of their spots; do the coordinates count from 1 (subtract 1), "
        "or from the corner of the first pixel (`origin=corner`)?"
    )
    return Finding("shifted", text, False)
