"""``pointlabel split``: draw which images train, validate and test."""

from __future__ import annotations

import click

from .console import Console, is_quiet, say
from .options import progress_option, seed_option


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
    type=click.Choice(["none", "folder", "top", "twins"]),
    default="none",
    show_default=True,
    help="Keep together the images of a folder, or of each folder right below images/, as frames of a sequence are; or "
    "near twins, wherever they lie.",
)
@seed_option
@click.option("--no-check", is_flag=True, help="Do not look for near twins in two parts, which reads all images.")
@click.option("--overwrite", is_flag=True, help="Replace lists that are there.")
@progress_option
def split(dataset: str, ratio: str, group: str, seed: int, no_check: bool, overwrite: bool, no_progress: bool) -> None:
    """Draw a split of the images of DATASET and write it to DATASET/img_idx, or where its layout has lists.

    DATASET is a data set, or a folder of images. The lists are train.txt, val.txt and test.txt, one id a line. Near
    twins, such as frames of one scene, that lie in two parts are counted: a detector that has seen one of them is not
    tested by the other.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments or input.

    \b
    Examples:
        pointlabel split data --ratio 6:2:2 --seed 1
        pointlabel split data --group folder
        pointlabel split data --group twins
    """
    from pointlabel.training import make_split
    from pointlabel.training.draw import torn_folders

    twins: list[tuple[str, str]] = []
    with Console(progress=not no_progress) as console:
        parts = make_split(
            dataset,
            ratio=ratio,
            seed=seed,
            group=group,
            overwrite=overwrite,
            on_twins=None if no_check else twins.extend,
            report=console.stage("looking for near twins"),
        )
    if torn := torn_folders(parts):
        say(
            f"warning: images of {len(torn)} folders, the first {torn[0]}, are in more than one part; where a "
            "folder is a sequence, --group folder (or top) keeps its frames together"
        )
    if twins:
        one, other = twins[0]
        n = len(twins)
        say(
            f"warning: {n} pair{'s' if n > 1 else ''} of near twins, the first {one} and {other}, "
            f"{'are' if n > 1 else 'is'} in two parts; --group twins keeps them together"
        )
    if not is_quiet():
        click.echo(", ".join(f"{name} {len(ids)}" for name, ids in parts.items()))
