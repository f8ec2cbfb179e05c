"""``pointlabel points``: one point for each target of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import mask_threshold_option

if TYPE_CHECKING:
    from numpy.typing import NDArray


@click.command()
@click.argument("masks", metavar="MASKS", type=click.Path(exists=True))
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
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the coarse points.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["png", "csv"]),
    help="A PNG for each mask, or one CSV of image,x,y with pixel centres at whole numbers. By default csv where -o "
    "ends with .csv or is -, else png.",
)
@mask_threshold_option
@click.pass_context
def points(
    ctx: click.Context, masks: str, out: str, mode: str, seed: int, form: str | None, mask_threshold: float
) -> None:
    """Make point labels out of the masks in MASKS: one pixel in each 8-connected component.

    The points of a mask depend on its id and the seed only, not on the other masks.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments, 3 some masks could not be read.

    \b
    Examples:
        pointlabel points data/masks -o data/points --mode coarse --seed 1
        pointlabel points data/masks -o points.csv
    """
    from pointlabel.errors import InputError
    from pointlabel.evaluation.sampling import points_from_mask
    from pointlabel.io.masks.pairs import list_masks
    from pointlabel.io.masks.read import read_true_mask
    from pointlabel.io.masks.survey import MaskTally, survey_masks

    from .streams import STDOUT, check_output, write_bytes

    as_csv = _is_csv(out, form)
    found = list_masks(masks)
    if as_csv:
        check_output(out)
    else:
        _check_targets(out, found)
    said = [note.text for note in survey_masks(list(found.values()), masks, mask_threshold, noun="mask")]
    tally, rows, n_points, moved, empty, failed = MaskTally(), [], 0, [], [], []
    for image_id, path in found.items():
        try:
            mask, notes = read_true_mask(path, mask_threshold)
        except InputError as error:
            failed.append(str(error))
            click.echo(f"error: {error}", err=True)
            continue
        tally.add(mask, notes)
        spots, was_moved = points_from_mask(mask, mode, seed=seed, image_id=image_id)
        n_points += len(spots)
        moved += [f"{image_id} (x={x}, y={y})" for y, x in spots[was_moved]]
        if len(spots) == 0:
            empty.append(image_id)
        if as_csv:
            rows += [(image_id, x, y) for y, x in spots.tolist()] or [(image_id, "", "")]
        else:
            write_bytes(_target(out, image_id), _marks(mask.shape, spots))
    if len(failed) == len(found):
        raise InputError(f"{masks}: no mask can be read, see above")
    if as_csv:
        write_bytes(out, _table(rows))
    for names, text in (
        (moved, "points moved to the nearest pixel of their target, which they fell outside of"),
        (empty, "masks without a target"),
        (failed, "masks that cannot be read, left out"),
    ):
        if names:
            said.append(f"{text}: {len(names)}; the first: {names[0]}")
    for text in [] if ctx.find_root().params.get("quiet") else [*said, *tally.sentences("masks")]:
        click.echo(f"note: {text}", err=True)
    place = "standard output" if out == STDOUT else out
    summary = f"points: {n_points}, masks: {len(found) - len(failed)}, written to {place}"
    click.echo(summary, err=out == STDOUT)
    if failed:
        ctx.exit(3)


def _is_csv(out: str, form: str | None) -> bool:
    """Whether one table is written; what -o and --format say must agree."""
    named = out == "-" or out.lower().endswith(".csv")
    if form == "png" and named:
        raise click.UsageError(f"-o {out} is one file, and --format png needs a folder; leave --format out for a CSV")
    return named or form == "csv"


def _target(out: str, image_id: str) -> str:
    import os

    return os.path.join(out, *f"{image_id}.png".split("/"))


def _check_targets(out: str, found: dict[str, str]) -> None:
    """Refuse to write over a mask, or over any file that is not this program's."""
    import os

    from pointlabel.io.outdir import OutputGate

    masks = {os.path.realpath(path): path for path in found.values()}
    for image_id in found:
        target = _target(out, image_id)
        mask = masks.get(os.path.realpath(target))
        if mask is not None:
            raise click.UsageError(f"the points of {mask} would overwrite the mask; choose another folder for -o")
    OutputGate(out).refuse_foreign(("", image_id, None) for image_id in found)


def _marks(shape: tuple[int, ...], spots: NDArray) -> bytes:
    """A PNG with one white pixel at each of the points, (N, 2) as (row, column)."""
    import numpy as np

    from pointlabel.io.masks.png import encode_mask

    marks = np.zeros(shape, bool)
    marks[tuple(spots.T)] = True
    return encode_mask(marks)


def _table(rows: list[tuple]) -> bytes:
    import csv
    import io

    from pointlabel.io.text import encode_text

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("image", "x", "y"), *rows])
    return encode_text(text.getvalue())
