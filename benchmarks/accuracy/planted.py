"""Leaks and losses of the default, by size, on targets planted onto real backgrounds, without and with larger windows.

python -m benchmarks.accuracy.planted --data DIR --out benchmarks/results/planted.json

Targets of 3 to 2,000 px are taken out of the data sets and scaled, or drawn, and added to images of every data set of
the folder, each to an image of its own copy, away from the true targets; then they are clicked, half of them at the
centroid, and labelled. A leak is a mask of more than 4 times the true area and 50 px, a loss one of less than a quarter
of the true area. Everything is drawn from one seed, so that a change of the method meets the same targets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.common import POINTS, brightened, finish, has_leaked, load, need_data, parser
from benchmarks.plants import EIGHT, Plant, Shape, draw_shape, plant, take_one, take_shapes
from pointlabel import annotate, get_method
from pointlabel.folder.job import image_generator
from pointlabel.io.datasets import open_dataset

N_WORKERS = 2
CLASSES = ((3, 10), (10, 30), (30, 100), (100, 500), (500, 2000))  # true areas in pixels, the upper end exclusive
WAYS = {"off": False, "on": True}  # `enlarge`
PLANTS = 1200  # in each data set, or a few more: equally many in each image
SHAPES = 60  # that are taken out of each data set
CONTRASTS = (0, 2, 4, np.inf)  # heights over the spread of what was there; 4 and more only where that is quiet
TAKEN = 0.6  # share of the plants that are taken out of images; the others are drawn


class Found(NamedTuple):
    """What became of one plant: where it is from, how high and large it is, area and IoU of its masks by `WAYS`."""

    data: str
    image: str
    source: str
    over_spread: float
    true_area: int
    areas: tuple[int, ...]
    ious: tuple[float, ...]

    def leaks(self, way: int) -> bool:
        """Whether the mask runs far over the target."""
        return bool(has_leaked(self.areas[way], self.true_area))

    def is_lost(self, way: int) -> bool:
        """Whether the mask holds hardly any of the target."""
        return 4 * self.areas[way] < self.true_area


def shapes_of(data: Path, names: Sequence[str]) -> list[Shape]:
    """Shapes out of every fourth image of the data sets, `SHAPES` of each over all its sizes."""
    out = []
    for name in names:
        found = [
            shape
            for sample in load(data, name, every=4)
            for shape in take_shapes(brightened(sample.image, name), sample.mask)
        ]
        found.sort(key=lambda shape: shape.area)
        out += [found[k] for k in np.unique(np.linspace(0, len(found) - 1, min(SHAPES, len(found))).astype(int))]
    return out


def plants_of(
    rng: np.random.Generator, image: NDArray, mask: NDArray[np.bool_], shapes: Sequence[Shape], n: int
) -> list[tuple[str, Plant]]:
    """Plants in `n` copies of an image, or fewer where they find no room, with where their shapes are from."""
    out = []
    for _ in range(n):
        low, high = CLASSES[rng.integers(len(CLASSES))]
        source = "taken" if rng.random() < TAKEN else "drawn"
        how = tuple(POINTS)[rng.integers(2)]
        for _ in range(20):  # a scaled mask may fall apart or miss its class
            area = float(np.exp(rng.uniform(np.log(low), np.log(high))))
            shape = take_one(rng, shapes, area) if source == "taken" else draw_shape(rng, area)
            if low <= shape.area < high and ndimage.label(shape.mask, EIGHT)[1] == 1:
                planted = plant(rng, image, mask, shape, how)
                if planted is not None:
                    out.append((source, planted))
                    break
    return out


def label_plant(planted: Plant) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Area of a plant's mask and its IoU with the true one, by `WAYS`."""
    true = np.zeros(planted.image.shape, bool)
    top, left = planted.origin
    true[top : top + planted.mask.shape[0], left : left + planted.mask.shape[1]] = planted.mask
    areas, ious = [], []
    for enlarge in WAYS.values():
        params = get_method("default").params(enlarge=enlarge)
        (target,) = annotate(planted.image, [planted.point], params=params).targets
        inter = int((target.mask & true[target.window]).sum())
        areas.append(target.area)
        ious.append(inter / (target.area + int(true.sum()) - inter))
    return tuple(areas), tuple(ious)


Job = tuple[Path, str, list[Shape], int, int, int]


def _run_part(job: Job) -> list[Found]:
    """Plants in every `every`-th image from `start` on, `n` in each."""
    data, name, shapes, start, every, n = job
    out = []
    for sample in load(data, name, every=every, start=start):
        image = brightened(sample.image, name)
        rng = image_generator(0, f"{name}/{sample.id}")
        for source, planted in plants_of(rng, image, sample.mask, shapes, n):
            found = label_plant(planted)
            out.append(Found(name, sample.id, source, planted.over_spread, int(planted.mask.sum()), *found))
    return out


def run(data: Path, names: Sequence[str], thin: int) -> list[Found]:
    """All plants in every `thin`-th image of the data sets, the images shared among `N_WORKERS` processes."""
    shapes, jobs = shapes_of(data, names), []
    for name in names:
        n = -(-PLANTS // len(open_dataset(data / name).entries))
        jobs += [(data, name, shapes, k * thin, N_WORKERS * thin, n) for k in range(N_WORKERS)]
    with get_context("spawn").Pool(N_WORKERS) as pool:
        return [found for part in pool.imap(_run_part, jobs) for found in part]


def count(found: Sequence[Found]) -> dict[str, Any]:
    """How many plants leak and are lost, and the mean IoU, by `WAYS`."""
    out: dict[str, Any] = {"plants": len(found)}
    for way, name in enumerate(WAYS):
        leaks, losses = sum(each.leaks(way) for each in found), sum(each.is_lost(way) for each in found)
        mean = float(np.mean([each.ious[way] for each in found])) if found else 0.0
        out[name] = {"leaks": leaks, "losses": losses, "mean_iou": mean}
    return out


def tabulate(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Counts by size, by height over the clutter, by data set and where the shapes are from, then of all."""
    rows = []
    for low, high in CLASSES:
        own = [each for each in found if low <= each.true_area < high]
        rows.append({"part": "size", "name": f"{low} to {high - 1} px", **count(own)})
    for least, most in pairwise(CONTRASTS):
        own = [each for each in found if least <= each.over_spread < most]
        rows.append({"part": "contrast", "name": f"{least:g} to {most:g} deviations", **count(own)})
    for part, key in (("data", "data"), ("source", "source")):
        for name in sorted({getattr(each, key) for each in found}):
            rows.append({"part": part, "name": name, **count([each for each in found if getattr(each, key) == name])})
    return [*rows, {"part": "all", "name": "all", **count(found)}]


def main() -> None:
    """Plant, label, count, print, store."""
    args = parser(__doc__).parse_args()
    data = need_data(args)
    names = sorted(path.name for path in data.iterdir() if (path / POINTS["centroid"]).is_dir())
    found = run(data, names, 10 if args.quick else 1)
    rows = tabulate(found)
    for row in rows:
        print(f"{row['name']:<22}{row['plants']:>6}  " + "  ".join(f"{way} {row[way]}" for way in WAYS))
    leaks = [each._asdict() for each in found if any(each.leaks(way) for way in range(len(WAYS)))]
    finish({"rows": rows, "leaks": leaks, "leaks_by_data": dict(Counter(each["data"] for each in leaks))}, args.out)


if __name__ == "__main__":
    main()
