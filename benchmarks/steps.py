"""What each method and each step of the default brings: pooled IoU and nIoU on the real data sets.

python benchmarks/steps.py --out benchmarks/results/steps.json
python benchmarks/steps.py --refit --out benchmarks/results/steps_refit.json
python benchmarks/steps.py --sizes --out benchmarks/results/sizes.json

The first switches steps off as they stand: the default's numbers were fitted on these images with every step on. With
--refit everything that is fitted is fitted anew without the step and judged on images that were held out (minutes).
--sizes counts how large the default's masks come out beside the true ones, by the true area.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from common import DATASETS, POINTS, finish, load, need_data, parser
from pointlabel import annotate, get_method
from pointlabel.evaluation.classes import SIZE_CLASSES, size_class
from pointlabel.evaluation.targets import label_ious, target_areas
from pointlabel.folder.job import image_generator

N_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a method with changed parameters or options of `annotate`."""

    name: str
    method: str = "default"
    changes: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    part: str = "methods"


ROWS = [
    Row("point", "point"),
    Row("threshold", "threshold"),
    Row("superpixel", "superpixel"),
    Row("heat", "heat"),
    Row("diffusion", "diffusion"),
    Row("d2d-paper, size none", "d2d-paper", {"size_prior": "none"}),
    Row("d2d-paper, size oracle", "d2d-paper", {"size_prior": "oracle"}),
    Row("d2d-code, size none", "d2d-code", {"size_prior": "none"}),
    Row("d2d-code, size oracle", "d2d-code", {"size_prior": "oracle"}),
    Row("default"),
    Row("without snap", changes={"snap": False}, part="steps"),
    *(Row(f"n_scales {n}", changes={"n_scales": n}, part="steps") for n in (1, 2, 3)),
    Row("without heat (n_steps 0)", changes={"n_steps": 0}, part="steps"),
    Row("without refine", changes={"refine": False}, part="steps"),
    Row("without heat and refine: the vote alone", changes={"n_steps": 0, "refine": False}, part="steps"),
    Row("with enlarge", changes={"enlarge": True}, part="steps"),
    Row("without share_heat", changes={"share_heat": False}, part="steps"),
    Row("polarity auto", options={"polarity": "auto"}, part="steps"),
    *(Row(f"tightness {t:g}", options={"tightness": t}, part="style") for t in (0.3, 0.4, 0.6, 0.7)),
]

#: Changes of the parameters that `--refit` fits anew for; with every step on it is `fit_default.py --report`.
REFITS: dict[str, dict[str, Any]] = {
    **{f"n_scales {n}": {"n_scales": n} for n in (1, 2, 3)},
    "without heat (n_steps 0)": {"n_steps": 0},
    "without refine": {"refine": False},
    "without heat and refine: the vote alone": {"n_steps": 0, "refine": False},
}


def count(job: tuple[Path, str, str, int, int, tuple[str, ...]]) -> dict[str, np.ndarray]:
    """Of every `every`-th image from `first` on: inter, union, sum of IoUs and images for each row of the table."""
    data, dataset, points, first, every, names = job
    chosen = [row for row in ROWS if row.name in names]
    sums = {row.name: np.zeros(4) for row in chosen}
    runs = [(row, get_method(row.method).params(**row.changes)) for row in chosen]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for index, sample in enumerate(load(data, dataset, points)):
            if index % every != first:
                continue
            areas, _ = target_areas(sample.mask, sample.points)
            for row, params in runs:
                area = areas if get_method(row.method).needs_true_area else None
                mask = annotate(
                    sample.image,
                    sample.points,
                    method=row.method,
                    params=params,
                    true_area=area,
                    rng=image_generator(0, sample.id),  # as a folder is annotated: each image draws its own
                    **row.options,
                ).mask()
                inter, union = int((mask & sample.mask).sum()), int((mask | sample.mask).sum())
                sums[row.name] += (inter, union, inter / union if union else 0.0, 1)
    return sums


