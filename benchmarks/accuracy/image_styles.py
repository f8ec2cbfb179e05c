"""Whether a folder's images tell its style without any mask, on data sets that nothing was fitted on.

    python -m benchmarks.accuracy.image_styles --data DIR --out benchmarks/results/image_styles.json

From what the windows of a folder show (blur, contrast over noise and clutter, saturation, size: medians and spreads)
its style is guessed by the styles of the other data sets: their mean, that of the most similar one, a ridge regression,
and half of that. Pooled IoU, centroid points. Needs the extra [train]. Fits are shared with `calibration` in --cache.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.accuracy.calibration import PARAMS, strangers
from benchmarks.common import ALL_DATASETS, finish, need_data, parser
from pointlabel.calibration.targets import Case, label_cases
from pointlabel.engine.default.params import LONGEST_STYLE
from pointlabel.engine.default.style import fold_style
from pointlabel.engine.default.window import HALF
from tools.fit_style.gather import gather

GUESSES = ("default", "mean", "most similar", "ridge", "half of ridge")


def look(cases: list[Case]) -> NDArray[np.float64]:
    """Medians, then spreads, of six numbers per window: blur twice, contrast twice, saturation, size; (12,)."""
    rows = []
    for case in cases:
        core = case.window.core.astype(float)
        contrast, peak = max(float(case.regions.contrast.max()), 1.0), core[HALF, HALF]
        near = [core[HALF - r : HALF + r + 1, HALF - r : HALF + r + 1] for r in (1, 2, 4)]
        size = (case.regions.level_of[2] <= 8).sum()
        over = [np.log(contrast / max(x, 1e-3)) for x in (case.window.noise, case.window.spread)]
        blur = [(peak - part.mean()) / contrast for part in near[:2]]
        rows.append([*blur, *over, np.log(np.mean(near[2] >= peak)), np.log(max(size, 1))])
    table = np.array(rows)
    return np.concatenate([np.median(table, 0), table.std(0)])


def guesses(looks: NDArray[np.float64], group: int, vectors: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Styles by `GUESSES` for the data set `group`, from the looks of all and the styles (6, 7) of the others."""
    others = np.delete(looks, group, 0)
    z, own = ((x - others.mean(0)) / (others.std(0) + 1e-9) for x in (others, looks[group]))
    mean = vectors.mean(0)
    ridge = mean + own @ z.T @ np.linalg.solve(z @ z.T + looks.shape[1] * np.eye(len(z)), vectors - mean)
    nearest = vectors[np.argmin(((z - own) ** 2).sum(1))]
    return [np.clip(s, -LONGEST_STYLE, LONGEST_STYLE) for s in (0 * mean, mean, nearest, ridge, 0.5 * ridge)]


def main() -> None:
    """Guess and score the style of every data set."""
    options = parser(__doc__)
    options.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "pointlabel-bench", help="folder for fitted numbers"
    )
    args = options.parse_args()
    torch.set_num_threads(1)
    given, digest = gather(need_data(args), 10 if args.quick else 1)
    looks = np.array([look(given.of(group).cases) for group in range(len(ALL_DATASETS))])
    rows = []
    for one in strangers(given, args.cache, digest):
        vectors = np.array([one.vectors[name] for name in ALL_DATASETS if name != one.name])
        scores = []
        for style in guesses(looks, one.group, vectors):
            outcome = label_cases(given.of(one.group).cases, fold_style(one.weights, one.styles, style), PARAMS)
            scores.append(float(outcome.inter.sum() / outcome.union.sum()))
        rows.append({"data": one.name, **dict(zip(GUESSES, scores, strict=True))})
        print(f"{one.name:<13}" + "  ".join(f"{name} {score:.3f}" for name, score in zip(GUESSES, scores, strict=True)))
    finish({"rows": rows}, args.out)


if __name__ == "__main__":
    main()
