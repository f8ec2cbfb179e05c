"""``pointlabel calibrate``: a data set's style of drawing from a few masks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .console import Console, note_lines, say, say_when_kernels_compile
from .options import (
    json_option,
    mask_threshold_option,
    masks_option,
    origin_option,
    points_options,
    polarity_option,
    progress_option,
    seed_option,
)
from .standard import console as open_console
from .standard import plain
from .streams import STDOUT, check_new, check_outputs, write_bytes, write_json

if TYPE_CHECKING:
    from pointlabel.calibration import Calibration


@click.command()
@click.argument("images", metavar="DATASET|IMAGES", type=click.Path())
@points_options
@masks_option
@click.option("-o", "--out", required=True, type=click.Path(), help="Style for annotate --config; - is stdout.")
@click.option("--overwrite", is_flag=True, help="Replace the file where it is there already.")
@polarity_option
@origin_option
@mask_threshold_option
@seed_option
@json_option
@progress_option
def calibrate(
    images: str,
    points: str | None,
    points_format: str | None,
    allow_pickle: bool,
    masks: str | None,
    out: str,
    overwrite: bool,
    polarity: str,
    origin: str,
    mask_threshold: float,
    seed: int,
    json_file: str | None,
    no_progress: bool,
) -> None:
    """Find how the masks of a data set are drawn, from 1 to 50 images of it, and write a style for annotate.

    DATASET is a folder with images/, masks/, and masks_centroid/ or clicks.csv. IMAGES is a folder (searched with its
    sub-folders), one file, or a quoted glob; MASKS holds true masks for some of them, under the same names: drawn, or
    masks of annotate that were mended by hand. Every style that is tried is judged on masks it was not fitted to. Where
    none is better than the default style, the file that is written keeps that.

    Exit codes: 0 done, also where no style is worth using, 1 the output could not be written, 2 wrong arguments or
    input.

    \b
    Example:
        pointlabel calibrate data -o style.toml
        pointlabel calibrate data/images -p data/points -m data/masks -o style.toml
        pointlabel annotate data/images -p data/points -o out --config style.toml
    """
    from pointlabel.calibration import calibrate, encode_style, heading, read_examples
    from pointlabel.errors import InputError
    from pointlabel.io.datasets import locate_parts

    images, points, masks = locate_parts(images, points, masks)
    if masks is None:
        raise InputError(f"{images}: a style is found from true masks: --masks DIR")
    check_new(out, overwrite)
    check_outputs({"--out": out, "--json": json_file})
    say_when_kernels_compile()
    with Console(progress=not no_progress) as console:
        examples = read_examples(
            images,
            points,
            masks,
            origin=origin,
            points_format=points_format,
            allow_pickle=allow_pickle,
            polarity=polarity,
            mask_threshold=mask_threshold,
            seed=seed,
            report=console.stage("reading"),
        )
        found = calibrate(examples.cases, seed=seed, report=console.stage("trying styles"))
    for text in [*(f"note: {each}" for each in examples.left_out()), *sorted(note_lines(examples.notes))]:
        say(text)
    write_bytes(out, encode_style(found.style, heading(found), polarity))
    write_json(json_file, {"out": out, **examples.counts(), **asdict(found)})
    if json_file != STDOUT:
        _print(found, out, err=out == STDOUT)


def _print(found: Calibration, out: str, *, err: bool) -> None:
    """The report, on standard error where the style goes to standard output."""
    from rich.table import Table

    from pointlabel.calibration import changes, verdict

    if found.judged:
        head = ("held out", "default", "style" if found.worth_using else "best tried")
        table = Table(*head[:1], title=f"{found.targets} targets in {found.images} images")
        for name in head[1:]:
            table.add_column(name, justify="right")
        for index, name in enumerate(("IoU, pooled", "IoU, mean")):
            table.add_row(name, f"{found.before[index]:.4f}", f"{found.tried[found.best][index]:.4f}")
        open_console(err=err).print(table)
    for change in changes(found):
        click.echo(f"changed: {change}", err=err)
    click.echo(verdict(found), err=err)
    click.echo(plain(f"written to {out}; use it by pointlabel annotate ... --config {out}"), err=err)
