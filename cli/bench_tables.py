"""Tables of ``pointlabel bench``."""

from __future__ import annotations

from typing import Any

from .standard import plain

_WIDTH = 132  # where standard output is no terminal, whose width would be guessed too small


def print_accuracy(rows: list[dict[str, Any]], *, err: bool = False) -> None:
    """One table for each data set, the highest IoU first."""
    headings = ("IoU", "nIoU", "IoU < 0.5", "area error")
    _print(rows, "iou", True, headings, _accuracy_cells, err)


def print_timing(rows: list[dict[str, Any]], *, err: bool = False) -> None:
    """The fastest first, with how many times as fast as mclc each is."""
    from pointlabel.bench.comparison import TIMED_AGAINST

    key = f"speed_over_{TIMED_AGAINST}"
    _print(
        rows,
        "ms_median",
        False,
        (f"times as fast as {TIMED_AGAINST}",),
        lambda row: [f"{row[key]:.2f}" if key in row else "-"],
        err,
    )


def _print(
    rows: list[dict[str, Any]], key: str, largest_first: bool, headings: tuple[str, ...], cells: Any, err: bool
) -> None:
    from rich import box
    from rich.table import Table

    from pointlabel.bench.summaries import sort_rows

    from .standard import console as open_console

    console = open_console(err=err)
    if not console.is_terminal:
        console = open_console(err=err, width=_WIDTH)
    for name in dict.fromkeys(row["dataset"] for row in rows):
        ours = sort_rows([row for row in rows if row["dataset"] == name], key, largest_first=largest_first)
        table = Table(title=plain(_title(name, ours)), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in ("method", "size prior"):
            table.add_column(heading, no_wrap=True)
        for heading in (*headings, "ms / target", "90 %", "99 %", "first, ms", "peak MB"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in ours:
            if "error" not in row:
                table.add_row(row["method"], row["size_prior"], *cells(row), *_time_cells(row))
        console.print(table)
        _print_errors(console, ours)


def _print_errors(console: Any, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "error" in row:
            console.print(plain(f"{row['method']} failed: {row['error']}"), soft_wrap=True)


def _title(name: str, rows: list[dict[str, Any]]) -> str:
    done = next((row for row in rows if "error" not in row), None)
    if done is None:
        return name
    return f"{name}: {done['images']} images, {done['targets']} targets, points: {done['points']}"


def _accuracy_cells(row: dict[str, Any]) -> list[str]:
    return [
        _with_spread(row, "iou"),
        _with_spread(row, "niou"),
        *("-" if row.get(name) is None else f"{row[name]:.1%}" for name in ("poor", "area_error")),
    ]


def _with_spread(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:.3f}" + (f" ± {row[f'{name}_std']:.3f}" if row["seeds"] > 1 else "")


def _time_cells(row: dict[str, Any]) -> list[str]:
    times = [f"{row[name]:.3f}" for name in ("ms_median", "ms_p90", "ms_p99")]
    return [*times, f"{row['first_ms']:.0f}", "-" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"]
