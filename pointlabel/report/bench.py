"""The report of ``pointlabel bench accuracy``: tables, charts, and windows where methods differ most."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bench.runner import MethodRun
from ..bench.summaries import POOR_IOU, sort_rows
from ..evaluation.classes import SCR_BINS, SIZE_CLASSES
from ..evaluation.shapes import SHAPE_FEATURES
from ..evaluation.targets import true_targets
from ..io.samples import read_sample
from .charts import Axis, density, histogram, log_axis
from .page import cell, grid, page, section, table
from .windows import card, cut, outline, surface, surface_style, tile, window_around

if TYPE_CHECKING:
    from ..bench.comparison import Comparison

N_WINDOWS = 24
_SCR_AXIS = Axis("local SCR of the target (12 and above)", 0, 12, (0, 2, 4, 6, 8, 10, 12))


def draw_report(comparison: Comparison, *, n_windows: int = N_WINDOWS) -> str:
    """Draw the report of a comparison with masks as one HTML file.

    Parameters
    ----------
    comparison : with runs that kept their crops.
    n_windows : how many windows to show.
    """
    rows = comparison.rows()
    methods = comparison.methods
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    last = [row for row in rows if row["dataset"] == names[-1] and row["method"] in methods]
    best_first = [row["method"] for row in sort_rows(last, "iou", largest_first=True)]
    # Pooled rows come last in the result, but are the most useful ones with several data sets.
    tables = [_table(name, [row for row in rows if row["dataset"] == name]) for name in reversed(names)]
    parts = [_head(comparison), section("table", "Scores and times", _TABLE_TEXT, *tables)]
    if methods:
        runs = {name: comparison.pooled_run(name) for name in best_first}
        features = comparison.pooled_features()
        parts += [
            section("size", "IoU against size", _DENSITY_TEXT, *_against(runs, features, 0, _area_axis(features))),
            section("contrast", "IoU against contrast", _DENSITY_TEXT, *_against(runs, features, 3, _SCR_AXIS)),
            section("time", "Time per target", _TIME_TEXT, _times(runs)),
            section("windows", "Where methods differ most", _WINDOW_TEXT, *_windows(comparison, runs, n_windows)),
        ]
    parts.append(section("targets", "The targets", _TARGET_TEXT, *_distributions(comparison)))
    parts.append(section("circumstances", "How it was measured", "", _circumstances(comparison)))
    return page(f"pointlabel bench: {', '.join(comparison.names)}", parts)


_TABLE_TEXT = (
    "IoU is pooled over the pixels of all images, nIoU is the mean over images; poor: share of targets whose own IoU "
    f"lies under {POOR_IOU}; area error: mean of |area &minus; true area| / true area; area ratio: geometric mean of "
    "area / true area. Times are milliseconds per target. ± is the deviation over seeds. A click on a heading sorts."
)
_DENSITY_TEXT = (
    "Each target's own IoU. The stronger the colour of a cell, the more targets of its column it holds; the line is "
    "their mean."
)
_TIME_TEXT = "Milliseconds a target on a common axis; the broken line is the median."
_WINDOW_TEXT = (
    "Targets with the largest deviation of IoU over the methods (of one method alone, with the lowest IoU), at most "
    "one per image, data sets in equal parts. "
    '<span class="key" style="background:var(--truth)"></span>true mask &ensp;'
    '<span class="key" style="background:var(--mask)"></span>mask of the method'
)
_TARGET_TEXT = "Size, shape and contrast of the true targets, as shares of all targets of a data set."


def _head(comparison: Comparison) -> str:
    what = "; ".join(
        f"{escape(name)}: {len(survey.dataset)} images, {survey.n_points} points"
        for name, survey in zip(comparison.names, comparison.surveys, strict=True)
    )
    links = ("table", "size", "contrast", "time", "windows", "targets", "circumstances")
    nav = "".join(f'<a href="#{name}">{name}</a>' for name in links)
    return (
        f'<h1>Methods side by side</h1><p class="faint">{what}. Points: {comparison.points}. The same images and '
        f"points for all methods.</p><nav>{nav}</nav>"
    )


def _table(name: str, rows: list[dict[str, Any]]) -> str:
    head = ["method", "size prior", "IoU", "nIoU", "poor", "area error", "area ratio", "median ms", "90 %", "99 %"]
    head += ["first call, ms", "peak MB"]
    smallest = ("poor", "area_error", "ms_median", "ms_p90", "ms_p99", "first_ms", "peak_mb")
    best = {}
    for key in ("iou", "niou", *smallest):
        values = [row[key] for row in rows if row.get(key) is not None]
        best[key] = (min if key in smallest else max)(values, default=None)

    def number(row: dict[str, Any], key: str, form: str, spread: bool = False) -> str:
        if row.get(key) is None:
            return cell("-")
        text = format(row[key], form)
        if spread and row["seeds"] > 1:
            text += f" ± {row[f'{key}_std']:.3f}"
        return cell(text, row[key], best=key in best and row[key] == best[key])

    lines = []
    for row in sort_rows(rows, "iou", largest_first=True):
        line = [cell(row["method"]), cell(row["size_prior"])]
        if "error" in row:
            line.append(f'<td class="failed" colspan="{len(head) - 2}">failed: {escape(row["error"])}</td>')
        else:
            line += [number(row, "iou", ".3f", True), number(row, "niou", ".3f", True)]
            line += [number(row, "poor", ".1%"), number(row, "area_error", ".1%"), number(row, "area_ratio", ".2f")]
            line += [number(row, key, ".3f") for key in ("ms_median", "ms_p90", "ms_p99")]
            line += [number(row, key, ".0f") for key in ("first_ms", "peak_mb")]
        lines.append(line)
    about = next((f": {row['images']} images, {row['targets']} targets" for row in rows if "error" not in row), "")
    return f"<h3>{escape(name)}{about}</h3>" + table(head, lines, sortable=True)


def _area_axis(features: NDArray[np.float64]) -> Axis:
    return log_axis("area of the target, px", features[:, 0])


def _against(runs: dict[str, MethodRun], features: NDArray[np.float64], column: int, axis: Axis) -> list[str]:
    """A table of means by class and a chart for each method."""
    known = np.isfinite(features[:, 0])
    charts, lines = [], []
    names, bounds = (SIZE_CLASSES, (9, 25, 81, 200)) if column == 0 else (SCR_BINS, (1, 2, 4, 8))
    classes = np.searchsorted(bounds, features[known, column], side="left" if column == 0 else "right")
    for name, run in runs.items():
        ious = run.ious[:, known].mean(axis=0)
        charts.append(density(features[known, column], ious, axis, name, f"mean {ious.mean():.3f}"))
        line = [cell(name)]
        for index in range(len(names)):
            inside = ious[classes == index]
            mean = float(inside.mean()) if inside.size else None
            shade = f"background:rgba(var(--cell),{0.6 * max(mean - 0.3, 0):.2f})" if mean is not None else ""
            line.append(cell("-" if mean is None else f"{mean:.3f}", mean, style=shade))
        lines.append(line)
    counts = np.bincount(classes, minlength=len(names))
    unit = " px" if column == 0 else ""
    head = ["mean IoU", *(f"{name}{unit} ({n})" for name, n in zip(names, counts.tolist(), strict=True))]
    return [table(head, lines, sortable=True), "<br>", grid(charts)]


def _times(runs: dict[str, MethodRun]) -> str:
    axis = log_axis("milliseconds per target", np.concatenate([run.times_ms for run in runs.values()]))
    quickest_first = sorted(runs.items(), key=lambda item: float(np.median(item[1].times_ms)))
    return grid(
        [
            histogram(
                run.times_ms, axis, name, f"median {np.median(run.times_ms):.3f} ms", float(np.median(run.times_ms))
            )
            for name, run in quickest_first
        ]
    )


def _distributions(comparison: Comparison) -> list[str]:
    out = []
    everything = np.concatenate([survey.targets for survey in comparison.surveys])
    axes = [
        log_axis(SHAPE_FEATURES["area"], everything[:, 0]),
        Axis(f"{SHAPE_FEATURES['elongation']} (5 and above)", 1, 5, (1, 2, 3, 4, 5)),
        Axis(SHAPE_FEATURES["fill"], 0, 1, (0, 0.25, 0.5, 0.75, 1)),
        _SCR_AXIS,
    ]
    for name, survey in zip(comparison.names, comparison.surveys, strict=True):
        charts = []
        for column, (key, axis) in enumerate(zip(SHAPE_FEATURES, axes, strict=True)):
            values = survey.targets[:, column]
            median = float(np.median(values)) if values.size else None
            note = "" if median is None else f"median {median:.3g}"
            charts.append(histogram(values, axis, {"scr": "contrast"}.get(key, key), note, median))
        out.append(f"<h3>{escape(name)}: {len(survey.targets)} targets</h3>{grid(charts)}")
    return out


def most_different(comparison: Comparison, methods: Sequence[str], n: int) -> list[tuple[int, int]]:
    """Points whose IoU differs most between methods, as (place of the data set, index of the point).

    Sorted by the standard deviation over the methods, or by the loss of IoU of a method alone; at most one per image,
    data sets in equal parts.
    """
    parts = []
    n_sets = len(comparison.surveys)
    for place in range(n_sets):
        runs = [comparison.runs[place, name] for name in methods]
        ious = np.array([run.ious[0] for run in runs])
        spread = ious.std(axis=0) if len(runs) > 1 else 1 - ious[0]
        chosen: list[tuple[int, int]] = []
        images: set[int] = set()
        for index in np.argsort(-np.nan_to_num(spread, nan=-1.0), kind="stable").tolist():
            image = int(runs[0].image_of[index])
            if len(chosen) == n // n_sets + (place < n % n_sets) or not spread[index] > 0:
                break
            if image not in images:
                images.add(image)
                chosen.append((place, index))
        parts += chosen
    return parts


def _windows(comparison: Comparison, runs: dict[str, MethodRun], n: int) -> list[str]:
    chosen = most_different(comparison, list(runs), n)
    if not chosen:
        return ["<p>There is no such target.</p>"]
    return [surface_style(), *(_window(comparison, list(runs), place, index) for place, index in chosen)]


def _window(comparison: Comparison, methods: list[str], place: int, index: int) -> str:
    survey = comparison.surveys[place]
    image_number = int(comparison.runs[place, methods[0]].image_of[index])
    sample = read_sample(survey.dataset.entries[image_number], mask_threshold=survey.mask_threshold)
    assert sample.mask is not None
    first = int(np.searchsorted(comparison.runs[place, methods[0]].image_of, image_number))
    numbers, owners = true_targets(sample.mask, sample.points)
    truth = numbers == owners[index - first]
    top, left, side = window_around(truth)

    def drawn(row: int, column: int, mask: NDArray[np.bool_], kind: str) -> str:
        canvas = np.zeros((side, side), bool)
        rows = slice(max(row - top, 0), max(row - top + mask.shape[0], 0))
        columns = slice(max(column - left, 0), max(column - left + mask.shape[1], 0))
        view = canvas[rows, columns]
        view[...] = mask[max(top - row, 0) :, max(left - column, 0) :][: view.shape[0], : view.shape[1]]
        return outline(canvas, kind)

    true_line = drawn(0, 0, truth, "truth")
    window = cut(sample.image, top, left, side)
    area, elongation, _, scr = survey.features[index].tolist()
    tiles = [
        tile("image", f"{side} x {side} px", side),
        f'<div class="tile">{surface(window)}<b>surface</b></div>',
        tile("true mask", f"{area:.0f} px", side, true_line),
    ]
    for name in methods:
        run = comparison.runs[place, name]
        iou = float(run.ious[0, index])
        note = f"IoU {iou:.2f}, {run.areas[0, index]} px"
        tiles.append(tile(name, note, side, true_line, drawn(*run.crops[index], "mask"), bad=iou < POOR_IOU))
    row, column = sample.points[index - first].tolist()
    title = f"{comparison.names[place]} / {sample.id}"
    about = f"point (x, y) = ({column:g}, {row:g}), SCR {scr:.1f}, elongation {elongation:.1f}"
    return card(window, title, about, tiles)


def _circumstances(comparison: Comparison) -> str:
    result = comparison.result()
    machine, versions = result["machine"], result["versions"]
    lines = [
        ("machine", f"{machine['cpu']}, {machine['n_cpus']} processors, {machine['system']}"),
        (
            "versions",
            ", ".join(f"{name} {version}" for name, version in {"Python": machine["python"], **versions}.items()),
        ),
        ("threads", str(comparison.n_threads)),
        *((f"data {data['dataset']}", f"SHA-256 {data['sha256']}") for data in result["data"]),
        *(
            (
                f"{run.method}, {run.n_seeds} seed{'s' if run.n_seeds > 1 else ''}",
                ", ".join(f"{k} = {v}" for k, v in run.params.items()),
            )
            for run in {name: run for (_, name), run in comparison.runs.items()}.values()
        ),
    ]
    style = "text-align:left;white-space:normal;font-weight:400"
    return table((), [[cell(name), cell(text, style=style)] for name, text in lines])
