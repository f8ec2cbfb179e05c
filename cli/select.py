"""``pointlabel select``: the training images that a run found most useful."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .options import FiniteRange, seed_option
from .standard import plain
from .streams import STDOUT, write_bytes

if TYPE_CHECKING:
    from pointlabel.training.selection import SampleWeight

#: What ``--plot`` draws the weights against: a column of weights.csv, its name, whether its axis is logarithmic.
_PANELS = (
    ("area", "area of the targets, px", True),
    ("elongation", "elongation", False),
    ("fill", "share of the bounding box", False),
    ("scr", "local SCR", False),
)


@click.command()
@click.argument("run", metavar="RUN", type=click.Path())
@click.option(
    "--top", metavar="F", type=FiniteRange(0, 1, min_open=True), default=0.3, show_default=True,
    help="Share of the training images to keep.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(["weight", "difficulty", "random"]), default="weight", show_default=True,
    help="Keep those with the highest weights, the lowest prior difficulty, or any.",
)  # fmt: skip
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="List to write, - for stdout; default RUN/top.txt.",
)
@click.option("--plot", metavar="FILE", type=click.Path(dir_okay=False), help="Draw weights by size and shape.")
@seed_option
@click.pass_context
def select(ctx: click.Context, run: str, top: float, by: str, out: str | None, plot: str | None, seed: int) -> None:
    """Write the ids of the training images that RUN gave the highest weights to, one a line.

    RUN is a finished run of the strategy bilevel. What it knows of each image, weight, prior difficulty, size and shape
    of the targets in its last label, lies in RUN/weights.csv. The seed is for --by random alone.

    \b
    Example:
        pointlabel train data --strategy bilevel --out runs/weighted
        pointlabel select runs/weighted --top 0.3 -o best.txt --plot weights.png
        pointlabel train data --train-ids best.txt --out runs/best
    """
    import os

    from pointlabel.errors import InputError, MissingExtraError
    from pointlabel.io.text import encode_text
    from pointlabel.training.selection import read_weights, select_samples

    if plot is not None:
        if not plot.lower().endswith((".png", ".pdf", ".svg")):
            raise InputError(f"--plot must end in .png, .pdf or .svg, got {plot}")
        try:
            import matplotlib  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("--plot needs matplotlib: pip install 'pointlabel[plot]'") from error
    rows = read_weights(run)
    ids = select_samples(rows, top, by=by, seed=seed)
    path = out or os.path.join(run, "top.txt")
    write_bytes(path, encode_text("".join(f"{each}\n" for each in ids)))
    if plot is not None:
        _draw_plot(plot, rows, set(ids))
    if not ctx.find_root().params.get("quiet"):
        click.echo(plain(f"{len(ids)} of {len(rows)} training images, by {by}: {path}"), err=path == STDOUT)


def _draw_plot(path: str, rows: Sequence[SampleWeight], chosen: set[str]) -> None:
    """Weights of the images against size, shape and contrast of their targets; those chosen are darker."""
    import io

    from matplotlib.figure import Figure

    from pointlabel.io.files import write_whole

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
    picture = io.BytesIO()
    figure.savefig(picture, dpi=150, format=path.lower().rpartition(".")[2])
    write_whole(path, picture.getvalue())
