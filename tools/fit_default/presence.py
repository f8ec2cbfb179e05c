"""Fit the presence, the chance that a click is on a target at all, or report how it tells targets from other clicks.

    python -m tools.fit_default.presence --data DIR            writes pointlabel/engine/default/weights/presence.json
    python -m tools.fit_default.presence --data DIR --report   judges on clicks that were held out; writes no weights

The clicks are those of `clicks.py`. In the fit every data set weighs the same, as do clicks on targets and others, and
of these the random ones and the peaks of clutter. Folds go by a hash of the image's name, so that no image is on both
sides.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.common import ALL_DATASETS, DATASETS, N_FOLDS, ROOT, finish, fold_of, need_data, parser
from pointlabel.engine.default.label import label_peak
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.presence import INPUTS, LARGEST_Z, parse_presence, presence_inputs, presences
from pointlabel.engine.default.quality import quality, quality_inputs
from pointlabel.engine.default.weights import load_weights
from pointlabel.methods.peaks import find_peak
from pointlabel.types import DOUBTFUL_BELOW
from tools.fit_default.clicks import CLUTTER, INVERTED, KINDS, POSITIVE, RANDOM, clicks_of
from tools.stored import provenance, rounded

WEIGHTS = ROOT / "pointlabel" / "engine" / "default" / "weights" / "presence.json"
N_BINS = 10
DECAY = 1e-3  # on the squares of the coefficients


@dataclass(frozen=True, slots=True)
class Clicks:
    """What the fit knows of n clicks: data set, kind and fold (n,), inputs (n, I), whether there is a vote, quality."""

    group: NDArray[np.int64]
    kind: NDArray[np.int64]
    fold: NDArray[np.int64]
    inputs: NDArray[np.float64]
    has_vote: NDArray[np.bool_]
    quality: NDArray[np.float64]

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """Clicks on targets, (n,)."""
        return self.kind < POSITIVE


def gather(data: Path, every: int) -> tuple[Clicks, str]:
    """Run the default method on every click, and hash what was read."""
    params, weights, digest, rows = DefaultParams(), load_weights(), hashlib.sha256(), []
    for name, image, clicks in clicks_of(data, every=every):
        digest.update(image.tobytes() + repr(clicks).encode())
        for click in clicks:
            for peak in dict.fromkeys((find_peak(image, click.pixel), click.pixel)):  # as `label_default` goes on
                label = label_peak(image, peak, params, weights)
                if label.found:
                    break
            rate = quality(quality_inputs(label.soft, label.mask, label.vote), weights.quality) if label.found else 0.0
            place = (click.group, click.kind, fold_of(name))
            seen = presence_inputs(label.regions, label.vote)
            rows.append((*place, seen, bool(label.vote.share.any()), rate))
    return Clicks(*(np.array(column) for column in zip(*rows, strict=True))), digest.hexdigest()[:16]


def shares_of(clicks: Clicks, train: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weight of each click in a fit on `train`, (n,), sum 1; wrong polarities have none."""
    out = np.zeros(len(train))
    for group in range(len(ALL_DATASETS)):
        for kinds in ([*range(POSITIVE)], [RANDOM], [CLUTTER]):
            here = train & (clicks.group == group) & np.isin(clicks.kind, kinds)
            out[here] = (2 if kinds == [*range(POSITIVE)] else 1) / max(here.sum(), 1)
    return out / out.sum()


def fit(clicks: Clicks, train: NDArray[np.bool_]) -> dict[str, Any]:
    """Fit a logistic model by Newton's method on the clicks of `train` that have a vote."""
    share = shares_of(clicks, train)
    lost = share * ~clicks.has_vote
    voting = (share > 0) & clicks.has_vote
    w, x, y = share[voting], clicks.inputs[voting], clicks.is_target[voting].astype(float)
    w = w / w.sum()
    centre = w @ x
    deviation = np.sqrt(w @ (x - centre) ** 2) + 1e-9
    z = np.column_stack([np.clip((x - centre) / deviation, -LARGEST_Z, LARGEST_Z), np.ones(len(x))])
    decay = np.diag([2 * DECAY] * len(INPUTS) + [0.0])
    beta = np.zeros(z.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-z @ beta))
        step = np.linalg.solve((z.T * (w * p * (1 - p))) @ z + decay, z.T @ (w * (p - y)) + decay @ beta)
        beta -= step
        if np.abs(step).max() < 1e-10:
            break
    return {
        "inputs": list(INPUTS),
        "centre": centre.tolist(),
        "deviation": deviation.tolist(),
        "coefficients": beta[:-1].tolist(),
        "bias": float(beta[-1]),
        "without_vote": float((lost * clicks.is_target).sum() / max(lost.sum(), 1e-9)),
    }


