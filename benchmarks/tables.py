"""Write the tables of README and docs out of the stored results, so that no figure is typed by hand.

    python benchmarks/tables.py          rewrites what stands between the markers
    python benchmarks/tables.py --check  ends with status 1 where a page is not what the results say

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
WEIGHTS = ROOT / "pointlabel" / "engine" / "weights" / "default.json"
PAGES = (
    ROOT / "README.md",
    *(ROOT / "docs" / "methods" / name for name in ("default.md", "threshold.md", "crf.md", "sam.md")),
    ROOT / "docs" / "bench.md",
    ROOT / "docs" / "calibrate.md",
    ROOT / "docs" / "detectors.md",
    ROOT / "benchmarks" / "README.md",
)
DATASETS = ("SIRST-v1", "NUDT-SIRST", "IRSTD-1k")
POINTS = ("centroid", "coarse")
MARKER = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
README_ROWS = ("point", "threshold", "diffusion", "d2d-code, size none", "d2d-code, size oracle")


def stored(name: str) -> dict[str, Any]:
    """Result `name` of the folder of results."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["result"]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table, first column to the left, the others to the right."""
    lines = [" | ".join(head), " | ".join(["---"] + ["---:"] * (len(head) - 1)), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _both(cell: dict[str, float], mean: str = "niou") -> str:
    return f"{cell['iou']:.3f} / {cell[mean]:.3f}"


def _lines(name: str, part: str) -> list[dict[str, Any]]:
    return [row for row in stored(name)["rows"] if row["part"] == part]


def _table(lines: Sequence[dict[str, Any]]) -> str:
    """IoU / nIoU of each line on every data set with both kinds of point."""
    columns = [f"{dataset} {points}" for points in POINTS for dataset in DATASETS]
    return markdown(["", *columns], [[line["name"], *(_both(line[c]) for c in columns)] for line in lines])


def _default() -> dict[str, Any]:
    return next(row for row in _lines("ablation", "methods") if row["name"] == "default")


def accuracy() -> str:
    """The default fitted, cross-validated and with one data set left out."""
    report = stored("fit_report")
    parts = ("cross_validated", "left_out", "fitted")
    rows = []
    for index, row in enumerate(report["fitted"]):
        cells = [_both(report[part][index], "mean_iou") for part in parts]
        rows.append([f"{row['data']}, {row['points']}", str(row["targets"]), *cells])
    return markdown(["", "targets", "cross-validated", "data set left out", "on what was fitted"], rows)


def methods() -> str:
    """Every method with its default parameters."""
    return _table(_lines("ablation", "methods"))


def plain() -> str:
    """The plain rule beside the default."""
    return _table([row for row in _lines("ablation", "methods") if row["name"] in ("threshold", "default")])


def steps() -> str:
    """The default with one step switched off, weights as they are."""
    return _table([_default(), *_lines("ablation", "steps")])


def style() -> str:
    """The default at other values of tightness."""
    return _table([{**_default(), "name": "tightness 0.5"}, *_lines("ablation", "style")])


def refitted() -> str:
    """The default fitted anew without a step, cross-validated."""
    own: dict[str, Any] = {"name": "default"}
    for row in stored("fit_report")["cross_validated"]:
        own[f"{row['data']} {row['points']}"] = {"iou": row["iou"], "niou": row["mean_iou"]}
    return _table([own, *_lines("ablation_refit", "refitted")])


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


def quality() -> str:
    """How the quality ranks masks."""
    rows = [
        [
            f"{row['data']}, {row['points']}",
            str(row["targets"]),
            f"{row['spearman']:.2f}",
            str(row["poor"]),
            f"{100 * row['poor_in_lowest_fifth']:.0f} %",
            f"{row['mean_gap']:.3f}",
        ]
        for row in stored("quality")["rows"]
    ]
    head = ["", "targets", "Spearman", "masks with IoU < 0.5", "of them in the lowest fifth", "mean gap of ten bins"]
    return markdown(head, rows)


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
    lines = {row["name"]: row for row in _lines("ablation", "methods")}
    columns = [f"{dataset} centroid" for dataset in DATASETS]
    rows = [["`default`, images it was not fitted on", *(_both(row, "mean_iou") for row in report)]]
    rows += [["`default`, all images", *(_both(lines["default"][c]) for c in columns)]]
    rows += [[_named(name), *(_both(lines[name][c]) for c in columns)] for name in README_ROWS]
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
        lines = [row for row in _lines("ablation", part) if row["name"] != "default"]
        pairs = [(row, c, k) for row in lines for c in columns for k in ("iou", "niou")]
        behind = [(row[c][k] - own[c][k], row["name"], c, k) for row, c, k in pairs if row[c][k] > own[c][k] + 5e-4]
        text = f"- Of {len(pairs)} comparisons {what}, the default is behind by more than 0.0005 in {len(behind)}"
        if behind:
            gap, name, where, figure = max(behind)
            label = {"iou": "IoU", "niou": "nIoU"}[figure]
            text += f"; the widest gap is {gap:.3f} of {label}, `{name}` on {where} points"
        out.append(text + ".\n")
    rivals = [row for row in _lines("ablation", "methods") if row["name"] != "default"]
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
                *(_both(row[when]) for when in ("before", "after")),
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


def _bench(points: str) -> list[dict[str, Any]]:
    """Rows of every method on every data set with one kind of point, without and with the true size."""
    return stored(f"bench_{points}")["rows"]


def _bench_groups(points: str) -> list[dict[str, dict[str, Any]]]:
    """For each method and size prior its rows by data set, the highest pooled IoU first."""
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in _bench(points):
        if "error" not in row:
            groups.setdefault((row["method"], row["size_prior"]), {})[row["dataset"]] = row
    whole = [group for group in groups.values() if "pooled" in group]
    return sorted(whole, key=lambda group: -group["pooled"]["iou"])


def _bench_table(points: str) -> str:
    """IoU / nIoU of every method, then what the paper says of its own runs."""
    columns = (*DATASETS, "pooled")
    rows = []
    for group in _bench_groups(points):
        pooled = group["pooled"]
        spread = f"{pooled['iou_std']:.3f}" if pooled["seeds"] > 1 else ""
        cells = [_both(group[name]) for name in columns]
        more = [f"{pooled['poor']:.1%}", f"{pooled['area_error']:.0%}"]
        rows.append([f"`{pooled['method']}`", pooled["size_prior"], *cells, spread, *more])
    for row in stored("quoted")["rows"]:
        if row["points"] == points:
            percents = [f"*{row['iou_percent'][name]:.2f} %*" for name in columns]
            rows.append([f"*{row['method']}, quoted*", row["size_prior"], *percents, "", "", ""])
    data = stored(f"bench_{points}")["data"]
    sizes = (f"{d['dataset']} {d['images']} images, {d['points']} targets" for d in data)
    said = f"Points: {points}. {'; '.join(sizes)}.\n\n"
    return said + markdown(["", "size prior", *DATASETS, "pooled", "deviation of IoU", "IoU < 0.5", "area error"], rows)


def bench_centroid() -> str:
    """Every method with the centroids of the true masks as points."""
    return _bench_table("centroid")


def bench_coarse() -> str:
    """Every method with points drawn at random inside the true masks."""
    return _bench_table("coarse")


def bench_times() -> str:
    """What a target costs with every method, centroid points, all data sets together."""
    rows = []
    for group in sorted(_bench_groups("centroid"), key=lambda group: group["pooled"]["ms_median"]):
        row = group["pooled"]
        times = [f"{row[name]:.3f}" for name in ("ms_median", "ms_p90", "ms_p99")]
        ratio = row.get("speed_over_mclc")
        own = [f"{row['first_ms']:.0f}", "-" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"]
        rows.append([f"`{row['method']}`", row["size_prior"], *times, "-" if ratio is None else f"{ratio:.1f}", *own])
    head = ["", "size prior", "ms a target", "90 %", "99 %", "times as fast as `mclc`", "first call, ms", "peak MB"]
    return markdown(head, rows)


def bench_wins() -> str:
    """How often each method is ahead of the default, whatever it is told."""
    columns = [(points, name) for points in POINTS for name in DATASETS]
    found = {points: _bench_groups(points) for points in POINTS}
    own = {points: next(g for g in found[points] if g["pooled"]["method"] == "default") for points in POINTS}
    rows = []
    for group in found[POINTS[0]]:
        method, prior = group["pooled"]["method"], group["pooled"]["size_prior"]
        if method == "default":
            continue
        other = {
            p: [g for g in found[p] if (g["pooled"]["method"], g["pooled"]["size_prior"]) == (method, prior)]
            for p in POINTS
        }
        if not all(other.values()):
            continue
        gaps = [(own[p][name]["iou"] - other[p][0][name]["iou"], f"{name}, {p}") for p, name in columns]
        ahead = [(gap, where) for gap, where in gaps if gap < 0]
        nearest = min(gaps)
        rows.append([f"`{method}`", prior, f"{len(ahead)} of {len(gaps)}", f"{-nearest[0]:+.3f} ({nearest[1]})"])
    return markdown(["", "size prior", "ahead of `default` in IoU", "largest lead, or smallest gap"], rows)


def detectors() -> str:
    """Size, operations and time of every detector."""
    rows = []
    for row in stored("detectors")["rows"]:
        cells = [f"{row['parameters'] / 1e6:.2f}"]
        for size in ("256", "512"):
            cells += [f"{row[size]['flops'] / 1e9:.1f}", f"{row[size]['median_ms']:.0f}"]
        rows.append([f"`{row['name']}`", *cells])
    return markdown(["", "million parameters", "GFLOP at 256", "ms at 256", "GFLOP at 512", "ms at 512"], rows)


def _calibrations(*parts: str) -> str:
    """Rows of the parts of the calibration's benchmark."""
    several, has_reference = len(parts) > 1, parts != ("shipped",)
    rows = []
    for row in stored("calibrate")["rows"]:
        if row["part"] not in parts:
            continue
        change = " / ".join(f"{row['change'][name]:+.4f}" for name in ("iou", "niou"))
        worst = " / ".join(f"{row['worst'][name]:+.3f}" for name in ("iou", "niou"))
        won = row["won_back"] and " / ".join(
            "-" if share is None else f"{100 * share:.0f} %" for share in map(row["won_back"].get, ("iou", "niou"))
        )
        kept = row["taken"].get("the defaults", 0)
        head = [f"{row['data']}, {row['part']}" if several else row["data"], str(row["images"])]
        cells = [_both(row["before"]), _both(row["after"]), *([_both(row["reference"]), won] if has_reference else [])]
        rows.append([*head, *cells, change, worst, f"{row['draws'] - kept} of {row['draws']}"])
    columns = ["", "images", "defaults", "calibrated", *(["reference", "won back"] if has_reference else [])]
    return markdown([*columns, "change", "worst draw", "styles taken"], rows)


def calibrate_shipped() -> str:
    """What calibration changes where there is nothing to win."""
    return _calibrations("shipped")


def calibrate_left_out() -> str:
    """What it wins on a data set that the fit has not seen."""
    return _calibrations("left out")


def calibrate_planted() -> str:
    """What it wins where masks are dilated or eroded."""
    return _calibrations("dilated", "eroded")


def calibrate_level() -> str:
    """What it wins where masks are drawn at a level."""
    return _calibrations("level 3 %", "level 8 %")


def calibrate_time() -> str:
    """Seconds of a calibration, by the number of images."""
    rows = stored("calibrate")["rows"]
    cells = []
    for n in sorted({row["images"] for row in rows}):
        times = [row["time"] for row in rows if row["images"] == n]
        middle = np.median([time["median_ms"] for time in times]) / 1000
        slowest = max(time["p99_ms"] for time in times) / 1000
        cells.append([f"{n} images", f"{middle:.1f}", f"{slowest:.1f}"])
    return markdown(["", "median", "99 % of the slowest set"], cells)


def _said(held: dict[str, Any]) -> str:
    """What runs of training share, and the protocol they are scored by."""
    protocol = held["rows"][0]["protocol"]
    said = f"{held['dataset']}, `{held['model']}`, {held['epochs']} epochs, {len(held['seeds'])} seeds. "
    return f"{said}Protocol {protocol['name']}: scored at {protocol['scored_at']}.\n\n"


def _trained(name: str) -> str:
    """Rows of a benchmark of training: means over seeds, with the deviation of the IoU."""
    held = stored(name)
    said = _said(held)
    rows = []
    for row in held["rows"]:
        spread = "" if row["iou_std"] is None else f" ± {row['iou_std']:.3f}"
        cells = [f"{row['iou']:.3f}{spread}", f"{row['niou']:.3f}", f"{row['pd']:.3f}", f"{row['fa'] * 1e6:.1f}"]
        rows.append([f"`{row['name']}`", *cells, f"{row['label_iou']:.3f}", f"{row['seconds'] / 60:.0f}"])
    return said + markdown(["", "IoU", "nIoU", "Pd", "Fa / million", "IoU of the labels", "minutes"], rows)


def strategies() -> str:
    """Every training strategy from one point a target."""
    return _trained("strategies")


def strategies_mlclnet() -> str:
    """The bounds and the full method with MLCLNet."""
    return _trained("strategies_mlclnet")


def selection() -> str:
    """Training on a part of the images, and the rivals on all."""
    return _trained("selection")


def _by_loss(name: str) -> str:
    """Losses by strategy, then IoU and Pd of the targets by local contrast, then wins and losses beside `sls`."""
    if not (RESULTS / f"{name}.json").exists():
        return f"`results/{name}.json` is not there yet.\n"
    held = stored(name)
    groups = {key: group["targets"] for key, group in held["rows"][0]["by_scr"].items() if group["targets"]}
    whole, parts = [], []
    for row in held["rows"]:
        head = [f"`{row['loss']}`", row["strategy"]]
        spread = "" if row["iou_std"] is None else f" ± {row['iou_std']:.3f}"
        figures = [f"{row['niou']:.3f}", f"{row['pd']:.3f}", f"{row['fa'] * 1e6:.1f}"]
        whole.append([*head, f"{row['iou']:.3f}{spread}", *figures])
        parts.append([*head, *(f"{row['by_scr'][key]['iou']:.3f} / {row['by_scr'][key]['pd']:.3f}" for key in groups)])
    first = markdown(["", "strategy", "IoU", "nIoU", "Pd", "Fa / million"], whole)
    heads = [f"SCR {key} ({n_targets} targets)" for key, n_targets in groups.items()]
    second = markdown(["mean IoU / Pd", "strategy", *heads], parts)
    return f"{_said(held)}{first}\n{second}\n{_beside_sls(held['rows'], list(groups))}"


def _beside_sls(rows: Sequence[dict[str, Any]], groups: Sequence[str]) -> str:
    """A line for each loss: its IoU less that of `sls`, and in how many groups of targets it is ahead or behind."""
    plain = {row["strategy"]: row for row in rows if row["loss"] == "sls"}
    out = []
    for loss in dict.fromkeys(row["loss"] for row in rows if row["loss"] != "sls"):
        pairs = [(row, plain[row["strategy"]]) for row in rows if row["loss"] == loss and row["strategy"] in plain]
        if not pairs:
            continue
        gaps = [
            (row["by_scr"][key]["iou"] - own["by_scr"][key]["iou"], f"{row['strategy']}, SCR {key}")
            for row, own in pairs
            for key in groups
        ]
        ahead, behind = (sum(sign * gap > 5e-4 for gap, _ in gaps) for sign in (1, -1))
        whole = ", ".join(f"{row['iou'] - own['iou']:+.3f} ({row['strategy']})" for row, own in pairs)
        least, most = min(gaps), max(gaps)
        out.append(
            f"- `{loss}` less `sls`: IoU {whole}. Of {len(gaps)} groups by SCR it is ahead in {ahead} and behind in "
            f"{behind}; from {least[0]:+.3f} ({least[1]}) to {most[0]:+.3f} ({most[1]}).\n"
        )
    return "".join(out)


def training_losses() -> str:
    """The scale family and REEM beside the plain losses, with `tiny`."""
    return _by_loss("training_losses")


def training_losses_mshnet() -> str:
    """The same with MSHNet, whose loss `sls` is."""
    return _by_loss("training_losses_mshnet")


TABLES: dict[str, Callable[[], str]] = {
    f.__name__: f
    for f in (
        accuracy,
        methods,
        plain,
        steps,
        style,
        refitted,
        sizes,
        quality,
        weights,
        overview,
        losses,
        crf,
        quoted_sam,
        bench_centroid,
        bench_coarse,
        bench_times,
        bench_wins,
        detectors,
        strategies,
        strategies_mlclnet,
        selection,
        training_losses,
        training_losses_mshnet,
        calibrate_shipped,
        calibrate_left_out,
        calibrate_planted,
        calibrate_level,
        calibrate_time,
    )
}


def render(text: str) -> str:
    """The page with every table written anew; an unknown name raises KeyError."""
    return MARKER.sub(lambda match: f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}", text)


def main() -> None:
    """Rewrite the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page is stale")
    args = parser.parse_args()
    stale = [page for page in PAGES if render(page.read_text(encoding="utf-8")) != page.read_text(encoding="utf-8")]
    for page in stale:
        print(f"{'stale' if args.check else 'written'}: {page.relative_to(ROOT)}")
        if not args.check:
            page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
    if args.check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
