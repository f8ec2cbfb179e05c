"""Methods and steps of the default over real data sets, a table each: pooled IoU, nIoU, sizes, leaks, the CRF.

python -m benchmarks.accuracy.methods --out benchmarks/results/steps.json
python -m benchmarks.accuracy.methods --table sizes --out benchmarks/results/sizes.json
python -m benchmarks.accuracy.methods --table larger --out benchmarks/results/larger.json
python -m benchmarks.accuracy.methods --table crf --out benchmarks/results/refinement.json

`steps` switches steps off as they stand: the default's numbers were fitted on these images with every step on; `python
-m tools.fit_default.refit` fits them anew. `sizes` counts how large the default's masks come out beside the true ones.
`larger` runs every data set of the folder without and with larger windows; a leak is a mask of more than 4 times the
true area and 50 px. `crf` scores images 2, 4, 6, ..., none of those that its strengths were chosen on (1, 13, 25, ...).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import DARK, DATASETS, POINTS, finish, has_leaked, load, need_data, parser, spread
from pointlabel import annotate, get_method
from pointlabel.evaluation.classes import SIZE_CLASSES, size_class
from pointlabel.evaluation.targets import owned_ious, true_targets
from pointlabel.folder.job import image_generator

N_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A method with changed parameters or options of `annotate`, and the part of the table that it belongs to."""

    name: str
    method: str = "default"
    changes: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    part: str = "methods"


