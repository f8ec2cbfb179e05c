"""Tables of ``pointlabel evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .standard import console as open_console

if TYPE_CHECKING:
    from rich.table import Table


_ROWS = (
    ("iou", "IoU, pooled over pixels"),
    ("niou", "nIoU, all images"),
    ("niou_with_targets", "nIoU, images with targets"),
    ("pd", "Pd, targets found"),
    ("fa", "Fa, false pixels per million"),
    ("precision", "precision of pixels"),
    ("recall", "recall of pixels"),
    ("target_precision", "precision of detections"),
    ("hiou", "hIoU, localisation x segmentation"),
)
# Rows of the table of hIoU, with the keys of both of its levels; None where a level has no such part.
_PARTS = (
    ("IoU", "loc_iou", "seg_iou"),
    ("merging: several targets in one", "loc_merging", "seg_merging"),
    ("splitting: one target in several", "loc_splitting", None),
    ("interference: of the background", "loc_interference", "seg_interference"),
    ("perception: missed", "loc_perception", "seg_perception"),
)


def _number(value: float | None, name: str = "") -> str:
    if value is None:
        return "-"
    return f"{value * 1e6:.2f}" if name == "fa" else f"{value:.4f}"


def print_report(report: dict[str, Any], *, on_stderr: bool = False) -> None:
    """Print every table of a report on standard output, or on standard error where the former holds other results."""
    from rich.table import Table

    console = open_console(err=on_stderr)
    against = report.get("against")
    empty = report["images"] - report["images_with_targets"]
    table = Table("metric", title=f"{report['images']} images ({empty} without targets), {report['targets']} targets")
    table.add_column("PRED", justify="right")
    for heading in ("B", "difference", "95 % interval") if against else ():
        table.add_column(heading, justify="right")
    for name, label in _ROWS:
        label += f" ({report['profile']})" if name in ("fa", "hiou") else ""
        cells = [label, _number(report[name], name)]
        if against:
            cells.append(_number(against[name], name))
            interval = against["differences"].get(name)
            if interval:
                cells += [f"{interval['difference']:+.4f}", f"{interval['low']:+.4f} to {interval['high']:+.4f}"]
        table.add_row(*cells)
    if "ap50" in report:
        table.add_row(f"AP of boxes at IoU 0.5, by {report['box_score']}", _number(report["ap50"]))
    if "curve" in report:
        label = f"area of the Pd-Fa curve to {report['fa_limit'] * 1e6:g} per million"
        table.add_row(label, _number(report["pd_fa_area"]))
    console.print(table)
    console.print(_parts_table(report["hierarchy"], against and against["hierarchy"]))
    console.print(_class_table("area, px", report["by_size"], against and against["by_size"]))
    if report["by_scr"] is not None:
        console.print(_class_table("local SCR", report["by_scr"], against and against["by_scr"]))
    if "curve" in report:
        console.print(_curve_table(report["curve"]))


def _parts_table(parts: dict[str, Any], other: dict[str, Any] | None) -> Table:
    from rich.table import Table

    table = Table("parts of hIoU")
    for heading in ("targets", "pixels", *(("targets of B", "pixels of B") if other else ())):
        table.add_column(heading, justify="right")
    for label, *names in _PARTS:
        cells = [_number(each[name]) if name else "" for each in (parts, other) if each for name in names]
        table.add_row(label, *cells)
    return table


def _class_table(title: str, groups: dict[str, Any], other: dict[str, Any] | None) -> Table:
    from rich.table import Table

    table = Table(title)
    for heading in ("targets", "Pd", "mean IoU", *(("Pd of B", "mean IoU of B") if other else ())):
        table.add_column(heading, justify="right")
    for name, group in groups.items():
        cells = [name, str(group["targets"]), _number(group["pd"]), _number(group["iou"])]
        table.add_row(*cells, *([_number(other[name]["pd"]), _number(other[name]["iou"])] if other else []))
    return table


def _curve_table(points: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    names = ("threshold", "iou", "niou", "pd", "fa")
    table = Table()
    for heading in ("threshold", "IoU", "nIoU", "Pd", "Fa / million"):
        table.add_column(heading, justify="right")
    for point in points:
        table.add_row(f"{point['threshold']:g}", *(_number(point[name], name) for name in names[1:]))
    return table
