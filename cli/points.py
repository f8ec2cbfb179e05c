"""``pointlabel points``: one point for each target of a mask."""

from __future__ import annotations

import click

from .options import mask_threshold_option


@click.command()
@click.argument("masks", metavar="MASKS", type=click.Path(exists=True))
@click.option("-o", "--out", required=True, type=click.Path(), help="Folder of one-pixel PNGs, or the CSV file.")
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
    default="png",
    show_default=True,
    help="A PNG for each mask, or one CSV of image,x,y with pixel centres at whole numbers.",
)
@mask_threshold_option
@click.pass_context
def points(ctx: click.Context, masks: str, out: str, mode: str, seed: int, form: str, mask_threshold: float) -> None:
    """Make point labels out of the masks in MASKS: one pixel in each 8-connected component.

    The points of a mask depend on its id and the seed only, not on the other masks.

    \b
    Example:
        pointlabel points data/masks -o data/points --mode coarse --seed 1
    """
    import os

    import numpy as np

    from pointlabel.evaluation.sampling import points_from_mask
    from pointlabel.io.files import write_whole
    from pointlabel.io.masks.pairs import list_masks
    from pointlabel.io.masks.png import encode_mask
    from pointlabel.io.masks.read import read_grey_mask
    from pointlabel.io.text import encode_text

    found = list_masks(masks)
    n_points, lines, moved, empty, faint = 0, ["image,x,y"], [], [], []
    for image_id, path in found.items():
        grey = read_grey_mask(path)
        complaint = grey.complaint(mask_threshold)
        if complaint is not None:
            faint.append(complaint)
        mask = grey.mask(mask_threshold)
        spots, was_moved = points_from_mask(mask, mode, seed=seed, image_id=image_id)
        n_points += len(spots)
        moved += [f"{image_id} (x={x}, y={y})" for y, x in spots[was_moved]]
        if len(spots) == 0:
            empty.append(image_id)
        if form == "csv":
            lines += [f"{_quoted(image_id)},{x},{y}" for y, x in spots] or [f"{_quoted(image_id)},,"]
        else:
            target = os.path.join(out, *f"{image_id}.png".split("/"))
            if os.path.realpath(target) == os.path.realpath(path):
                raise click.UsageError(f"the points of {path} would overwrite the mask; choose another folder for -o")
            marks = np.zeros(mask.shape, bool)
            marks[tuple(spots.T)] = True
            write_whole(target, encode_mask(marks))
    if form == "csv":
        write_whole(out, encode_text("\n".join([*lines, ""])))
    for names, text in (
        (moved, "points moved to the nearest pixel of their target, which they fell outside of"),
        (empty, "masks without a target"),
        (faint, "masks without a value above the threshold"),
    ):
        if names and not ctx.find_root().params.get("quiet"):
            click.echo(f"note: {text}: {len(names)}; the first: {names[0]}", err=True)
    click.echo(f"points: {n_points}, masks: {len(found)}, written to {out}")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\n') else text