STEPS = [
    *(Row(name, name) for name in ("point", "threshold", "superpixel", "heat", "diffusion")),
    *(
        Row(f"{name}, size {prior}", name, {"size_prior": prior})
        for name in ("d2d-paper", "d2d-code")
        for prior in ("none", "oracle")
    ),
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
LARGER = [Row("without", changes={"enlarge": False}), Row("with", changes={"enlarge": True})]
CRF = [
    Row(name, name, options={"refine": refine})
    for name in ("threshold", "superpixel", "diffusion", "default")
    for refine in (None, "crf")
]


class Run(NamedTuple):
    """A row on one data set: intersection, union, area of each image; IoU, area, true area of each target; times."""

    images: NDArray[np.float64]
    targets: NDArray[np.float64]
    ms: NDArray[np.float64]

    def scores(self) -> dict[str, float]:
        """Pooled IoU, and nIoU with 0 for an image without any pixel."""
        inter, union = self.images[:, 0], self.images[:, 1]
        return {"iou": float(inter.sum() / union.sum()), "niou": float((inter / np.maximum(union, 1)).mean())}


Job = tuple[Path, str, str, int, int, list[Row]]


def _run_part(job: Job) -> list[tuple[list, list, list]]:
    """The three lists of each row over every `every`-th image from `start` on."""
    data, dataset, points, start, every, rows = job
    out: list[tuple[list, list, list]] = [([], [], []) for _ in rows]
    params = [get_method(row.method).params(**row.changes) for row in rows]
    polarity = {"polarity": "dark"} if dataset in DARK else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sample in load(data, dataset, points, every=every, start=start):
            numbers, owners = true_targets(sample.mask, sample.points)
            areas = np.where(owners > 0, np.bincount(numbers.ravel())[owners], 0)
            for row, own, (images, targets, ms) in zip(rows, params, out, strict=True):
                begin = perf_counter()
                labels = annotate(
                    sample.image,
                    sample.points,
                    method=row.method,
                    params=own,
                    true_area=np.maximum(areas, 1) if get_method(row.method).needs_true_area else None,
                    rng=image_generator(0, sample.id),  # as a folder is annotated: each image draws its own
                    **polarity,
                    **row.options,
                )
                ms.append((perf_counter() - begin) * 1000 / max(len(areas), 1))
                mask = labels.mask()
                images.append(((mask & sample.mask).sum(), (mask | sample.mask).sum(), mask.sum()))
                found = owned_ious(labels, numbers, owners)
                targets += zip(found, (target.area for target in labels.targets), areas, strict=True)
    return out


def run(data: Path, dataset: str, points: str, rows: list[Row], *, every: int = 1, start: int = 0) -> list[Run]:
    """Run the rows on one data set, its images shared among `N_WORKERS` processes."""
    jobs = [(data, dataset, points, start + k * every, N_WORKERS * every, rows) for k in range(N_WORKERS)]
    with get_context("spawn").Pool(N_WORKERS) as pool:
        parts = pool.map(_run_part, jobs)
    joined = ([np.array([*chain(*lists)]) for lists in zip(*each, strict=True)] for each in zip(*parts, strict=True))
    return [Run(images.reshape(-1, 3), targets.reshape(-1, 3), ms) for images, targets, ms in joined]


def steps(data: Path, thin: int) -> list[dict[str, Any]]:
    """IoU and nIoU of every row on every data set with both kinds of point."""
    table: list[dict[str, Any]] = [{"name": row.name, "part": row.part} for row in STEPS]
    for points in POINTS:
        for dataset in DATASETS:
            for line, found in zip(table, run(data, dataset, points, STEPS, every=thin), strict=True):
                line[f"{dataset} {points}"] = found.scores()
                scores = " ".join(f"{value:.3f}" for value in found.scores().values())
                print(f"{dataset:<12}{points:<10}{line['name']:<42}{scores}", flush=True)
    return table


def sizes(data: Path, thin: int) -> list[dict[str, Any]]:
    """Area of the default's masks over the true area (geometric mean) and mean IoU, by size; centroid points."""
    table = []
    for dataset in DATASETS:
        (found,) = run(data, dataset, "centroid", [Row("default")], every=thin)
        known = found.targets[np.isfinite(found.targets[:, 0])]
        names = np.array([size_class(int(area)) for area in known[:, 2]])
        classes = {}
        for name in SIZE_CLASSES:
            iou, area, true = known[names == name].T
            if len(iou):
                ratio = float(np.exp(np.log(area / true).mean()))
                classes[name] = {"targets": len(iou), "area_ratio": ratio, "iou": float(iou.mean())}
        table.append({"data": dataset, "classes": classes})
        print(f"{dataset:<12}" + "".join(f"{n:>8} {c['area_ratio']:.2f} {c['iou']:.2f}" for n, c in classes.items()))
    return table


def larger(data: Path, thin: int) -> list[dict[str, Any]]:
    """Pooled IoU, mean IoU of the targets and leaks without and with larger windows."""
    table = []
    for name in sorted(path.name for path in data.iterdir() if (path / POINTS["centroid"]).is_dir()):
        for points in POINTS:
            line: dict[str, Any] = {"data": name, "points": points}
            for row, found in zip(LARGER, run(data, name, points, LARGER, every=thin), strict=True):
                iou, area, true = found.targets.T
                line["targets"], leaks = len(iou), int(has_leaked(area, true).sum())
                line[row.name] = {"iou": found.scores()["iou"], "mean_iou": float(np.nanmean(iou)), "leaks": leaks}
            table.append(line)
            print(f"{name:<14}{points:<10}{line['targets']:>5}  {line['without']}  {line['with']}", flush=True)
    return table


def crf(data: Path, thin: int) -> list[dict[str, Any]]:
    """IoU, nIoU and area without and with the CRF, how many images change by more than 0.01, and what it costs."""
    table = []
    for dataset in DATASETS:
        found = run(data, dataset, "centroid", CRF, every=2 * thin, start=1)
        for row, before, after in zip(CRF[::2], found[::2], found[1::2], strict=True):
            change = np.subtract(*(each.images[:, 0] / np.maximum(each.images[:, 1], 1) for each in (after, before)))
            line = {"data": dataset, "method": row.method, "images": len(change), "targets": len(before.targets)}
            line |= {"before": before.scores(), "after": after.scores()}
            line["area"] = float(after.images[:, 2].sum() / before.images[:, 2].sum())
            line |= {"better": float((change > 0.01).mean()), "worse": float((change < -0.01).mean())}
            table.append({**line, **spread((after.ms - before.ms).tolist())})
            print(table[-1], flush=True)
    return table


TABLES: dict[str, tuple[Callable[[Path, int], list[dict[str, Any]]], str]] = {
    "steps": (steps, "in sample: the default's numbers were fitted on these images with every step on"),
    "sizes": (sizes, "area of the mask over the true area, then mean IoU; in sample"),
    "larger": (larger, "pooled IoU, mean IoU of the targets, leaks; without and with larger windows"),
    "crf": (crf, "without and with the CRF, ms more per target"),
}


def main() -> None:
    """Measure, print, store."""
    options = parser(__doc__)
    options.add_argument("--table", choices=TABLES, default="steps", help="what is measured, default steps")
    args = options.parse_args()
    measure, note = TABLES[args.table]
    rows = measure(need_data(args), 10 if args.quick else 1)
    print(note)
    finish({"note": note, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
