"""What `pointlabel calibrate` wins and risks, scored on images whose masks it was not given.

    python -m benchmarks.accuracy.calibration --data DIR --out benchmarks/results/calibrate.json

Random images of one data set give their masks, a calibration chooses a style, and all other images of the set are
scored with the default style and with that one; the mean and the worst over draws are reported. Each data set is a
stranger: directions of the style are fitted without it, and so are the plain numbers where they were fitted on it.

    left out  masks as they are. "all masks" is the style of all of them, which says what style alone can bring
    planted   masks of the infrared sets dilated or eroded by one pixel (a cross), or redrawn as the region of the peak
              above 3 % or 8 % of its height over a 35 px background. "refitted" is what there is to win at all: all
              plain numbers fitted anew on masks drawn so, on four fifths of the images, and scored on the rest

Pooled IoU / mean IoU of the targets, each labelled alone; centroid points. A leak is a mask over four times the true
area and 50 px. Needs the extra [train]. Fits are kept in --cache.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import ALL_DATASETS, DATASETS, ROOT, has_leaked, need_data, parser, spread, write_result
from pointlabel.calibration import calibrate
from pointlabel.calibration.fit import fit_style
from pointlabel.calibration.styles import OPTIONS
from pointlabel.calibration.targets import Case, Outcome, candidates_of, label_cases
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.style import Styles, fold_style
from pointlabel.engine.default.weights import Weights, load_weights, parse_weights
from tools.fit_default import fit
from tools.fit_style.fit import fit_styles
from tools.fit_style.gather import Gathered, gather, redraw, tasks_of

N_DRAWS = 5
GIVEN = {"left out": (1, 3, 10), "planted": (10,)}  # images that give their masks
WAYS = ("dilated", "eroded", "level 3 %", "level 8 %")
PARAMS = DefaultParams()


@dataclass(frozen=True, slots=True)
class Setup:
    """Rows of the table for one data set, drawn in one way: its targets, and numbers that do not know the set.

    `reference` is the outcome of the most that there is to win, over the same targets.
    """

    data: str
    way: str
    cases: list[Case]
    images: NDArray[np.int64]
    weights: Weights
    styles: Styles
    reference: Outcome


_SETUPS: list[Setup] = []  # handed to the workers by their fork


def scores(outcome: Outcome, at: NDArray[np.int64], cases: list[Case]) -> dict[str, float]:
    """Pooled IoU, mean IoU, and leaks of the targets `at`."""
    inter, union = outcome.inter[at], outcome.union[at]
    true = np.array([cases[k].true_area for k in at])
    leaks = int(has_leaked(inter + union - true, true).sum())
    return {"iou": float(inter.sum() / union.sum()), "mean_iou": float((inter / union).mean()), "leaks": leaks}


def measure(number: int) -> list[dict[str, Any]]:
    """All draws of one setup."""
    torch.set_num_threads(1)
    setup = _SETUPS[number]
    plain = label_cases(setup.cases, setup.weights, PARAMS)
    rows = []
    for n_given in GIVEN["left out" if setup.way == "as they are" else "planted"]:
        draws, taken, times = [], [], []
        for draw in range(N_DRAWS):
            names = np.random.default_rng(100 + draw).permutation(np.unique(setup.images))
            given = np.isin(setup.images, names[:n_given])
            rest = np.flatnonzero(~given)
            start = perf_counter()
            found = calibrate(
                [setup.cases[k] for k in np.flatnonzero(given)], weights=setup.weights, styles=setup.styles, seed=draw
            )
            times.append((perf_counter() - start) * 1000)
            taken.append(found.option)
            after = plain
            if found.worth_using:
                numbers = fold_style(setup.weights, setup.styles, found.style.numbers)
                after = label_cases(setup.cases, numbers, found.style.params(PARAMS))
            draws.append([scores(outcome, rest, setup.cases) for outcome in (plain, after, setup.reference)])
        mean = [{key: float(np.mean([d[k][key] for d in draws])) for key in draws[0][k]} for k in range(3)]
        change = [d[1]["iou"] - d[0]["iou"] for d in draws]
        rows.append(
            {
                "data": setup.data,
                "way": setup.way,
                "images": n_given,
                "draws": N_DRAWS,
                "targets": len(setup.cases),
                **dict(zip(("before", "after", "reference"), mean, strict=True)),
                "change": float(np.mean(change)),
                "worst": min(change),
                "taken": dict(Counter(taken).most_common()),
                "time": spread(times),
            }
        )
    return rows


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What `make` gives, out of the cache where it is there."""
    if not path.is_file():
        print(f"fitting {path.stem} ...", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(make()))
    return pickle.loads(path.read_bytes())


