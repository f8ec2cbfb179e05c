"""Targets of every data set as the fits of styles see them, and the same targets drawn in other ways."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.common import ALL_DATASETS, POINTS, brightened, load
from pointlabel.calibration.targets import Candidates, Case, candidates_of, cases_of
from pointlabel.engine.default.regions import FLOOR_NOISES
from pointlabel.engine.default.window import HALF
from tools.fit_default.fit import folds_of

LEVEL_SCALE = 2  # a level is cut over the background of 35 px
LARGEST = 4.0  # times the true area: a region beyond is clutter, not what anybody draws
MOST_DRAWN, LEAST_DRAWN = 250, 30  # targets of a set in each drawn way

Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Gathered:
    """N targets: windows and candidates, data set (index of `ALL_DATASETS`), kind of point, image, fold, true area."""

    cases: list[Case]
    candidates: Candidates
    sets: NDArray[np.int64]
    kinds: NDArray[np.int64]
    images: NDArray[np.int64]
    folds: NDArray[np.int64]
    area: NDArray[np.float64]

    def at(self, index: NDArray[np.int64]) -> Gathered:
        """The targets of an index."""
        c = self.candidates
        candidates = Candidates(c.features[index], c.intersection[index], c.union[index], c.bad[index])
        sets, kinds, images, folds = (v[index] for v in (self.sets, self.kinds, self.images, self.folds))
        return Gathered([self.cases[i] for i in index], candidates, sets, kinds, images, folds, self.area[index])

    def of(self, group: int, kind: int = 0) -> Gathered:
        """The targets of one data set with one kind of point."""
        return self.at(np.flatnonzero((self.sets == group) & (self.kinds == kind)))


def gather(data: Path, every: int = 1) -> tuple[Gathered, str]:
    """Targets of all data sets with both kinds of point, and a hash of what was read."""
    cases: list[Case] = []
    digest = hashlib.sha256()
    for group, name in enumerate(ALL_DATASETS):
        for kind, points in enumerate(POINTS):
            for sample in load(data, name, points, every=every):
                digest.update(sample.image.tobytes() + sample.mask.tobytes() + sample.points.tobytes())
                image = brightened(sample.image, name)
                cases += cases_of(image, sample.points, sample.mask, sample.id, group=group, kind=kind)
    return gathered(cases), digest.hexdigest()[:16]


def gathered(cases: list[Case]) -> Gathered:
    """Arrays beside the cases."""
    numbers = {key: n for n, key in enumerate(dict.fromkeys((case.group, case.image) for case in cases))}
    return Gathered(
        cases,
        candidates_of(cases),
        np.array([case.group for case in cases]),
        np.array([case.kind for case in cases]),
        np.array([numbers[case.group, case.image] for case in cases]),
        folds_of(cases),
        np.array([case.true_area for case in cases], float),
    )


def first_of_peak(given: Gathered) -> NDArray[np.bool_]:
    """Targets whose peak no target before has: most coarse points are moved where the centroid went."""
    keys = [(case.group, case.image, case.window.peak) for case in given.cases]
    firsts = {key: n for n, key in reversed(list(enumerate(keys)))}
    return np.array([firsts[key] == n for n, key in enumerate(keys)])


def _region_above(level: float) -> Callable[[Case], Truth | None]:
    """Connected region of the peak above a share of its height; None where it is lost in noise or clutter."""

    def draw(case: Case) -> Truth | None:
        height = case.regions.residual[LEVEL_SCALE]
        least = level * float(height[HALF, HALF])
        if least < FLOOR_NOISES * case.window.floor:
            return None
        labels, _ = ndimage.label((height >= least) & case.window.inside, np.ones((3, 3)))
        region: Truth = labels == labels[HALF, HALF]
        at_border = region[[0, -1]].any() or region[:, [0, -1]].any()
        return None if at_border or region.sum() > LARGEST * case.true_area else region

    return draw


#: Ways to draw the same targets anew, beside the masks as they are.
WAYS: dict[str, Callable[[Case], Truth | None]] = {
    "eroded": lambda case: ndimage.binary_erosion(case.truth),
    "dilated": lambda case: ndimage.binary_dilation(case.truth),
    "level 3 %": _region_above(0.03),
    "level 8 %": _region_above(0.08),
    "level 50 %": _region_above(0.5),
}


def redraw(case: Case, way: str) -> Case | None:
    """The same target with its mask drawn in another way; None where nobody would draw it."""
    truth = WAYS[way](case)
    if truth is None or not truth.any():
        return None
    return replace(case, truth=truth, true_area=max(case.true_area + int(truth.sum()) - int(case.truth.sum()), 1))


@dataclass(frozen=True, slots=True)
class Task:
    """Targets that share one style: a data set as it is, or drawn in another way.

    Attributes
    ----------
    name : of the data set and the way it is drawn.
    group : index of the data set.
    index : (n,) into the gathered targets.
    cases : with the masks of this style.
    inter, union : (n, C) of each candidate with the mask.
    area : (n,) true area.
    is_drawn : whether it is a data set drawn in another way.
    """

    name: str
    group: int
    index: NDArray[np.int64]
    cases: list[Case]
    inter: NDArray[np.float64]
    union: NDArray[np.float64]
    area: NDArray[np.float64]
    is_drawn: bool

    def keep(self, train: NDArray[np.bool_]) -> Task:
        """The targets that are trained on."""
        at = np.flatnonzero(train[self.index])
        cases = [self.cases[k] for k in at]
        arrays = (self.inter[at], self.union[at], self.area[at])
        return Task(self.name, self.group, self.index[at], cases, *arrays, self.is_drawn)


def tasks_of(given: Gathered, seed: int = 0) -> list[Task]:
    """Every data set in its own style, and some of its targets in every other way."""
    rng = np.random.default_rng(seed)
    fresh = first_of_peak(given)
    out = []
    for group, name in enumerate(ALL_DATASETS):
        at = np.flatnonzero(fresh & (given.sets == group))
        c = given.candidates
        cases = [given.cases[i] for i in at]
        out.append(Task(name, group, at, cases, c.intersection[at], c.union[at], given.area[at], False))
        pool = np.flatnonzero((given.sets == group) & (given.kinds == 0))
        for way in WAYS:
            pick = np.sort(rng.permutation(pool)[: 2 * MOST_DRAWN])
            pairs = [(i, case) for i in pick if (case := redraw(given.cases[i], way)) is not None][:MOST_DRAWN]
            if len(pairs) < LEAST_DRAWN:
                continue
            index, cases = np.array([i for i, _ in pairs]), [case for _, case in pairs]
            drawn = candidates_of(cases)
            area = np.array([case.true_area for case in cases], float)
            out.append(Task(f"{name}, {way}", group, index, cases, drawn.intersection, drawn.union, area, True))
    return out