def held_out(clicks: Clicks, parts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Presence of every click by numbers fitted on the other parts."""
    out = np.zeros(len(parts))
    for part in np.unique(parts):
        here = parts == part
        out[here] = presences(clicks.inputs[here], clicks.has_vote[here], parse_presence(fit(clicks, ~here)))
    return out


def auc(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    """Chance that one of `above` is larger than one of `below`, ties count half: the area under the ROC curve."""
    ranks = rankdata(np.concatenate([above, below]))[: len(above)]
    return float((ranks.sum() - len(above) * (len(above) + 1) / 2) / (len(above) * len(below)))


def summary(clicks: Clicks, rates: NDArray[np.float64]) -> list[dict[str, Any]]:
    """How a rate tells clicks on targets from each other kind, and how many of each are doubtful by it, by data set."""
    rows = []
    for group, name in enumerate(ALL_DATASETS):
        kinds = {KINDS[kind]: (clicks.group == group) & (clicks.kind == kind) for kind in (RANDOM, CLUTTER, INVERTED)}
        on = (clicks.group == group) & clicks.is_target
        row: dict[str, Any] = {"data": name, "clicks": {"target": int(on.sum())}, "low": {}, "auc": {}}
        row["low"]["target"] = float((rates[on] < DOUBTFUL_BELOW).mean())
        for kind, at in kinds.items():
            row["clicks"][kind] = int(at.sum())
            row["auc"][kind] = auc(rates[on], rates[at])
            row["low"][kind] = float((rates[at] < DOUBTFUL_BELOW).mean())
        rows.append(row)
    return rows


def reliability(clicks: Clicks, rates: NDArray[np.float64]) -> list[dict[str, float]]:
    """Mean presence, share of targets and share of all clicks in bins of equal width, weighted as in the fit."""
    share = shares_of(clicks, np.ones(len(rates), bool))
    bins = np.minimum((rates * N_BINS).astype(int), N_BINS - 1)
    out = []
    for b in range(N_BINS):
        w = share * (bins == b)
        if w.sum() > 0:
            mean, hits = (w * rates).sum() / w.sum(), (w * clicks.is_target).sum() / w.sum()
            out.append({"presence": float(mean), "targets": float(hits), "clicks": float(w.sum())})
    return out


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print one line a data set."""
    kinds = [KINDS[kind] for kind in (RANDOM, CLUTTER, INVERTED)]
    head = "".join(f"{kind:>10}" for kind in kinds)
    print(f"\n{title}\n{'AUC against':<14}{head}   below 0.5:{'target':>8}{head}")
    for row in rows:
        low = "".join(f"{row['low'][kind]:10.3f}" for kind in ("target", *kinds))
        areas = "".join(f"{row['auc'][kind]:10.3f}" for kind in kinds)
        print(f"{row['data']:<14}{areas}           {low}", flush=True)


def report(clicks: Clicks) -> dict[str, Any]:
    """Judge on clicks that were held out, and show how well the quality alone would do."""
    result: dict[str, Any] = {"data_sets": list(ALL_DATASETS), "infrared": list(DATASETS), "low_below": DOUBTFUL_BELOW}
    folds = held_out(clicks, clicks.fold)
    for key, title, rates in (
        ("cross_validated", f"presence, cross-validated, {N_FOLDS} folds of images", folds),
        ("left_out", "presence, one data set left out", held_out(clicks, clicks.group)),
        ("quality", "quality alone", clicks.quality),
    ):
        result[key] = summary(clicks, rates)
        show(title, result[key])
    result["reliability"] = reliability(clicks, folds)
    print("\ncross-validated: mean presence, share of targets, share of clicks")
    for row in result["reliability"]:
        print("".join(f"{row[name]:8.3f}" for name in ("presence", "targets", "clicks")))
    return result


def main() -> None:
    """Run the fit or the report."""
    options = parser(__doc__)
    options.add_argument("--report", action="store_true", help="judge on held-out clicks instead of writing weights")
    options.add_argument("--weights", type=Path, default=WEIGHTS, help="file to write")
    args = options.parse_args()
    clicks, digest = gather(need_data(args), 10 if args.quick else 1)
    if args.report:
        finish(report(clicks), args.out)
        return
    stored = fit(clicks, np.ones(len(clicks.kind), bool))
    rates = presences(clicks.inputs, clicks.has_vote, parse_presence(stored))
    show("scored on what was fitted", summary(clicks, rates))
    stored["provenance"] = provenance("tools.fit_default.presence", ALL_DATASETS, digest, clicks=len(clicks.kind))
    args.weights.write_text(rounded(stored, 7, indent=1), encoding="utf-8")
    print(f"\nwritten to {args.weights}")


if __name__ == "__main__":
    main()
