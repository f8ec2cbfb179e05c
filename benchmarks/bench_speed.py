"""Time from an image to its masks, one thread, beside the same pipelines composed of scikit-image, scipy and numpy."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from twins import default as default_twins
from twins import diffusion as twins

from common import finish, load, parser, spread
from pointlabel import ImageLabels, annotate, get_method
from pointlabel.synthetic import draw_scene
from pointlabel.types import LabelRequest

ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
Images = list[tuple[NDArray, NDArray[np.float64]]]
Label = Callable[[NDArray, NDArray], Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """One method of `METHODS`, the pipeline to beat (None where there is none) and what is asked of them."""

    name: str
    ours: Label
    twin: Label | None = None
    most_ms: float | None = None  # median of ours a target, image to masks
    least_ratio: float | None = None  # twin's median over ours
    twin_name: str = "library calls"


def ours(method: str) -> Label:
    """One method from an image to the union of its masks. Like its twin it checks no argument: `annotate` does."""
    entry = get_method(method)
    params, rng = entry.params(), np.random.default_rng(0)

    def label(image: NDArray, points: NDArray) -> NDArray[np.bool_]:
        tightness = np.full(len(points), 0.5)
        request = LabelRequest(image, points, tightness, None, rng)
        return ImageLabels(image.shape, tuple(entry.function(request, params))).mask()

    return label


PAIRS = [
    Pair("default", ours("default"), default_twins.label_default, most_ms=2.0, least_ratio=20),
    Pair("default", ours("default"), default_twins.label_default_partition, twin_name="medians by np.partition"),
    Pair("diffusion", ours("diffusion"), twins.label_diffusion, most_ms=0.15, least_ratio=20),
    Pair("diffusion", ours("diffusion"), twins.label_diffusion_tuned, twin_name="heat by flat arrays in place"),
    Pair("heat", ours("heat"), twins.label_heat),
    Pair("superpixel", ours("superpixel"), twins.label_superpixel),
    Pair("d2d-code", ours("d2d-code"), twins.label_particles),
    Pair("d2d-paper", ours("d2d-paper")),
]


def per_target(label: Label, images: Images, repeat: int) -> list[float]:
    """Milliseconds of processor time a target of each image, the fastest of `repeat` calls."""
    out = []
    for image, points in images:
        best = np.inf
        for _ in range(repeat):
            start = thread_time()  # not the time of day: a twin runs long enough to be interrupted by other programs
            label(image, points)
            best = min(best, thread_time() - start)
        out.append(best * 1000 / len(points))
    return out


def agreement(pair: Pair, images: Images) -> float:
    """Mean IoU of both masks: whether the two do the same work."""
    assert pair.twin is not None
    ious = []
    for image, points in images:
        one, other = pair.ours(image, points), pair.twin(image, points)
        ious.append((one & other).sum() / (one | other).sum())
    return float(np.mean(ious))


def measure(pair: Pair, images: Images, repeat: int) -> dict[str, Any]:
    """Times of both sides over the same images, their ratio, and whether what is asked is met."""
    start = thread_time()
    pair.ours(*images[0])
    first_ms = (thread_time() - start) * 1000
    row: dict[str, Any] = {"first_ms": first_ms, "ours": spread(per_target(pair.ours, images, repeat))}
    row["annotate"] = spread(per_target(partial(annotate, method=pair.name), images, repeat))
    if pair.twin is not None:
        few = images[: max(len(images) // 4, 1)]  # a twin takes a hundred times as long
        pair.twin(*few[0])
        here = spread(per_target(pair.ours, few, repeat))
        row["twin"] = spread(per_target(pair.twin, few, max(repeat // 2, 1)))
        row["ratio"] = row["twin"]["median_ms"] / here["median_ms"]
        row["agreement_iou"] = agreement(pair, few)
    if pair.most_ms is not None:
        row["most_ms"], row["fast_enough"] = pair.most_ms, row["ours"]["median_ms"] <= pair.most_ms
    if pair.least_ratio is not None and "ratio" in row:
        row["least_ratio"], row["ahead_enough"] = pair.least_ratio, row["ratio"] >= pair.least_ratio
    return row


def images_of(args: argparse.Namespace) -> tuple[str, Images]:
    """Real images with their centroid points, or drawn ones where there is no data."""
    n = 20 if args.quick else 200
    if args.data is None:
        scenes = (draw_scene(seed, n_targets=2) for seed in range(n))
        return "drawn scenes", [(scene.image, scene.points) for scene in scenes]
    samples = load(args.data, args.dataset)
    return args.dataset, [(s.image, s.points) for s, _ in zip(samples, range(n), strict=False) if len(s.points)]


def main() -> None:
    """Measure every pair, print a table, write the result."""
    options = parser(__doc__)
    options.add_argument("--dataset", default="SIRST-v1", help="data set that is timed, default SIRST-v1")
    options.add_argument("--only", help="names of methods, separated by commas")
    args = options.parse_args()
    source, images = images_of(args)
    rows = {}
    print(f"{source}: {len(images)} images, {sum(len(points) for _, points in images)} targets; ms a target")
    print(f"{'method':<12}{'ours':>8}{'p90':>8}{'annotate':>10}{'twin':>9}{'ratio':>8}{'IoU of both':>13}  asked")
    for pair in PAIRS:
        if args.only and pair.name not in args.only.split(","):
            continue
        row = rows[f"{pair.name}, {pair.twin_name}" if pair.twin else pair.name] = measure(
            pair, images, 3 if args.quick else 7
        )
        twin = ""
        if pair.twin is not None:
            twin = f"{row['twin']['median_ms']:9.2f}{row['ratio']:8.1f}{row['agreement_iou']:13.2f}"
        asked = [f"<= {pair.most_ms} ms: {'met' if row['fast_enough'] else 'MISSED'}"] if pair.most_ms else []
        if "ahead_enough" in row:
            asked.append(f">= {pair.least_ratio:g} x: {'met' if row['ahead_enough'] else 'MISSED'}")
        median, p90, checked = row["ours"]["median_ms"], row["ours"]["p90_ms"], row["annotate"]["median_ms"]
        print(f"{pair.name:<12}{median:8.3f}{p90:8.3f}{checked:10.3f}{twin:<30}  {', '.join(asked) or pair.twin_name}")
    finish({"images": source, "n_images": len(images), "methods": rows}, args.out)


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):  # read when numpy is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
