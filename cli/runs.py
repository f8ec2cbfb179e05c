"""``pointlabel runs``: trained runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .standard import console as open_console
from .standard import plain

if TYPE_CHECKING:
    from pointlabel.training.compare import RunComparison

_FILE = click.Path(dir_okay=False)


@click.group()
def runs() -> None:
    """What runs of pointlabel train have reached."""


@runs.command("compare")
@click.argument("folders", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@click.option("--plot", metavar="FILE", type=_FILE, help="Draw the curves and the scores (.png, .pdf or .svg).")
@click.option("--html", metavar="FILE", type=_FILE, help="Write images and masks side by side; - is stdout.")
@click.option("--json", "json_file", metavar="FILE", type=_FILE, help="Write scores and curves; - is stdout.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--device", metavar="NAME", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.pass_context
def compare(
    ctx: click.Context,
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

    \b
    Example:
        pointlabel runs compare runs/offline runs/lesps runs/pal --html runs.html --plot runs.png
    """
    from pointlabel.errors import MissingExtraError

    from .streams import STDOUT, check_output, write_bytes

    if [json_file, html].count(STDOUT) > 1:
        raise click.UsageError("--json - and --html - exclude each other: standard output takes one of them")
    for path in (plot, html, json_file):
        if path is not None:
            check_output(path)
    if plot is not None:
        _check_plot(plot)
    try:
        from pointlabel.training.compare import compare_runs
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"runs needs {error.name}: pip install 'pointlabel[train]'") from error

    quiet = bool(ctx.find_root().params.get("quiet"))
    with _Progress(quiet) as progress:
        comparison = compare_runs(folders, seed=seed, device=device, on_image=progress.show)
    if comparison.n_left_out and not quiet:
        click.echo(
            f"note: {comparison.n_left_out} test images are not in every run and are left out; "
            f"{len(comparison.images)} are compared",
            err=True,
        )
    if json_file is not None:
        import json

        write_bytes(json_file, (json.dumps(comparison.as_dict(), indent=1) + "\n").encode())
    if html is not None:
        from pointlabel.report.page import encode_page
        from pointlabel.report.runs import draw_runs

        write_bytes(html, encode_page(draw_runs(comparison)))
    if plot is not None:
        _draw_plot(plot, comparison)
    _print_table(comparison, err=STDOUT in (json_file, html))


def _print_table(comparison: RunComparison, *, err: bool) -> None:
    from rich.table import Table

    from pointlabel.report.runs import protocol_words

    protocol = protocol_words(comparison.runs[0].protocol)
    scores = Table("run", title=f"{len(comparison.images)} test images, protocol {protocol}")
    for heading in ("epoch", "IoU", "nIoU", "Pd", "Fa / million"):
        scores.add_column(heading, justify="right")
    differences = Table(f"less {plain(comparison.runs[0].name)}")
    for heading in ("IoU", "95 % interval", "nIoU", "95 % interval"):
        differences.add_column(heading, justify="right")
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


class _Progress:
    """A bar for each run on standard error where that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        from rich.progress import Progress

        console = open_console(err=True)
        self._bars = Progress(console=console, transient=True, disable=quiet or not console.is_terminal)
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> _Progress:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def show(self, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(plain(name), total=total)
        self._bars.update(self._tasks[name], completed=done)  # type: ignore[arg-type]


def _check_plot(path: str) -> None:
    """Fail before the work, not after it."""
    from importlib.util import find_spec

    from pointlabel.errors import MissingExtraError

    if find_spec("matplotlib") is None:
        raise MissingExtraError("--plot needs matplotlib: pip install 'pointlabel[plot]'")
    if not path.lower().endswith((".png", ".pdf", ".svg")):
        raise click.UsageError(f"--plot writes .png, .pdf or .svg, got {path}")


def _draw_plot(path: str, comparison: RunComparison) -> None:
    """Held-out IoU over the epochs, and the scores on the test images beside it."""
    import io

    from matplotlib.figure import Figure

    from pointlabel.io.files import write_whole

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
    left.grid(alpha=0.3)
    left.legend(fontsize="small")
    right.set_xticks(range(3), ["IoU", "nIoU", "Pd"])
    right.set(ylim=(0, 1), title=f"{len(comparison.images)} test images")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=150, format=path.lower().rpartition(".")[2])
    write_whole(path, picture.getvalue())