def _numbers(given: Gathered, train: NDArray[np.bool_]) -> dict[str, Any]:
    return fit.fit(given.cases, given.candidates, train, 0, PARAMS)[0]


def _refitted(cases: list[Case]) -> Outcome:
    return fit.held_out(cases, candidates_of(cases), fit.folds_of(cases), 0, PARAMS)[0]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A data set with numbers and directions that do not know it, and the styles that these were fitted with."""

    group: int
    name: str
    weights: Weights
    styles: Styles
    vectors: dict[str, NDArray[np.float64]]


def strangers(given: Gathered, cache: Path, digest: str) -> Iterator[Stranger]:
    """Fit numbers and directions without each data set in turn, out of the cache where they are there."""
    scripts = b"".join(path.read_bytes() for path in sorted((ROOT / "tools").glob("fit_*/*.py")))
    key = hashlib.sha256(scripts + digest.encode()).hexdigest()[:16]
    tasks = tasks_of(given)
    infrared = given.at(np.flatnonzero(given.sets < len(DATASETS)))
    for group, name in enumerate(ALL_DATASETS):
        weights = load_weights()
        if name in DATASETS:
            make = partial(_numbers, infrared, infrared.sets != group)
            weights = parse_weights(kept(cache / f"{key}-numbers-without-{name}.pickle", make))
        fitted = partial(fit_styles, weights, given, tasks, given.sets != group)
        styles, vectors = kept(cache / f"{key}-styles-without-{name}.pickle", fitted)
        yield Stranger(group, name, weights, styles, vectors)


def setups_of(given: Gathered, ways: tuple[str, ...], cache: Path, digest: str) -> Iterator[Setup]:
    """Every data set as it is, and the infrared ones in every other way, with numbers that do not know them."""
    for stranger in strangers(given, cache, digest):
        own, name, weights, styles = given.of(stranger.group), stranger.name, stranger.weights, stranger.styles
        if "as they are" in ways:
            best = [fit_style(own.cases, weights, styles, PARAMS, o.pulls) for o in OPTIONS if o.pulls is not None]
            outcomes = [label_cases(own.cases, fold_style(weights, styles, style), PARAMS) for style in best]
            most = max(outcomes, key=lambda outcome: outcome.inter.sum() / outcome.union.sum())
            yield Setup(name, "as they are", own.cases, own.images, weights, styles, most)
        for way in WAYS if name in DATASETS else ():
            if way in ways:
                pairs = [(k, case) for k, c in enumerate(own.cases) if (case := redraw(c, way)) is not None]
                cases, at = [case for _, case in pairs], np.array([k for k, _ in pairs])
                refitted = kept(cache / f"{digest}-refitted-{name}-{way}.pickle", partial(_refitted, cases))
                yield Setup(name, way, cases, own.images[at], weights, styles, refitted)


def _other_rows(out: Path | None, ways: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of an earlier result that this run does not make anew."""
    if out is None or not out.exists():
        return []
    return [row for row in json.loads(out.read_text(encoding="utf-8"))["result"]["rows"] if row["way"] not in ways]


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    cells = [f"{row[k]['iou']:.3f} / {row[k]['mean_iou']:.3f}" for k in ("before", "after", "reference")]
    leaks = f"leaks {row['before']['leaks']:.1f} -> {row['after']['leaks']:.1f}"
    print(
        f"{row['data']:<13}{row['way']:<12}{row['images']:>3}  {'  '.join(cells)}  {row['change']:+.3f} "
        f"worst {row['worst']:+.3f}  {leaks}  {row['time']['median_ms'] / 1000:.2f} s  {row['taken']}",
        flush=True,
    )


def main() -> None:
    """Gather the targets, fit what is left out, measure every setup."""
    options = parser(__doc__)
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes")
    options.add_argument(
        "--ways",
        nargs="+",
        choices=("as they are", *WAYS),
        default=("as they are", *WAYS),
        help="only these; rows of others stay",
    )
    options.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "pointlabel-bench", help="folder for fitted numbers"
    )
    args = options.parse_args()
    torch.set_num_threads(1)
    given, digest = gather(need_data(args), 10 if args.quick else 1)
    _SETUPS.extend(setups_of(given, tuple(args.ways), args.cache, digest))
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("fork")) as pool:
        rows = _other_rows(args.out, args.ways)
        for more in pool.map(measure, range(len(_SETUPS))):
            rows += more
            for row in more:
                show(row)
            if args.out is not None:  # as it goes: what was measured stays where a run is stopped
                write_result({"rows": rows}, args.out)


if __name__ == "__main__":
    main()
