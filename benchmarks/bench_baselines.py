"""Time the methods to compare with, one thread, beside the same composed of scikit-image, scipy and numpy calls."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from twins import com as com_twin
from twins import crf as crf_twin
from twins import mclc as mclc_twin

from common import finish, load, need_data, parser, spread
from pointlabel import ImageLabels, get_method
from pointlabel.baselines.crf.mean_field import refine_crf
from pointlabel.baselines.published_windows import published_windows
from pointlabel.engine.conductance import rescale_window
from pointlabel.evaluation.targets import target_areas
from pointlabel.types import LabelRequest

ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
SEED = 0

#: What is labelled in one go, and how many targets it has.
Case = tuple[LabelRequest, int]
Label = Callable[[LabelRequest], Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """Something of ours, its twin, how far their results agree, and what is asked of the two."""

    name: str
    ours: Label
    twin: Label
    agreement: Callable[[Any, Any], float]
    least_ratio: float | None = None  # twin's median over ours
    most_ms: float | None = None  # median of ours a target


def method(name: str, **changes: Any) -> Label:
    """One method from an image to the union of its masks. Like its twin it checks no argument: `annotate` does."""
    entry = get_method(name)
    params = entry.params(**changes)

    def label(request: LabelRequest) -> NDArray[np.bool_]:
        return ImageLabels(request.image.shape, tuple(entry.function(request, params))).mask()

    return label


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """IoU of two masks."""
    return float((one & other).sum() / (one | other).sum())


def crf_windows(request: LabelRequest) -> list[tuple[NDArray[np.float64], NDArray[np.uint8]]]:
    """The published windows by true size: a first guess that follows the grey level, and the grey levels."""
    out = []
    for top, bottom, left, right in published_windows(request, "oracle"):
        units, _ = rescale_window(request.image[top:bottom, left:right])
        level = units / units.max() if units.any() else np.zeros(units.shape)
        out.append((level, np.rint(255 * level).astype(np.uint8)))
    return out


def crf(refine: Callable[..., NDArray[np.float64]], cases: list[Case]) -> Label:
    """The CRF alone: windows and first guesses are made beforehand."""
    windows = {id(request): crf_windows(request) for request, _ in cases}

    def label(request: LabelRequest) -> list[NDArray[np.float64]]:
        return [refine(guess, grey) for guess, grey in windows[id(request)]]

    return label


def nearness(ours: list[NDArray[np.float64]], twin: list[NDArray[np.float64]]) -> float:
    """1 less the largest difference of two results of the CRF."""
    return 1.0 - max(float(np.abs(one - other).max()) for one, other in zip(ours, twin, strict=True))


def pairs_of(cases: list[Case]) -> list[Pair]:
    """What is timed."""
    return [
        Pair(
            "mclc",
            method("mclc", size_prior="oracle"),
            lambda request: mclc_twin.label_mclc(request.image, request.points, request.true_area),
            iou,
            least_ratio=20,
            most_ms=2.0,
        ),
        Pair(
            "mclc, tuned",
            method("mclc", size_prior="oracle"),
            lambda request: mclc_twin.label_mclc(
                request.image, request.points, request.true_area, sharpen=mclc_twin.sharpen_tuned
            ),
            iou,
        ),
        Pair("com", method("com"), lambda request: com_twin.label_com(request.image, request.points), iou, 30),
        Pair("crf", crf(refine_crf, cases), crf(crf_twin.refine_crf_plain, cases), nearness, 20),
        Pair("crf, tuned", crf(refine_crf, cases), crf(crf_twin.refine_crf, cases), nearness),
    ]


def per_target(label: Label, cases: list[Case], repeat: int) -> list[float]:
    """Milliseconds of processor time a target of each image, the fastest of `repeat` calls."""
    out = []
    for request, n_targets in cases:
        best = np.inf
        for _ in range(repeat):
            start = thread_time()  # not the time of day: a twin runs long enough to be interrupted by other programs
            label(request)
            best = min(best, thread_time() - start)
        out.append(best * 1000 / n_targets)
    return out


def measure(pair: Pair, cases: list[Case], repeat: int) -> dict[str, Any]:
    """Times of both sides, image by image in turn, their ratio, and whether what is asked is met."""
    start = thread_time()
    pair.ours(cases[0][0])
    row: dict[str, Any] = {"first_ms": (thread_time() - start) * 1000}
    pair.twin(cases[0][0])
    ours, twin, agreement = [], [], []
    for case in cases:
        ours += per_target(pair.ours, [case], repeat)
        twin += per_target(pair.twin, [case], max(repeat // 2, 2))
        agreement.append(pair.agreement(pair.ours(case[0]), pair.twin(case[0])))
    row |= {"ours": spread(ours), "twin": spread(twin), "agreement": float(np.mean(agreement))}
    row["ratio"] = row["twin"]["median_ms"] / row["ours"]["median_ms"]
    if pair.least_ratio is not None:
        row["least_ratio"], row["ahead_enough"] = pair.least_ratio, row["ratio"] >= pair.least_ratio
    if pair.most_ms is not None:
        row["most_ms"], row["fast_enough"] = pair.most_ms, row["ours"]["median_ms"] <= pair.most_ms
    return row


def cases_of(args: argparse.Namespace) -> list[Case]:
    """Images with points and true areas, spread evenly over the data set."""
    out = []
    for sample in load(need_data(args), args.dataset, every=40 if args.quick else 4):
        if len(sample.points):
            areas, _ = target_areas(sample.mask, sample.points)
            tightness, rng = np.full(len(sample.points), 0.5), np.random.default_rng(SEED)
            out.append((LabelRequest(sample.image, sample.points, tightness, areas, rng), len(sample.points)))
    return out


def main() -> None:
    """Measure every pair, print a table, write the result."""
    options = parser(__doc__)
    options.add_argument("--dataset", default="SIRST-v1", help="data set that is timed, default SIRST-v1")
    options.add_argument("--only", help="names of pairs, separated by commas")
    args = options.parse_args()
    cases = cases_of(args)
    rows = {}
    print(f"{args.dataset}: {len(cases)} images, {sum(n for _, n in cases)} targets; processor time, ms a target")
    print(f"{'what':<12}{'first call':>11}{'ours':>8}{'p90':>8}{'twin':>9}{'ratio':>8}{'agreement':>11}  asked")
    for pair in pairs_of(cases):
        if args.only and pair.name.partition(",")[0] not in args.only.split(","):
            continue
        row = rows[pair.name] = measure(pair, cases, 3 if args.quick else 7)
        asked = []
        if pair.least_ratio is not None:
            asked.append(f">= {pair.least_ratio:g} x: {'met' if row['ahead_enough'] else 'MISSED'}")
        if pair.most_ms is not None:
            asked.append(f"<= {pair.most_ms:g} ms: {'met' if row['fast_enough'] else 'MISSED'}")
        times = f"{row['ours']['median_ms']:8.3f}{row['ours']['p90_ms']:8.3f}{row['twin']['median_ms']:9.2f}"
        print(
            f"{pair.name:<12}{row['first_ms']:11.0f}{times}{row['ratio']:8.1f}{row['agreement']:11.6f}"
            f"  {', '.join(asked)}"
        )
    finish({"images": args.dataset, "n_images": len(cases), "pairs": rows}, args.out)


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):  # read when numpy is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
