"""Tables of ``pointlabel bench``."""

from __future__ import annotations

from typing import Any

from .standard import plain

_MOST = 1000  # columns that a table may ask for


def print_accuracy(rows: list[dict[str, Any]], *, err: bool = False) -> None:
    """One table for each data set, the highest IoU first."""
    headings = ("IoU", "nIoU", "IoU\n< 0.5", "area\nerror")
    _print(rows, "iou", True, headings, _accuracy_cells, err)


def print_timing(rows: list[dict[str, Any]], *, err: bool = False) -> None:
    """The fastest first, with how many times as fast as mclc each is."""
    from pointlabel.bench.comparison import TIMED_AGAINST

    key = f"speed_over_{TIMED_AGAINST}"
    _print(
        rows,
        "ms_median",
        False,
        (f"times as fast\nas {TIMED_AGAINST}",),
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
    style: dict[str, Any] = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "show_edge": False, "pad_edge": False}
    for name in dict.fromkeys(row["dataset"] for row in rows):
        ours = sort_rows([row for row in rows if row["dataset"] == name], key, largest_first=largest_first)
        table = Table(title=plain(_title(name, ours)), title_justify="left", **style)
        for heading in ("method", "size\nprior"):
            table.add_column(heading, no_wrap=True)
        for heading in (*headings, "ms per\ntarget", "90 %", "99 %", "first,\nms", "peak\nMB"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in ours:
            if "error" not in row:
                table.add_row(row["method"], row["size_prior"], *cells(row), *_time_cells(row))
        # Figures are never cut: where the table is wider than the terminal, its lines are broken.
        needed = console.measure(table, options=console.options.update(max_width=_MOST)).maximum
        open_console(err=err, width=max(console.width, needed)).print(table, "")
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
    times = [f"{row[name]:.{3 if row[name] < 10 else 1}f}" for name in ("ms_median", "ms_p90", "ms_p99")]
    return [*times, f"{row['first_ms']:.0f}", "-" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"]
