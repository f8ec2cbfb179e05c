"""``pointlabel select``: the training images that a run found most useful."""

from __future__ import annotations

import click

from .console import is_quiet
from .options import FILE, FiniteRange, seed_option
from .plots import check_plot, draw_weights
from .standard import plain
from .streams import STDOUT, check_output, check_outputs, write_bytes


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
    type=FILE,
    help="List to write, - for stdout; default RUN/top.txt.",
)
@click.option("--plot", metavar="FILE", type=FILE, help="Draw weights by size and shape.")
@seed_option
def select(run: str, top: float, by: str, out: str | None, plot: str | None, seed: int) -> None:
    """Write the ids of the training images that RUN gave the highest weights to, one a line.

    RUN is a finished run of the strategy bilevel. What it knows of each image, weight, prior difficulty, size and shape
    of the targets in its last label, lies in RUN/weights.csv. The seed is for --by random alone.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments or input.

    \b
    Example:
        pointlabel train data --strategy bilevel --out runs/weighted
        pointlabel select runs/weighted --top 0.3 -o best.txt --plot weights.png
        pointlabel train data --train-ids best.txt --out runs/best
    """
    import os

    from pointlabel.io.text import encode_text
    from pointlabel.training.selection import read_weights, select_samples

    check_plot(plot)
    usual = os.path.join(run, "top.txt")
    if out is None or os.path.realpath(out) == os.path.realpath(usual):
        check_output(usual)
    else:
        check_outputs({"--out": out})
    rows = read_weights(run)
    ids = select_samples(rows, top, by=by, seed=seed)
    path = out or usual
    write_bytes(path, encode_text("".join(f"{each}\n" for each in ids)))
    if plot is not None:
        draw_weights(plot, rows, set(ids))
    if not is_quiet():
        click.echo(plain(f"{len(ids)} of {len(rows)} training images, by {by}: {path}"), err=path == STDOUT)