def measure(data: Path, quick: bool, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Run every row on every data set with both kinds of point."""
    table: dict[str, dict[str, Any]] = {
        row.name: {"name": row.name, "part": row.part} for row in ROWS if row.name in names
    }
    every = N_WORKERS * (10 if quick else 1)
    with get_context("spawn").Pool(N_WORKERS) as pool:
        for points in POINTS:
            for dataset in DATASETS:
                jobs = [(data, dataset, points, first, every, names) for first in range(N_WORKERS)]
                parts = pool.map(count, jobs)
                for name, line in table.items():
                    inter, union, ious, images = np.sum([part[name] for part in parts], axis=0).tolist()
                    line[f"{dataset} {points}"] = {"iou": inter / union, "niou": ious / images}
    return list(table.values())


def refit(data: Path, quick: bool, seed: int, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Fit without each step in turn; every image is judged by numbers fitted on the four fifths that lack it."""
    from fit_default import N_FOLDS, candidates_of, gather, held_out, summary  # needs the extra [train]

    from pointlabel.engine.default.params import DefaultParams
    from pointlabel.engine.default.regions import VOTING_SCALES, grow_regions

    everything, _ = gather(data, 10 if quick else 1)
    folds = np.array([zlib.crc32(case.image.encode()) % N_FOLDS for case in everything])
    table = []
    for name, changes in REFITS.items():
        if name not in names:
            continue
        params = replace(DefaultParams(), **changes)
        cases = everything
        if params.n_scales < max(VOTING_SCALES):
            cases = [replace(c, regions=grow_regions(c.window, VOTING_SCALES[params.n_scales])) for c in everything]
        rows = summary(cases, *held_out(cases, candidates_of(cases), folds, seed, params))
        line: dict[str, Any] = {"name": name, "part": "refitted"}
        line |= {f"{row['data']} {row['points']}": {"iou": row["iou"], "niou": row["mean_iou"]} for row in rows}
        table.append(line)
        show([line], head=len(table) == 1)
    return table


def sizes(data: Path, quick: bool) -> list[dict[str, Any]]:
    """Area of the default's masks over the true area (geometric mean) and mean IoU, by size; centroid points."""
    table = []
    for dataset in DATASETS:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in SIZE_CLASSES}
        for sample in load(data, dataset, every=10 if quick else 1):
            labels = annotate(sample.image, sample.points)
            ious = label_ious(sample.mask, labels)
            areas, _ = target_areas(sample.mask, sample.points)
            for target, area, iou in zip(labels.targets, areas, ious, strict=True):
                if np.isfinite(iou):
                    found[size_class(int(area))].append((target.area / area, float(iou)))
        classes = {
            name: {
                "targets": len(pairs),
                "area_ratio": float(np.exp(np.mean([np.log(ratio) for ratio, _ in pairs]))),
                "iou": float(np.mean([iou for _, iou in pairs])),
            }
            for name, pairs in found.items()
            if pairs
        }
        table.append({"data": dataset, "classes": classes})
        print(f"{dataset:<12}" + "".join(f"{n:>8} {c['area_ratio']:.2f} {c['iou']:.2f}" for n, c in classes.items()))
    return table


def show(table: list[dict[str, Any]], *, head: bool = True, write: Callable[[str], None] = print) -> None:
    """Print IoU and nIoU of each data set, centroid points first."""
    columns = [f"{dataset} {points}" for points in POINTS for dataset in DATASETS]
    if head:
        write(
            f"{'':<42}" + "".join(f"{column.replace('-SIRST', '').replace('centroid', 'c.'):>17}" for column in columns)
        )
    for line in table:
        cells = (f"{line[c]['iou']:.3f} {line[c]['niou']:.3f}" if c in line else "" for c in columns)
        write(f"{line['name']:<42}" + "".join(f"{cell:>17}" for cell in cells))


def main() -> None:
    """Measure, print, store."""
    options = parser(__doc__)
    options.add_argument("--refit", action="store_true", help="fit anew without each step, judge on held-out images")
    options.add_argument("--sizes", action="store_true", help="areas beside the true ones, by size")
    options.add_argument("--only", nargs="*", default=None, metavar="NAME", help="rows of the table, default all")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    data = need_data(args)
    names = tuple(args.only or (row.name for row in ROWS))
    if args.sizes:
        table = sizes(data, args.quick)
        note = "area of the mask over the true area, then mean IoU; in sample"
    elif args.refit:
        table = refit(data, args.quick, args.seed, names)
        note = "refitted without the step, each image judged by numbers fitted on others; nIoU is a mean over targets"
    else:
        table = measure(data, args.quick, names)
        note = "in sample: the default's numbers were fitted on these images with every step on"
        show(table)
    print(note)
    finish({"note": note, "seed": args.seed, "rows": table}, args.out)


if __name__ == "__main__":
    main()
