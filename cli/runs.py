"""``pointlabel runs``: trained runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import Console, needs_extra, say
from .options import FILE, json_option, seed_option
from .plots import check_plot, draw_runs
from .standard import console as open_console
from .standard import plain

if TYPE_CHECKING:
    from pointlabel.training.compare import RunComparison


@click.group()
def runs() -> None:
    """What runs of pointlabel train have reached."""


@runs.command("compare")
@click.argument("folders", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@click.option("--plot", metavar="FILE", type=FILE, help="Draw the curves and the scores (.png, .pdf or .svg).")
@click.option("--html", metavar="FILE", type=FILE, help="Write images and masks side by side; - is stdout.")
@json_option
@seed_option
@click.option("--device", metavar="NAME", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def compare(
    folders: tuple[str, ...],
    plot: str | None,
    html: str | None,
    json_file: str | None,
    seed: int,
    device: str,
) -> None:
    """Compare the best checkpoints of RUN... on the test images they share: IoU, nIoU, Pd, Fa.

    Each run is compared with the first: the difference, and the interval that holds 95 % of the differences when the
    images are drawn anew. An interval that holds 0 leaves open which run is better.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments or input.

    \b
    Example:
        pointlabel runs compare runs/offline runs/lesps runs/pal --html runs.html --plot runs.png
    """
    from .streams import STDOUT, check_outputs, write_json, write_page

    check_outputs({"--json": json_file, "--html": html})
    check_plot(plot)
    with needs_extra("train"):
        from pointlabel.training.compare import compare_runs

    with Console() as console:
        comparison = compare_runs(folders, seed=seed, device=device, on_image=console.show)
    if comparison.n_left_out:
        say(
            f"note: {comparison.n_left_out} test images are not in every run and are left out; "
            f"{len(comparison.images)} are compared"
        )
    write_json(json_file, comparison.as_dict(), indent=1)
    if html is not None:
        from pointlabel.report.runs import draw_runs as draw_page

        write_page(html, draw_page(comparison))
    if plot is not None:
        draw_runs(plot, comparison)
    _print_table(comparison, err=STDOUT in (json_file, html))


def _print_table(comparison: RunComparison, *, err: bool) -> None:
    from rich.table import Column, Table

    from pointlabel.report.runs import protocol_words

    protocol = protocol_words(comparison.runs[0].protocol)
    # Names of runs are long and differ at their ends: they are folded, never cut.
    scores = Table(Column("run", overflow="fold"), title=f"{len(comparison.images)} test images, protocol {protocol}")
    for heading in ("epoch", "IoU", "nIoU", "Pd", "Fa / million"):
        scores.add_column(heading, justify="right", no_wrap=True)
    differences = Table(Column("run", overflow="fold"), title=f"difference from {plain(comparison.runs[0].name)}")
    for heading in ("IoU", "95 % interval", "nIoU", "95 % interval"):
        differences.add_column(heading, justify="right", no_wrap=True)
    for run in comparison.runs:
        cells = [plain(run.name), f"{run.best_epoch} of {run.epochs}"]
        for name, form, factor in (("iou", ".4f", 1), ("niou", ".4f", 1), ("pd", ".4f", 1), ("fa", ".2f", 1e6)):
            value = run.scores[name]
            cells.append("-" if value is None else format(value * factor, form))
        scores.add_row(*cells)
        if run.differences is not None:
            pairs = [run.differences[name] for name in ("iou", "niou")]
            gaps = [(f"{each.difference:+.4f}", f"{each.low:+.4f} to {each.high:+.4f}") for each in pairs]
            differences.add_row(plain(run.name), *gaps[0], *gaps[1])
    console = open_console(err=err)
    console.print(scores)
    if len(comparison.runs) > 1:
        console.print(differences)
