"""Fit the numbers of the default method, or report how they hold on targets they were not fitted on.

    python -m tools.fit_default.fit --data DIR            writes pointlabel/engine/default/weights/default.json
    python -m tools.fit_default.fit --data DIR --report   judges on targets that were held out; writes nothing

Both kinds of point of every data set are used together. Folds go by a hash of the image's name, so that no image
is on both sides. Needs the extra [train].
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import DATASETS, N_FOLDS, POINTS, ROOT, finish, fold_of, load, need_data, parser
from pointlabel.calibration.targets import (
    Candidates,
    Case,
    HeatedVote,
    Outcome,
    candidates_of,
    cases_of,
    inputs_of,
    label_cases,
    true_pixels,
    votes_of,
)
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.quality import quality
from pointlabel.engine.default.regions import VOTING_SCALES, grow_regions
from pointlabel.engine.default.weights import parse_weights
from pointlabel.engine.default.window import HALF
from tools.fit_default.parts import Pixels, fit_quality, fit_refine, fit_score
from tools.fit_default.ranking import rank
from tools.stored import provenance, rounded

WEIGHTS = ROOT / "pointlabel" / "engine" / "default" / "weights" / "default.json"
NO_QUALITY = {"centre": [], "deviation": [], "hidden": [], "hidden_bias": [], "coefficients": [], "bias": 0.0}


def gather(data: Path, every: int) -> tuple[list[Case], str]:
    """Every target of every data set with both kinds of point, and a hash of what was read."""
    cases = []
    digest = hashlib.sha256()
    for group, name in enumerate(DATASETS):
        for kind, points in enumerate(POINTS):
            for sample in load(data, name, points, every=every):
                digest.update(sample.image.tobytes() + sample.mask.tobytes() + sample.points.tobytes())
                cases += cases_of(sample.image, sample.points, sample.mask, sample.id, group=group, kind=kind)
    return cases, digest.hexdigest()[:16]


def pixels_of(cases: list[Case], votes: list[HeatedVote]) -> Pixels:
    """What the refinement sees of every case."""
    seen = inputs_of(cases, votes)
    side = 2 * HALF + 1
    return Pixels(
        owner=np.repeat(np.arange(len(cases)), [len(s.rows) for s in seen]),
        inputs=np.concatenate([s.inputs for s in seen]),
        votes=np.concatenate([s.votes for s in seen]),
        truth=true_pixels(cases, seen),
        place=np.concatenate([s.rows * side + s.columns for s in seen]),
        extra=np.stack([s.extra for s in seen]),
    )


def fit(
    cases: list[Case], candidates: Candidates, train: NDArray[np.bool_], seed: int, params: DefaultParams
) -> tuple[dict[str, Any], Outcome]:
    """Fit every part in turn on the targets of `train`; return the numbers and the outcome on all targets."""
    groups = np.array([case.group for case in cases])
    area = np.array([case.true_area for case in cases], float)
    stored: dict[str, Any] = {"quality": NO_QUALITY, "provenance": {}}
    stored["score"] = fit_score(candidates, groups, train, seed=seed)
    stored["refine"] = {"centre": [], "deviation": [], "layers": []}
    votes = votes_of(cases, parse_weights(stored), params)
    if params.refine:
        stored["refine"] = fit_refine(pixels_of(cases, votes), area, groups, train, seed=seed)
    outcome = label_cases(cases, parse_weights(stored), params)
    stored["quality"] = fit_quality(outcome.inputs, outcome.iou, groups, train, seed=seed)
    return stored, outcome


def summary(cases: list[Case], outcome: Outcome, rates: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Pooled IoU, mean IoU, and how the quality ranks the targets, for each data set and kind of point."""
    rows = []
    for kind, points in enumerate(POINTS):
        for group, name in enumerate(DATASETS):
            at = np.array([case.group == group and case.kind == kind for case in cases])
            if not at.any():
                continue
            ranked = rank(rates[at], outcome.iou[at])
            rows.append(
                {
                    "data": name,
                    "points": points,
                    "targets": int(at.sum()),
                    "iou": float(outcome.inter[at].sum() / outcome.union[at].sum()),
                    "mean_iou": float(outcome.iou[at].mean()),
                    "quality_spearman": ranked["spearman"],
                    "poor_in_lowest_fifth": ranked["poor_in_lowest_fifth"],
                    "quality_gap": ranked["mean_gap"],
                }
            )
    return rows


