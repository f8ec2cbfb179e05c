"""The report of ``pointlabel runs compare``: scores, curves, and windows where the runs differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.components import find_components
from ..evaluation.metrics import count_overlap
from .charts import Axis, curve
from .page import cell, grid, page, section, table
from .windows import card, cut, cut_mask, outline, tile, window_around

if TYPE_CHECKING:
    from ..training.compare import ComparedRun, RunComparison

N_WINDOWS = 40

_TABLE_TEXT = (
    "The best checkpoint of each run on the test images that all runs share. IoU is pooled over the pixels of all "
    "images, nIoU is the mean over images, Pd the share of targets found, Fa false pixels per million. Differences "
    "are those to the first run, with the interval that holds 95 % of {n} resamples of the images."
)
_CURVE_TEXT = (
    "IoU with the labels of the held-out images after each epoch; the broken line is the epoch that was kept. With "
    "pseudo-labels this is not the true IoU."
)
_WINDOW_TEXT = (
    "The place of each image with the most wrong pixels, those first where the runs differ most. "
    '<span class="key" style="background:var(--truth)"></span>true mask &ensp;'
    '<span class="key" style="background:var(--mask)"></span>prediction'
)


def draw_runs(comparison: RunComparison, *, n_windows: int = N_WINDOWS) -> str:
    """Draw a comparison of runs as one HTML file; `n_windows` images are shown."""
    runs = comparison.runs
    links = "".join(f'<a href="#{name}">{name}</a>' for name in ("scores", "curves", "images"))
    left_out = f", {comparison.n_left_out} left out that only some have" if comparison.n_left_out else ""
    head = (
        f'<h1>Runs side by side</h1><p class="faint">{len(runs)} runs on {len(comparison.images)} test images'
        f"{left_out}. Protocol: {protocol_words(runs[0].protocol)}.</p><nav>{links}</nav>"
    )
    parts = [
        head,
        section("scores", "Scores", _TABLE_TEXT.format(n=comparison.n_resamples), _table(runs)),
        section("curves", "Curves", _CURVE_TEXT, grid([_curve(run) for run in runs])),
        section("images", "Images", _WINDOW_TEXT, *_windows(comparison, n_windows)),
    ]
    return page(f"pointlabel runs: {', '.join(run.name for run in runs)}", parts)


def protocol_words(name: str) -> str:
    """What a protocol means, in a few words."""
    return {
        "ours": "ours (native size, best epoch on the held-out images)",
        "paper": "paper (256 x 256, best epoch on the test part; for comparison with published tables only)",
    }[name]


def _table(runs: Sequence[ComparedRun]) -> str:
    head = ["run", "strategy", "model", "seed", "epoch", "IoU", "nIoU", "Pd", "Fa / million"]
    head += ["IoU - first", "95 %", "nIoU - first", "95 %"]
    forms = {"iou": "{:.4f}", "niou": "{:.4f}", "pd": "{:.4f}", "fa": "{:.2f}"}
    best = {
        name: (min if name == "fa" else max)(
            (run.scores[name] for run in runs if run.scores[name] is not None), default=None
        )
        for name in forms
    }
    lines = []
    for run in runs:
        line = [cell(run.name), cell(run.config["strategy"]), cell(run.config["model"]), cell(str(run.config["seed"]))]
        line.append(cell(f"{run.best_epoch} of {run.epochs}", run.best_epoch))
        for name, form in forms.items():
            value = run.scores[name]
            shown = "-" if value is None else form.format(value * 1e6 if name == "fa" else value)
            line.append(cell(shown, value, best=value is not None and value == best[name]))
        for name in ("iou", "niou"):
            interval = (run.differences or {}).get(name)
            if interval is None:
                line += [cell(""), cell("")]
            else:
                line.append(cell(f"{interval.difference:+.4f}", interval.difference))
                line.append(cell(f"{interval.low:+.4f} to {interval.high:+.4f}", interval.low))
        lines.append(line)
    return table(head, lines, sortable=True)


def _curve(run: ComparedRun) -> str:
    known = [(line["epoch"], line["val_iou"]) for line in run.curve if "val_iou" in line]
    last = max(run.epochs, 2)
    axis = Axis("epoch", 0, last, tuple(sorted({0, last // 2, last})))
    epochs, values = (np.array([pair[k] for pair in known], np.float64) for k in (0, 1))
    return curve(epochs, values, axis, run.name, f"best {values.max():.3f}" if known else "", run.best_epoch)


def _windows(comparison: RunComparison, n: int) -> list[str]:
    """One window per image: around the group of true and predicted pixels that the runs differ most on."""
    found = []
    for index, image in enumerate(comparison.images):
        masks = [run.predictions[index] for run in comparison.runs]
        groups = find_components(np.logical_or.reduce([image.mask, *masks]))
        if not len(groups):
            continue
        wrong = np.array(
            [np.bincount(groups.labels[mask != image.mask], minlength=len(groups) + 1)[1:] for mask in masks]
        )
        spread = wrong.std(axis=0) if len(masks) > 1 else wrong[0]
        worst = int(np.lexsort((-wrong.sum(axis=0), -spread))[0])
        found.append((-float(spread[worst]), -int(wrong[:, worst].sum()), index, worst))
    if not found:
        return ["<p>There is no target and no prediction.</p>"]
    return [_window(comparison, index, group) for *_, index, group in sorted(found)[:n]]


def _window(comparison: RunComparison, index: int, group: int) -> str:
    image = comparison.images[index]
    masks = [run.predictions[index] for run in comparison.runs]
    groups = find_components(np.logical_or.reduce([image.mask, *masks]))
    top, left, side = window_around(groups.labels == group + 1)

    window, truth = cut(image.image, top, left, side), cut_mask(image.mask, top, left, side)
    true_line = outline(truth, "truth")
    tiles = [tile("image", f"{side} x {side} px", side), tile("truth", f"{int(truth.sum())} px", side, true_line)]
    for run, mask in zip(comparison.runs, masks, strict=True):
        shown = cut_mask(mask, top, left, side)
        inter, union = count_overlap(shown, truth)
        iou = inter / union if union else 1.0
        note = f"IoU {iou:.2f}, {int(shown.sum())} px"
        tiles.append(tile(run.name, note, side, true_line, outline(shown, "mask"), bad=iou < 0.5))
    height, width = image.image.shape
    about = f"{width} x {height} px, window at (x, y) = ({left}, {top})"
    return card(window, image.id, about, tiles)
