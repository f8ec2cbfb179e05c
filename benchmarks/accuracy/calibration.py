"""What `pointlabel calibrate` wins and risks, scored on images that it was not calibrated on.

    python -m benchmarks.accuracy.calibration --data DIR --out benchmarks/results/calibrate.json

Random images of one data set give their masks, a calibration chooses a style, and other images of the set are scored
with the defaults and with the style; the mean over draws is reported. The parts:

    shipped   masks as they are, the package's numbers: nothing to win, so nothing must be lost
    left out  masks as they are, numbers fitted on the two other data sets; the reference is the package's numbers
    dilated   masks dilated by one pixel (a cross), the package's numbers; the reference is what these score on the
    eroded    masks as they are. Eroded likewise, without the targets that vanish
    level     masks redrawn as the region of the peak above 3 % or 8 % of its height over a 35 px background, without
              those that reach the noise, the window's border, or four times the true area

Won back is the gain over what the reference is ahead by. Refitted is what there is to win at all: all numbers fitted
anew on masks drawn in the style, four fifths of the images of all three sets, and scored on the rest in turn. IoU is
pooled over pixels, nIoU the mean over images.
Needs the extra [train]. Fits for the part "left out" are kept in --cache.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.common import DATASETS, ROOT, need_data, parser, spread, write_result
from pointlabel.calibration import calibrate
from pointlabel.calibration.targets import Case, HeatedVote, Outcome, candidates_of, label_cases, votes_of
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import FLOOR_NOISES
from pointlabel.engine.default.style import add_style
from pointlabel.engine.default.weights import Weights, load_weights, parse_weights
from pointlabel.engine.default.window import HALF
from tools.fit_default import fit

N_DRAWS, N_IMAGES, N_SCORED = 20, 10, 200  # of each draw: images with masks, other images that are scored
LEVEL_SCALE = 2  # the background of 35 px
LARGEST = 4.0  # times the true area: a region beyond is clutter, not what anybody draws
PARAMS = DefaultParams()
Pair = NDArray[np.float64]  # pooled IoU, nIoU


def _as_it_is(case: Case) -> Case:
    return case


def _redrawn(case: Case, truth: NDArray[np.bool_] | None) -> Case | None:
    if truth is None or not truth.any():
        return None
    return replace(case, truth=truth, true_area=case.true_area + int(truth.sum()) - int(case.truth.sum()))


def _region_above(case: Case, level: float) -> NDArray[np.bool_] | None:
    """Connected region of the peak above a share of its height; None where nobody would draw it."""
    height = case.regions.residual[LEVEL_SCALE]
    least = level * float(height[HALF, HALF])
    if least < FLOOR_NOISES * case.window.floor:
        return None
    labels, _ = ndimage.label((height >= least) & case.window.inside, np.ones((3, 3)))
    region: NDArray[np.bool_] = labels == labels[HALF, HALF]
    at_border = region[[0, -1]].any() or region[:, [0, -1]].any()
    return None if at_border or region.sum() > LARGEST * case.true_area else region


#: Part -> how its masks are drawn.
PARTS: dict[str, Callable[[Case], Case | None]] = {
    "shipped": _as_it_is,
    "left out": _as_it_is,
    "dilated": lambda case: _redrawn(case, ndimage.binary_dilation(case.truth)),
    "eroded": lambda case: _redrawn(case, ndimage.binary_erosion(case.truth)),
    "level 3 %": lambda case: _redrawn(case, _region_above(case, 0.03)),
    "level 8 %": lambda case: _redrawn(case, _region_above(case, 0.08)),
}


@dataclass(frozen=True, slots=True)
class Setup:
    """One row of the table: a data set, a part, how many images give masks, and its targets.

    `plain` and `cases` are the targets with their own masks and with those of the part, `refitted` what numbers score
    on the latter that were fitted to their style.
    """

    data: str
    part: str
    n_images: int
    n_draws: int
    weights: Weights
    plain: list[Case]
    cases: list[Case]
    refitted: Outcome


_SETUPS: list[Setup] = []  # handed to the workers by their fork


def pair(outcome: Outcome, images: NDArray[np.int64], at: NDArray[np.int64]) -> Pair:
    """Pooled IoU and nIoU of the targets `at`, whose images are numbered by `images`."""
    inter, union = (np.bincount(images[at], values[at]) for values in (outcome.inter, outcome.union))
    return np.array([inter.sum() / union.sum(), (inter[union > 0] / union[union > 0]).mean()])


def labelled(cases: Sequence[Case], votes: Sequence[HeatedVote] | None, weights: Weights) -> Outcome:
    """The defaults with some fitted numbers."""
    return label_cases(cases, votes_of(cases, weights, PARAMS) if votes is None else votes, weights, PARAMS)


def measure(number: int) -> dict[str, Any]:
    """All draws of one setup."""
    torch.set_num_threads(1)
    setup = _SETUPS[number]
    cases = setup.cases
    names, images = np.unique([case.image for case in cases], return_inverse=True)
    votes = votes_of(cases, setup.weights, PARAMS)
    before = labelled(cases, votes, setup.weights)
    reference = labelled(setup.plain, None, load_weights()) if setup.part != "shipped" else before
    rng = np.random.default_rng(1)
    rows: list[list[Pair]] = []
    taken: list[str] = []
    times = []
    for seed in range(setup.n_draws):
        order = rng.permutation(len(names))
        given, scored = order[: setup.n_images], order[setup.n_images :][:N_SCORED]
        at = np.flatnonzero(np.isin(images, scored))
        start = perf_counter()
        found = calibrate([cases[k] for k in np.flatnonzero(np.isin(images, given))], weights=setup.weights, seed=seed)
        times.append((perf_counter() - start) * 1000)
        taken.append(found.option)
        rows.append([pair(outcome, images, at) for outcome in (reference, before, setup.refitted)])
        style = found.style
        if found.worth_using:
            weights = add_style(setup.weights, style.score_style, style.border_style)
            chosen = [cases[k] for k in at]
            seen = votes_of(chosen, weights, PARAMS) if style.score_style else [votes[k] for k in at]
            after = label_cases(chosen, seen, weights, style.params(PARAMS), style.tightness)
            rows[-1].append(pair(after, images[at], np.arange(len(at))))
        else:
            rows[-1].append(rows[-1][1])
    table = np.array(rows)
    mean, change = table.mean(0), table[:, 3] - table[:, 1]
    lost = mean[0] - mean[1]
    return {
        "data": setup.data,
        "part": setup.part,
        "images": setup.n_images,
        "draws": setup.n_draws,
        "targets": len(cases),
        **{
            name: {"iou": float(p), "niou": float(n)}
            for name, (p, n) in zip(("reference", "before", "refitted", "after"), mean, strict=True)
        },
        "change": {"iou": float(change.mean(0)[0]), "niou": float(change.mean(0)[1])},
        "worst": {"iou": float(change[:, 0].min()), "niou": float(change[:, 1].min())},
        "won_back": None
        if setup.part == "shipped"
        else {
            name: float(change.mean(0)[k] / lost[k]) if lost[k] > 0 else None for k, name in enumerate(("iou", "niou"))
        },
        "taken": dict(Counter(taken).most_common()),
        "time": spread(times),
    }


def left_out(cases: list[Case], digest: str, group: int, cache: Path) -> Weights:
    """Numbers fitted without a data set, out of the cache where they are there."""
    scripts = b"".join((ROOT / "tools" / "fit_default" / name).read_bytes() for name in ("fit.py", "parts.py"))
    key = hashlib.sha256(scripts + digest.encode()).hexdigest()[:16]
    path = cache / f"{key}-without-{DATASETS[group]}.json"
    if not path.is_file():
        print(f"fitting without {DATASETS[group]} ...", flush=True)
        train = np.array([case.group != group for case in cases])
        stored, _ = fit.fit(cases, candidates_of(cases), train, 0, PARAMS)
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(stored), encoding="utf-8")
    return parse_weights(json.loads(path.read_text(encoding="utf-8")))


def refitted(cases: list[Case]) -> Outcome:
    """Every target labelled by numbers that were fitted on four fifths of the images, its own not among them."""
    print(f"fitting {fit.N_FOLDS} times to {len(cases)} targets ...", flush=True)
    return fit.held_out(cases, candidates_of(cases), fit.folds_of(cases), 0, PARAMS)[0]


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    won = row["won_back"] or {}
    cells = [
        f"{row[name]['iou']:.3f} / {row[name]['niou']:.3f}" for name in ("reference", "before", "refitted", "after")
    ]
    cells.append(f"{row['change']['iou']:+.4f} / {row['change']['niou']:+.4f}")
    cells.append(" / ".join("-" if won.get(name) is None else f"{won[name]:.0%}" for name in ("iou", "niou")))
    print(f"{row['data']:<11}{row['part']:<10}{row['images']:>3}  " + "  ".join(f"{c:>17}" for c in cells), end="")
    print(f"  {row['time']['median_ms'] / 1000:5.1f} s", flush=True)


def main() -> None:
    """Gather the targets, fit what is left out, measure every setup."""
    options = parser(__doc__)
    options.add_argument("--draws", type=int, default=N_DRAWS, help="draws of images a row")
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes")
    options.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="only these")
    options.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "pointlabel-bench", help="folder for fitted numbers"
    )
    args = options.parse_args()
    torch.set_num_threads(1)
    cases, digest = fit.gather(need_data(args), 10 if args.quick else 1)
    own = {}
    if "left out" in args.parts:
        own["left out"] = [left_out(cases, digest, group, args.cache) for group in range(len(DATASETS))]
    cases = [case for case in cases if case.kind == 0]  # the coarse points were for the fits; half the memory
    anew: dict[Callable[[Case], Case | None], Outcome] = {}
    for part in args.parts:
        draw = PARTS[part]
        drawn = [(case, other) for case in cases if (other := draw(case)) is not None]
        others = [other for _, other in drawn]
        if draw not in anew:  # two parts change no mask
            anew[draw] = refitted(others)
        for group, name in enumerate(DATASETS):
            at = np.flatnonzero([case.group == group for case in others])
            weights = own.get(part, [load_weights()] * 3)[group]
            _SETUPS.append(
                Setup(
                    name,
                    part,
                    N_IMAGES,
                    3 if args.quick else args.draws,
                    weights,
                    [drawn[k][0] for k in at],
                    [others[k] for k in at],
                    Outcome(anew[draw].inter[at], anew[draw].union[at], anew[draw].inputs[at]),
                )
            )
    print(f"{'':26}{'reference':>17}{'before':>19}{'refitted':>19}{'after':>19}{'change':>19}{'won back':>19}")
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("fork")) as pool:
        rows = []
        for row in pool.map(measure, range(len(_SETUPS))):
            rows.append(row)
            show(row)
            if args.out is not None:  # as it goes: what was measured stays where a run is stopped
                write_result({"rows": rows}, args.out)


if __name__ == "__main__":
    main()
