"""Fit the directions of styles on all data sets, and write them with the styles that have names.

    python -m tools.fit_style.fit --data DIR        writes pointlabel/engine/default/weights/styles.json

The numbers of `tools.fit_default` stay as they are. Needs the extra [train]; `benchmarks.accuracy.calibration` says
how styles hold on data sets that they were not fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import ALL_DATASETS, DATASETS, ROOT, need_data, parser
from pointlabel.engine.default.style import Styles, fold_style, parse_styles
from pointlabel.engine.default.weights import Weights, load_weights
from tools.fit_style.directions import fit_border, fit_score, pixels_of, regauge
from tools.fit_style.gather import LEAST_DRAWN, Gathered, Task, gather, tasks_of
from tools.stored import provenance, rounded

STYLES = ROOT / "pointlabel" / "engine" / "default" / "weights" / "styles.json"
DIGITS = 5  # of each number that is written: a style is known less well
#: Name of a style -> the tasks whose vectors it is the mean of, beside "infrared", the default.
NAMED = {
    "exact": ("RSS-dark-1",),
    "gaussian": ("MDvsFA-train",),
    "pasted": ("DenseSIRST",),
    "blob": ("MT-blowhole",),
    **{
        name: tuple(f"{group}, {way}" for group in DATASETS)
        for name, way in (("tight", "eroded"), ("loose", "dilated"), ("core", "level 50 %"))
    },
}


def fit_styles(
    weights: Weights, given: Gathered, tasks: Sequence[Task], train: NDArray[np.bool_], seed: int = 0
) -> tuple[Styles, dict[str, NDArray[np.float64]]]:
    """Directions, the score's first, fitted on the targets of `train`; and the vector of each task by its name."""
    kept = [some for task in tasks if len((some := task.keep(train)).index) >= LEAST_DRAWN]
    is_drawn = np.array([task.is_drawn for task in kept])
    score, a = fit_score(weights.score, given.candidates, kept, seed)
    there, back = regauge(a, is_drawn)
    a, score = a @ there, np.tensordot(back, score, 1)
    n = a.shape[1]
    partly = Styles(score, tuple((np.zeros((n, 1, 1)), np.zeros((n, 1))) for _ in weights.refine.layers), {}, {})
    pixels = [pixels_of(task.cases, fold_style(weights, partly, vector)) for task, vector in zip(kept, a, strict=True)]
    layers, b = fit_border(weights, pixels, kept, a, seed)
    there, back = regauge(b, is_drawn)
    b = b @ there

    def gauged(change: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([change[:n], np.tensordot(back, change[n:], 1)])

    vectors = {task.name: np.concatenate([a[k], b[k]]) for k, task in enumerate(kept)}
    stored = {
        "score": score,
        "layers": [
            {"bias": gauged(shift)} if change is None else {"weight": gauged(change), "bias": gauged(shift)}
            for change, shift in layers
        ],
        "named": {},
        "provenance": {},
    }
    return parse_styles(stored), vectors


def encode(styles: Styles, vectors: dict[str, NDArray[np.float64]], about: dict[str, Any]) -> str:
    """JSON of the directions and of the styles that have names; `about` says what they come from."""
    named = {"infrared": [0.0] * len(next(iter(vectors.values())))}
    named |= {name: np.mean([vectors[task] for task in tasks], 0).tolist() for name, tasks in NAMED.items()}
    layers = [
        {name: each.tolist() for name, each in zip(("weight", "bias"), layer, strict=True) if each.any()}
        for layer in styles.layers
    ]
    stored = {"score": styles.score.tolist(), "layers": layers, "named": named, "provenance": about}
    return rounded(stored, DIGITS, separators=(",", ":"))


def main() -> None:
    """Fit on everything and write the file."""
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--styles", type=Path, default=STYLES, help="file to write")
    args = options.parse_args()
    torch.set_num_threads(1)
    given, digest = gather(need_data(args), 10 if args.quick else 1)
    everything = np.ones(len(given.cases), bool)
    styles, vectors = fit_styles(load_weights(), given, tasks_of(given), everything, args.seed)
    about = provenance("tools.fit_style.fit", ALL_DATASETS, digest, seed=args.seed, targets=len(given.cases))
    args.styles.write_text(encode(styles, vectors, about), encoding="utf-8")
    print(f"{len(given.cases)} targets; written to {args.styles}")


if __name__ == "__main__":
    main()
