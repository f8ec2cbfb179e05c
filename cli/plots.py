"""Pictures that commands draw: curves and bars as PNG, PDF or SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pointlabel.errors import MissingExtraError

from .streams import check_outputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pointlabel.training.compare import RunComparison
    from pointlabel.training.selection import SampleWeight

#: What weights are drawn against: a column of weights.csv, its name, whether its axis is logarithmic.
_PANELS = (
    ("area", "area of the targets, px", True),
    ("elongation", "elongation", False),
    ("fill", "share of the bounding box", False),
    ("scr", "local SCR", False),
)


def check_plot(path: str | None) -> None:
    """Raise before the work where ``--plot`` could not be drawn; nothing without a path."""
    if path is None:
        return
    if not path.lower().endswith((".png", ".pdf", ".svg")):
        raise click.UsageError(f"--plot writes .png, .pdf or .svg, got {path}")
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise MissingExtraError("--plot needs matplotlib: pip install 'pointlabel[plot]'")
    check_outputs({"--plot": path}, pictures=["--plot"])


def draw_curve(path: str, points: list[dict[str, Any]]) -> None:
    """Draw Pd over Fa."""
    from matplotlib.figure import Figure

    from pointlabel.evaluation.pd_fa import FA_LIMIT

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    known = [(point["fa"] * 1e6, point["pd"]) for point in points if point["pd"] is not None]
    axes.plot([fa for fa, _ in known], [pd for _, pd in known], marker=".", label="thresholds")
    axes.axvline(FA_LIMIT * 1e6, color="0.6", linestyle=":", label="limit of the area")
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xlim(0, max([FA_LIMIT * 2e6, *(fa * 1.2 for fa, _ in known)]))
    axes.set(xlabel="Fa, false pixels per million", ylabel="Pd, share of targets found", ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _save(path, figure)


def draw_runs(path: str, comparison: RunComparison) -> None:
    """Draw held-out IoU over the epochs, and the scores on the test images beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, run in enumerate(comparison.runs):
        colour = f"C{number % 10}"
        known = [(line["epoch"], line["val_iou"]) for line in run.curve if "val_iou" in line]
        left.plot([epoch for epoch, _ in known], [iou for _, iou in known], color=colour, label=run.name)
        left.axvline(run.best_epoch, color=colour, linestyle=":", linewidth=0.8)
        for place, name in enumerate(("iou", "niou", "pd")):
            height = run.scores[name] or 0.0
            width = 0.8 / len(comparison.runs)
            right.bar(place - 0.4 + (number + 0.5) * width, height, width, color=colour)
    left.set(xlabel="epoch", ylabel="IoU with the labels of the held-out images", ylim=(0, 1))
    left.xaxis.get_major_locator().set_params(integer=True)
    left.grid(alpha=0.3)
    left.legend(fontsize="small")
    right.set_xticks(range(3), ["IoU", "nIoU", "Pd"])
    right.set(ylim=(0, 1), title=f"{len(comparison.images)} test images")
    _save(path, figure)


def draw_weights(path: str, rows: Sequence[SampleWeight], chosen: set[str]) -> None:
    """Draw weights of images against size, shape and contrast of their targets; those chosen are darker."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    shown = [row for row in rows if row.n_targets]
    colours = ["C0" if row.id in chosen else "0.7" for row in shown]
    for panel, (name, label, log) in zip(figure.subplots(1, len(_PANELS), sharey=True), _PANELS, strict=True):
        panel.scatter([getattr(row, name) for row in shown], [row.weight for row in shown], s=9, c=colours)
        panel.axhline(1, color="0.5", linewidth=0.8, zorder=0)
        panel.set(xlabel=label, xscale="log" if log else "linear")
        panel.spines[["top", "right"]].set_visible(False)
        if name == _PANELS[0][0]:
            panel.set_ylabel("mean weight of the image")
    _save(path, figure)


def _save(path: str, figure: Figure) -> None:
    import io

    from pointlabel.io.files import write_whole

    picture = io.BytesIO()
    figure.savefig(picture, dpi=150, format=path.lower().rpartition(".")[2])
    write_whole(path, picture.getvalue())
