"""How well the quality predicts the IoU of the default method's masks, on targets it was not fitted on.

    python -m tools.fit_default.quality --out benchmarks/results/quality.json
    python -m tools.fit_default.quality --picture docs/images/quality.png --from benchmarks/results/quality.json

The first fits everything five times, each image judged by numbers fitted on the others, as
`fit.py --report` does, and needs the extra [train]. The second draws what the first stored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ALL_DATASETS, DATASETS, POINTS, finish, need_data, parser
from tools.fit_default.ranking import N_BINS, POOR, rank

COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by the colour-blind too


def measure(data: Path, quick: bool, seed: int) -> list[dict[str, Any]]:
    """Rank the held-out masks of every data set with both kinds of point, and those of all together."""
    from pointlabel.engine.default.params import DefaultParams
    from tools.fit_default.fit import candidates_of, folds_of, gather, held_out  # needs the extra [train]

    cases, _ = gather(data, 10 if quick else 1)
    outcome, rates = held_out(cases, candidates_of(cases), folds_of(cases), seed, DefaultParams())
    groups, kinds = np.array([c.group for c in cases]), np.array([c.kind for c in cases])
    rows = []
    for kind, points in enumerate(POINTS):
        for group, dataset in enumerate(DATASETS):
            at = (groups == group) & (kinds == kind)
            rows.append({"data": dataset, "points": points, **rank(rates[at], outcome.iou[at])})
        at = kinds == kind
        rows.append({"data": "all", "points": points, **rank(rates[at], outcome.iou[at])})
    return rows


def measure_strangers(data: Path, quick: bool) -> list[dict[str, Any]]:
    """Rank the masks of the data sets that no number was fitted on, in the default style; centroid points."""
    from pointlabel.calibration.targets import label_cases
    from pointlabel.engine.default.params import DefaultParams
    from pointlabel.engine.default.quality import qualities
    from pointlabel.engine.default.weights import load_weights
    from tools.fit_style.gather import gather  # needs the extra [train]

    weights = load_weights()
    given, _ = gather(data, 10 if quick else 1)
    rows = []
    for group in range(len(DATASETS), len(ALL_DATASETS)):
        outcome = label_cases(given.of(group).cases, weights, DefaultParams())
        ranked = rank(qualities(outcome.inputs, weights.quality), outcome.iou)
        rows.append({"data": ALL_DATASETS[group], "points": next(iter(POINTS)), **ranked})
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Reliability of centroid points: one line for each data set; on the diagonal the quality is the IoU."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="quality = IoU")
    for colour, dataset in zip(COLOURS, DATASETS, strict=True):
        row = next(r for r in rows if r["data"] == dataset and r["points"] == "centroid")
        axes.plot(
            [b["quality"] for b in row["bins"]],
            [b["iou"] for b in row["bins"]],
            marker="o",
            markersize=4,
            linewidth=1.2,
            color=colour,
            label=f"{dataset}, Spearman {row['spearman']:.2f}",
        )
    axes.set(xlabel="mean quality of a tenth of the masks", ylabel="their mean IoU", xlim=(0.2, 1), ylim=(0.2, 1))
    axes.set_aspect("equal")
    axes.grid(color="0.92")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    print(f"written to {path}")


def show(rows: list[dict[str, Any]]) -> None:
    """Print one line for each data set and kind of point."""
    print(f"{'':<24}{'targets':>8}{'Spearman':>10}{'poor':>6}{'in lowest fifth':>17}{'mean gap':>10}")
    for row in rows:
        print(
            f"{row['data']:<13}{row['points']:<11}{row['targets']:>8}{row['spearman']:>10.3f}{row['poor']:>6}"
            f"{row['poor_in_lowest_fifth']:>17.2f}{row['mean_gap']:>10.3f}"
        )


def main() -> None:
    """Measure, or draw what was measured."""
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--picture", type=Path, help="draw the reliability there")
    options.add_argument("--from", dest="stored", type=Path, help="take the figures from this result, measure nothing")
    args = options.parse_args()
    if args.stored:
        held = json.loads(args.stored.read_text(encoding="utf-8"))["result"]
        rows, strangers = held["rows"], held["strangers"]
    else:
        rows = measure(need_data(args), args.quick, args.seed)
        strangers = measure_strangers(need_data(args), args.quick)
    show(rows + strangers)
    if args.picture:
        draw(rows, args.picture)
    if not args.stored:
        finish({"bins": N_BINS, "poor_below": POOR, "seed": args.seed, "rows": rows, "strangers": strangers}, args.out)


if __name__ == "__main__":
    main()
