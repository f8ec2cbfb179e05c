"""Tables of the default method, its steps, and what refines it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .store import DATASETS, POINTS, WEIGHTS, both, lines_of, markdown, stored, table

README_ROWS = ("point", "threshold", "diffusion", "d2d-code, size none", "d2d-code, size oracle")


def _default() -> dict[str, Any]:
    return next(row for row in lines_of("steps", "methods") if row["name"] == "default")


def accuracy() -> str:
    """The default fitted, cross-validated and with one data set left out."""
    report = stored("fit_report")
    parts = ("cross_validated", "left_out", "fitted")
    rows = []
    for index, row in enumerate(report["fitted"]):
        cells = [both(report[part][index], "mean_iou") for part in parts]
        rows.append([f"{row['data']}, {row['points']}", str(row["targets"]), *cells])
    return markdown(["", "targets", "cross-validated", "data set left out", "on what was fitted"], rows)


def methods() -> str:
    """Every method with its default parameters."""
    return table(lines_of("steps", "methods"))


def plain() -> str:
    """The plain rule beside the default."""
    return table([row for row in lines_of("steps", "methods") if row["name"] in ("threshold", "default")])


def steps() -> str:
    """The default with one step switched off, weights as they are."""
    return table([_default(), *lines_of("steps", "steps")])


def style() -> str:
    """The default at other values of tightness."""
    return table([{**_default(), "name": "tightness 0.5"}, *lines_of("steps", "style")])


def refitted() -> str:
    """The default fitted anew without a step, cross-validated."""
    own: dict[str, Any] = {"name": "default"}
    for row in stored("fit_report")["cross_validated"]:
        own[f"{row['data']} {row['points']}"] = {"iou": row["iou"], "niou": row["mean_iou"]}
    return table([own, *lines_of("steps_refit", "refitted")])


def sizes() -> str:
    """Area of the masks over the true ones, and IoU, by size."""
    rows = stored("sizes")["rows"]
    columns = list(dict.fromkeys(name for row in rows for name in row["classes"]))
    cells = [
        [
            f"{c['area_ratio']:.2f} / {c['iou']:.2f} ({c['targets']})" if c else ""
            for c in map(row["classes"].get, columns)
        ]
        for row in rows
    ]
    head = ["", *(f"{name} px" for name in columns)]
    return markdown(head, [[row["data"], *line] for row, line in zip(rows, cells, strict=True)])


def larger() -> str:
    """The default without and with larger windows."""
    rows = [
        [
            f"{row['data']}, {row['points']}",
            str(row["targets"]),
            *(cell for way in ("without", "with") for cell in (both(row[way], "mean_iou"), str(row[way]["leaks"]))),
        ]
        for row in stored("larger")["rows"]
    ]
    return markdown(["", "targets", "without", "leaks", "with", "leaks"], rows)


def planted() -> str:
    """Leaks and losses on planted targets, by their size, without and with larger windows."""
    return _planted("size", "all")


def planted_contrast() -> str:
    """The same by their height over the spread of what was there."""
    return _planted("contrast")


def _planted(*parts: str) -> str:
    rows = [
        [
            row["name"].replace(" to inf", " or more"),
            str(row["plants"]),
            *(
                cell
                for way in ("off", "on")
                for cell in (f"{row[way]['mean_iou']:.3f}", str(row[way]["leaks"]), str(row[way]["losses"]))
            ),
        ]
        for row in stored("planted")["rows"]
        if row["part"] in parts
    ]
    return markdown(["", "planted", "off: IoU", "leaks", "losses", "on: IoU", "leaks", "losses"], rows)


def quality() -> str:
    """How the quality ranks masks of images that it was not fitted on."""
    return _ranks("rows")


def quality_strangers() -> str:
    """How it ranks masks of data sets that it was not fitted on."""
    return _ranks("strangers")


def _ranks(part: str) -> str:
    rows = [
        [
            f"{row['data']}, {row['points']}",
            str(row["targets"]),
            f"{row['spearman']:.2f}",
            str(row["poor"]),
            f"{100 * row['poor_in_lowest_fifth']:.0f} %",
            f"{row['mean_gap']:.3f}",
        ]
        for row in stored("quality")[part]
    ]
    head = ["", "targets", "Spearman", "masks with IoU < 0.5", "of them in the lowest fifth", "mean gap of ten bins"]
    return markdown(head, rows)


def presence() -> str:
    """How the presence tells targets from other clicks, and how the quality does."""
    held = stored("presence")
    rows = []
    for cross, left, plain in zip(held["cross_validated"], held["left_out"], held["quality"], strict=True):
        pairs = [f"{cross['auc'][kind]:.3f} / {left['auc'][kind]:.3f}" for kind in ("random", "clutter", "inverted")]
        alone = " / ".join(f"{plain['auc'][kind]:.3f}" for kind in ("random", "clutter"))
        rows.append([cross["data"], " / ".join(str(n) for n in cross["clicks"].values()), *pairs, alone])
    head = ["", "clicks of each kind", "against random background", "against clutter's peaks", "against wrong polarity"]
    return markdown([*head, "quality alone, against random / clutter"], rows)


def presence_low() -> str:
    """How many of each kind of click come out doubtful, cross-validated."""
    kinds = {
        "target": "targets",
        "random": "random background",
        "clutter": "clutter's peaks",
        "inverted": "wrong polarity",
    }
    rows = [
        [r["data"], *(f"{100 * r['low'][kind]:.1f} %" for kind in kinds)] for r in stored("presence")["cross_validated"]
    ]
    return markdown(["presence below 0.5", *kinds.values()], rows)


def presence_bins() -> str:
    """Share of targets among clicks of about one presence, cross-validated."""
    bins = stored("presence")["reliability"]
    names = {"presence": "mean presence", "targets": "of them on targets", "clicks": "share of all clicks"}
    return markdown(
        ["", *(str(k + 1) for k in range(len(bins)))], [[n, *(f"{b[k]:.2f}" for b in bins)] for k, n in names.items()]
    )


def weights() -> str:
    """How many numbers were fitted, on what."""
    held = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    origin = held["provenance"]
    score = sum(len(row) for row in held["score"]["coefficients"])
    layers = sum(len(row) for layer in held["refine"]["layers"] for row in layer["weight"])
    biases = sum(len(layer["bias"]) for layer in held["refine"]["layers"])
    rate = sum(np.size(values) for name, values in held["quality"].items() if name not in ("centre", "deviation"))
    return markdown(
        ["part", "fitted numbers", "by"],
        [
            ["score of the candidates", str(score), "pooled and mean IoU of the vote, AdamW"],
            ["perceptron of the refinement", str(layers + biases), "pooled and mean IoU of the soft label, AdamW"],
            ["quality", str(rate), "IoU of the masks"],
            [f"all, on {origin['targets']} targets", str(score + layers + biases + rate), f"seed {origin['seed']}"],
        ],
    )


def overview() -> str:
    """README: centroid points, the default on held-out images beside the methods that are not fitted."""
    report = [row for row in stored("fit_report")["cross_validated"] if row["points"] == "centroid"]
    lines = {row["name"]: row for row in lines_of("steps", "methods")}
    columns = [f"{dataset} centroid" for dataset in DATASETS]
    rows = [["`default`, images it was not fitted on", *(both(row, "mean_iou") for row in report)]]
    rows += [["`default`, all images", *(both(lines["default"][c]) for c in columns)]]
    rows += [[_named(name), *(both(lines[name][c]) for c in columns)] for name in README_ROWS]
    return markdown(["pooled IoU / nIoU", *DATASETS], rows)


def _named(name: str) -> str:
    method, _, rest = name.partition(", ")
    notes = {"size none": ", point alone", "size oracle": ", told each target's true area"}
    return f"`{method}`" + notes.get(rest, "")


def losses() -> str:
    """Where another method, or the default with a step changed, is ahead of the default."""
    own = _default()
    columns = [f"{dataset} {points}" for points in POINTS for dataset in DATASETS]
    out = []
    for part, what in (("methods", "with another method"), ("steps", "with a step off or changed")):
        lines = [row for row in lines_of("steps", part) if row["name"] != "default"]
        pairs = [(row, c, k) for row in lines for c in columns for k in ("iou", "niou")]
        behind = [(row[c][k] - own[c][k], row["name"], c, k) for row, c, k in pairs if row[c][k] > own[c][k] + 5e-4]
        text = f"- Of {len(pairs)} comparisons {what}, the default is behind by more than 0.0005 in {len(behind)}"
        if behind:
            gap, name, where, figure = max(behind)
            label = {"iou": "IoU", "niou": "nIoU"}[figure]
            text += f"; the widest gap is {gap:.3f} of {label}, `{name}` on {where} points"
        out.append(text + ".\n")
    rivals = [row for row in lines_of("steps", "methods") if row["name"] != "default"]
    margins = []
    for row in stored("fit_report")["left_out"]:
        where = f"{row['data']} {row['points']}"
        theirs, name = max((rival[where]["iou"], rival["name"]) for rival in rivals)
        margins.append((row["iou"] - theirs, f"{where} points, {row['iou']:.3f} against {theirs:.3f} of `{name}`"))
    ahead = sum(margin > 0 for margin, _ in margins)
    out.append(
        f"- Judged on a data set that the fit never saw, its pooled IoU is above that of every other method in {ahead} "
        f"of {len(margins)} cases; the narrowest is {min(margins)[1]}.\n"
    )
    return "".join(out)


def crf() -> str:
    """What the refinement gives after several methods, and what it costs."""
    head = ["data", "method", "IoU / nIoU", "with CRF", "area", "images better", "worse", "ms a target"]
    return markdown(
        head,
        [
            [
                row["data"],
                row["method"],
                *(both(row[when]) for when in ("before", "after")),
                f"{row['area']:.2f}",
                *(f"{row[name]:.0%}" for name in ("better", "worse")),
                f"{row['median_ms']:.2f}",
            ]
            for row in stored("refinement")["rows"]
        ],
    )


def quoted_sam() -> str:
    """What a paper says of Segment Anything."""
    rows = [row for row in stored("quoted")["rows"] if row["method"].startswith("SAM")]
    columns = ("pooled", *DATASETS)
    return markdown(
        ["quoted, IoU in percent", "points", "SIRST3", *DATASETS, "ms a target"],
        [
            [row["method"], row["points"], *(f"{row['iou_percent'][name]:.2f}" for name in columns), f"{row['ms']}"]
            for row in rows
        ],
    )


TABLES = (
    accuracy, methods, plain, steps, style, refitted, sizes, larger, planted, planted_contrast, quality,
    quality_strangers, presence, presence_low, presence_bins, weights, overview, losses, crf, quoted_sam,
)  # fmt: skip
