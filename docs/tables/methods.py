"""Tables of all methods side by side, and of the detectors."""

from __future__ import annotations

from typing import Any

from .store import DATASETS, POINTS, both, markdown, stored


def _bench(points: str) -> list[dict[str, Any]]:
    """Rows of every method on every data set with one kind of point, without and with the true size."""
    return [row for prior in ("none", "oracle") for row in stored(f"bench_{points}_{prior}")["rows"]]


def _bench_groups(points: str) -> list[dict[str, dict[str, Any]]]:
    """For each method and size prior its rows by data set, the highest pooled IoU first."""
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in _bench(points):
        if "error" not in row:
            # a method that knows no size prior is run with both
            groups.setdefault((row["method"], row["size_prior"]), {}).setdefault(row["dataset"], row)
    whole = [group for group in groups.values() if "pooled" in group]
    return sorted(whole, key=lambda group: -group["pooled"]["iou"])


def _bench_table(points: str) -> str:
    """IoU / nIoU of every method, then what the paper says of its own runs."""
    columns = (*DATASETS, "pooled")
    rows = []
    for group in _bench_groups(points):
        pooled = group["pooled"]
        spread = f"{pooled['iou_std']:.3f}" if pooled["seeds"] > 1 else ""
        cells = [both(group[name]) for name in columns]
        more = [f"{pooled['poor']:.1%}", f"{pooled['area_error']:.0%}"]
        rows.append([f"`{pooled['method']}`", pooled["size_prior"], *cells, spread, *more])
    for row in stored("quoted")["rows"]:
        if row["points"] == points:
            percents = [f"*{row['iou_percent'][name]:.2f} %*" for name in columns]
            rows.append([f"*{row['method']}, quoted*", row["size_prior"], *percents, "", "", ""])
    data = stored(f"bench_{points}_none")["data"]
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


TABLES = (bench_centroid, bench_coarse, bench_times, bench_wins, detectors)
