"""What each step of the default brings where everything is fitted anew without it: pooled IoU and mean IoU.

    python -m tools.fit_default.refit --out benchmarks/results/steps_refit.json

Every image is judged by numbers fitted on the four fifths of the images that lack it. Needs the extra [train].
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.common import finish, need_data, parser
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import VOTING_SCALES, grow_regions
from tools.fit_default.fit import candidates_of, folds_of, gather, held_out, show, summary

#: Name of the row -> changes of the parameters; with every step on it is `tools.fit_default.fit --report`.
REFITS: dict[str, dict[str, Any]] = {
    **{f"n_scales {n}": {"n_scales": n} for n in (1, 2, 3)},
    "without heat (n_steps 0)": {"n_steps": 0},
    "without refine": {"refine": False},
    "without heat and refine: the vote alone": {"n_steps": 0, "refine": False},
}


def main() -> None:
    """Fit without each step in turn, print, store."""
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    everything, _ = gather(need_data(args), 10 if args.quick else 1)
    table = []
    for name, changes in REFITS.items():
        params = replace(DefaultParams(), **changes)
        cases = everything
        if params.n_scales < max(VOTING_SCALES):
            cases = [replace(c, regions=grow_regions(c.window, VOTING_SCALES[params.n_scales])) for c in everything]
        rows = summary(cases, *held_out(cases, candidates_of(cases), folds_of(cases), args.seed, params))
        show(name, rows)
        line: dict[str, Any] = {"name": name, "part": "refitted"}
        table.append(line | {f"{r['data']} {r['points']}": {"iou": r["iou"], "niou": r["mean_iou"]} for r in rows})
    note = "refitted without the step, each image judged by numbers fitted on others; nIoU is a mean over targets"
    finish({"note": note, "seed": args.seed, "rows": table}, args.out)


if __name__ == "__main__":
    main()
