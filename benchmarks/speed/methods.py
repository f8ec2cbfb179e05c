"""Time from an image to its masks, one thread, beside the same methods composed of scikit-image, scipy and numpy.

python -m benchmarks.speed.methods --only default,diffusion
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import finish, load, parser, run_on_one_thread, spread
from pointlabel import ImageLabels, annotate, get_method
from pointlabel.baselines.crf.mean_field import refine_crf
from pointlabel.baselines.d2d.paper import published_windows
from pointlabel.engine.conductance import rescale_window
from pointlabel.evaluation.targets import target_areas
from pointlabel.synthetic import draw_scene
from pointlabel.types import LabelRequest
from tests.twins import com, crf, d2d, diffusion, mclc
from tests.twins.default.label import label_default

Label = Callable[[LabelRequest], Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A method, its twin (None where there is none) and what is asked of it."""

    name: str
    ours: Label
    twin: Label | None = None
    most_ms: float | None = None  # median of ours per target, image to masks


def method(name: str, **changes: Any) -> Label:
    """One method from an image to the union of its masks. Like its twin it checks no argument: `annotate` does."""
    entry = get_method(name)
    params = entry.params(**changes)

    def label(request: LabelRequest) -> NDArray[np.bool_]:
        return ImageLabels(request.image.shape, tuple(entry.function(request, params))).mask()

    return label


def twin_of(function: Callable[[NDArray, NDArray], NDArray[np.bool_]]) -> Label:
    """A twin that needs image and points alone."""
    return lambda request: function(request.image, request.points)


def crf_alone(refine: Callable[..., NDArray[np.float64]]) -> Label:
    """The CRF in the published windows by true size, from a first guess that follows the grey level."""
    windows: dict[int, list[tuple[NDArray[np.float64], NDArray[np.uint8]]]] = {}

    def cut(request: LabelRequest) -> list[tuple[NDArray[np.float64], NDArray[np.uint8]]]:
        out = []
        for top, bottom, left, right in published_windows(request, "oracle"):
            units, _ = rescale_window(request.image[top:bottom, left:right])
            level = units / units.max() if units.any() else np.zeros(units.shape)
            out.append((level, np.rint(255 * level).astype(np.uint8)))
        return out

    def label(request: LabelRequest) -> NDArray[np.bool_]:
        if id(request) not in windows:  # cut by the call before those that are timed
            windows[id(request)] = cut(request)
        return np.concatenate([(refine(guess, grey) > 0.5).ravel() for guess, grey in windows[id(request)]])

    return label


PAIRS = [
    Pair("default", method("default"), twin_of(label_default), most_ms=2.0),
    Pair("diffusion", method("diffusion"), twin_of(diffusion.label_diffusion), most_ms=0.15),
    Pair("heat", method("heat"), twin_of(diffusion.label_heat)),
    Pair("superpixel", method("superpixel"), twin_of(diffusion.label_superpixel)),
    Pair("d2d-code", method("d2d-code"), twin_of(d2d.label_particles)),
    Pair("d2d-paper", method("d2d-paper")),
    Pair(
        "mclc",
        method("mclc", size_prior="oracle"),
        lambda request: mclc.label_mclc(request.image, request.points, request.true_area),
        most_ms=2.0,
    ),
    Pair("com", method("com"), twin_of(com.label_com)),
    Pair("crf", crf_alone(refine_crf), crf_alone(crf.refine_crf)),
]


def per_target(label: Label, requests: list[LabelRequest], repeat: int) -> list[float]:
    """Milliseconds of processor time per target of each image, the fastest of `repeat` calls after one apart."""
    out = []
    for request in requests:
        label(request)
        best = np.inf
        for _ in range(repeat):
            start = thread_time()  # not the time of day: a twin runs long enough to be interrupted by other programs
            label(request)
            best = min(best, thread_time() - start)
        out.append(best * 1000 / len(request.points))
    return out


def measure(pair: Pair, requests: list[LabelRequest], repeat: int) -> dict[str, Any]:
    """Times of both sides over the same images, their ratio and mean IoU, and whether ours are fast enough."""
    start = thread_time()
    pair.ours(requests[0])
    row: dict[str, Any] = {"first_ms": (thread_time() - start) * 1000}
    row["ours"] = spread(per_target(pair.ours, requests, repeat))
    if pair.name != "crf":

        def checked(request: LabelRequest) -> ImageLabels:
            return annotate(request.image, request.points, method=pair.name)

        row["annotate"] = spread(per_target(checked, requests, repeat))
    if pair.twin is not None:
        few = requests[: max(len(requests) // 4, 1)]  # a twin takes a hundred times as long
        here, row["twin"] = spread(per_target(pair.ours, few, repeat)), spread(per_target(pair.twin, few, 2))
        row["ratio"] = row["twin"]["median_ms"] / here["median_ms"]
        masks = [(pair.ours(request), pair.twin(request)) for request in few]
        row["agreement_iou"] = float(np.mean([(a & b).sum() / max((a | b).sum(), 1) for a, b in masks]))
    if pair.most_ms is not None:
        row["most_ms"], row["fast_enough"] = pair.most_ms, row["ours"]["median_ms"] <= pair.most_ms
    return row


def requests_of(args: argparse.Namespace) -> tuple[str, list[LabelRequest]]:
    """Real images with centroid points and true areas, spread over the data set; drawn ones where there is no data."""
    n = 20 if args.quick else 200
    if args.data is None:
        scenes = (draw_scene(seed, n_targets=2) for seed in range(n))
        found = [(scene.image, scene.points, scene.mask) for scene in scenes]
    else:
        samples = load(args.data, args.dataset, every=20 if args.quick else 2)
        found = [(s.image, s.points, s.mask) for s, _ in zip(samples, range(n), strict=False) if len(s.points)]
    rng = np.random.default_rng(0)
    return args.dataset if args.data else "drawn scenes", [
        LabelRequest(image, points, np.full(len(points), 0.5), target_areas(mask, points)[0], rng)
        for image, points, mask in found
    ]


def main() -> None:
    """Measure every pair, print a table, write the result."""
    options = parser(__doc__)
    options.add_argument("--dataset", default="SIRST-v1", help="data set that is timed, default SIRST-v1")
    options.add_argument("--only", help="names of methods, separated by commas")
    args = options.parse_args()
    source, requests = requests_of(args)
    rows = {}
    print(f"{source}: {len(requests)} images, {sum(len(r.points) for r in requests)} targets; ms per target")
    print(f"{'method':<12}{'ours':>8}{'p90':>8}{'annotate':>10}{'twin':>9}{'ratio':>8}{'IoU of both':>13}  asked")
    for pair in PAIRS:
        if args.only and pair.name not in args.only.split(","):
            continue
        row = rows[pair.name] = measure(pair, requests, 3 if args.quick else 7)
        checked = f"{row['annotate']['median_ms']:10.3f}" if "annotate" in row else f"{'':10}"
        twin = ""
        if pair.twin is not None:
            twin = f"{row['twin']['median_ms']:9.2f}{row['ratio']:8.1f}{row['agreement_iou']:13.2f}"
        asked = f"<= {pair.most_ms:g} ms: {'met' if row['fast_enough'] else 'MISSED'}" if pair.most_ms else ""
        ours = f"{row['ours']['median_ms']:8.3f}{row['ours']['p90_ms']:8.3f}"
        print(f"{pair.name:<12}{ours}{checked}{twin:<30}  {asked}", flush=True)
    finish({"images": source, "n_images": len(requests), "methods": rows}, args.out)


if __name__ == "__main__":
    run_on_one_thread()
    main()