def folds_of(cases: list[Case]) -> NDArray[np.int64]:
    """Fold of each target, by a hash of its image's name."""
    return np.array([fold_of(case.image) for case in cases])


def held_out(
    cases: list[Case], candidates: Candidates, parts: NDArray[np.int64], seed: int, params: DefaultParams
) -> tuple[Outcome, NDArray[np.float64]]:
    """Each part judged by numbers fitted on the others."""
    inter, union = np.zeros(len(cases)), np.ones(len(cases))
    inputs: NDArray[np.float64] | None = None
    rates = np.zeros(len(cases))
    for part in np.unique(parts):
        stored, outcome = fit(cases, candidates, parts != part, seed, params)
        here = parts == part
        weights = parse_weights(stored).quality
        inter[here], union[here] = outcome.inter[here], outcome.union[here]
        inputs = outcome.inputs.copy() if inputs is None else inputs
        inputs[here] = outcome.inputs[here]
        rates[here] = [quality(row, weights) for row in outcome.inputs[here]]
    assert inputs is not None
    return Outcome(inter, union, inputs), rates


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print one line a data set."""
    print(f"\n{title}\n{'':24}{'IoU':>7}{'mean':>7}{'rank':>7}{'poor':>7}{'gap':>7}")
    for row in rows:
        values = (row[k] for k in ("iou", "mean_iou", "quality_spearman", "poor_in_lowest_fifth", "quality_gap"))
        print(f"{row['data']:<13}{row['points']:<11}" + "".join(f"{v:7.3f}" for v in values), flush=True)


def main() -> None:
    """Run the fit or the report."""
    options = parser(__doc__)
    options.add_argument("--report", action="store_true", help="judge on held-out targets instead of writing weights")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--weights", type=Path, default=WEIGHTS, help="file to write")
    for name in ("n-scales", "n-steps"):
        options.add_argument(f"--{name}", type=int, help="an ablation: refit with this parameter of the method")
    options.add_argument("--no-refine", action="store_true", help="an ablation: refit without the refinement")
    args = options.parse_args()
    changes = {k: v for k in ("n_scales", "n_steps") if (v := getattr(args, k)) is not None}
    params = replace(DefaultParams(), refine=not args.no_refine, **changes)
    cases, digest = gather(need_data(args), 10 if args.quick else 1)
    if params.n_scales < max(VOTING_SCALES):
        cases = [replace(c, regions=grow_regions(c.window, VOTING_SCALES[params.n_scales])) for c in cases]
    candidates = candidates_of(cases)
    everything = np.ones(len(cases), bool)
    stored, outcome = fit(cases, candidates, everything, args.seed, params)
    weights = parse_weights(stored).quality
    result = {"fitted": summary(cases, outcome, np.array([quality(row, weights) for row in outcome.inputs]))}
    show(f"{len(cases)} targets, scored on what was fitted", result["fitted"])
    if args.report:
        folds = folds_of(cases)
        sets = np.array([case.group for case in cases])
        for key, title, parts in (
            ("cross_validated", f"cross-validated, {N_FOLDS} folds of images", folds),
            ("left_out", "one data set left out", sets),
        ):
            result[key] = summary(cases, *held_out(cases, candidates, parts, args.seed, params))
            show(title, result[key])
    else:
        stored["provenance"] = provenance("tools.fit_default.fit", DATASETS, digest, seed=args.seed, targets=len(cases))
        args.weights.parent.mkdir(parents=True, exist_ok=True)
        # more digits than float32 can tell apart
        args.weights.write_text(rounded(stored, 7, separators=(",", ":")), encoding="utf-8")
        print(f"\nwritten to {args.weights}")
    finish(result, args.out)


if __name__ == "__main__":
    main()
