"""``pointlabel points``: one point for each target of a mask."""

from __future__ import annotations

import click

from .console import say
from .options import PLACE, mask_threshold_option, seed_option
from .streams import STDOUT, check_new, check_output, write_csv


@click.command()
@click.argument("masks", metavar="MASKS", type=PLACE)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(),
    help="Folder of one-pixel PNGs, or the CSV file; - is standard output.",
)
@click.option(
    "--mode",
    type=click.Choice(["centroid", "coarse"]),
    default="centroid",
    show_default=True,
    help="Floor of the centroid, or a random pixel near the middle of the target.",
)
@seed_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["png", "csv"]),
    help="A PNG for each mask, or one CSV of image,x,y with pixel centres at whole numbers. By default csv where -o "
    "ends with .csv or is -, else png.",
)
@click.option("--overwrite", is_flag=True, help="Replace the CSV file where it is there already.")
@mask_threshold_option
@click.pass_context
def points(
    ctx: click.Context,
    masks: str,
    out: str,
    mode: str,
    seed: int,
    form: str | None,
    overwrite: bool,
    mask_threshold: float,
) -> None:
    """Make point labels out of the masks in MASKS: one pixel in each 8-connected component.

    The points of a mask depend on its id and the seed only, not on the other masks.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments, 3 some masks could not be read.

    \b
    Examples:
        pointlabel points data/masks -o data/points --mode coarse --seed 1
        pointlabel points data/masks -o points.csv
    """
    from pointlabel.evaluation.point_files import points_from_folder
    from pointlabel.io.text import harmless

    as_csv = _is_csv(out, form)
    if as_csv:
        check_new(out, overwrite)
        check_output(out)
    found = points_from_folder(
        masks,
        None if as_csv else out,
        mode=mode,
        seed=seed,
        mask_threshold=mask_threshold,
        on_error=lambda text: say(f"error: {text}", always=True),
    )
    write_csv(out if as_csv else None, [{**row, "image": harmless(row["image"])} for row in found.rows])
    for text in found.notes:
        say(f"note: {text}")
    place = "standard output" if out == STDOUT else out
    click.echo(f"points: {found.n_points}, masks: {found.n_masks}, written to {place}", err=out == STDOUT)
    if found.n_failed:
        ctx.exit(3)


def _is_csv(out: str, form: str | None) -> bool:
    """Whether one table is written; what -o and --format say must agree."""
    named = out == "-" or out.lower().endswith(".csv")
    if form == "png" and named:
        raise click.UsageError(f"-o {out} is one file, and --format png needs a folder; leave --format out for a CSV")
    return named or form == "csv"
