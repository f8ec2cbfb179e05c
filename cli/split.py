"""``pointlabel split``: draw which images train, validate and test."""

from __future__ import annotations

import click

from .console import is_quiet, say
from .options import seed_option


@click.command()
@click.argument("dataset", metavar="DATASET", type=click.Path())
@click.option(
    "--ratio",
    metavar="A:B:C",
    default="6:2:2",
    show_default=True,
    help="Shares of training, validation and test; two numbers leave validation out.",
)
@click.option(
    "--group",
    type=click.Choice(["none", "folder", "top"]),
    default="none",
    show_default=True,
    help="Keep together the images of a folder, or of each folder right below images/, as frames of a sequence are.",
)
@seed_option
@click.option("--overwrite", is_flag=True, help="Replace lists that are there.")
def split(dataset: str, ratio: str, group: str, seed: int, overwrite: bool) -> None:
    """Draw a split of the images of DATASET and write it to DATASET/img_idx.

    DATASET is a folder with images/. The lists are train.txt, val.txt and test.txt, one id a line.

    \b
    Examples:
        pointlabel split data --ratio 6:2:2 --seed 1
        pointlabel split data --group folder
    """
    from pointlabel.training import make_split
    from pointlabel.training.draw import torn_folders

    parts = make_split(dataset, ratio=ratio, seed=seed, group=group, overwrite=overwrite)
    if torn := torn_folders(parts):
        say(
            f"warning: images of {len(torn)} folders, the first {torn[0]}, are in more than one part; where a "
            "folder is a sequence, --group folder (or top) keeps its frames together"
        )
    if not is_quiet():
        click.echo(", ".join(f"{name} {len(ids)}" for name, ids in parts.items()))
