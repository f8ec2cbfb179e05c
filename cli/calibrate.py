"""``pointlabel calibrate``: a data set's style of drawing from a few masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

from .options import (
    json_option,
    mask_threshold_option,
    origin_option,
    polarity_option,
    progress_option,
    seed_option,
)
from .standard import console as open_console
from .standard import plain
from .streams import STDOUT, check_output, write_bytes

if TYPE_CHECKING:
    from rich.progress import Progress

    from pointlabel.calibration import Calibration, Examples


@click.command()
@click.argument("images", metavar="IMAGES", type=click.Path())
@click.option("-p", "--points", required=True, type=click.Path(), help="Folder of one-pixel PNGs, or a CSV table.")
@click.option("-m", "--masks", required=True, type=click.Path(), help="Folder of masks with the names of the images.")
@click.option("-o", "--out", required=True, type=click.Path(), help="Style for annotate --config; - is stdout.")
@click.option("--overwrite", is_flag=True, help="Replace the file where it is there already.")
@polarity_option
@origin_option
@mask_threshold_option
@seed_option
@json_option
@progress_option
@click.pass_context
def calibrate(
    ctx: click.Context,
    images: str,
    points: str,
    masks: str,
    out: str,
    overwrite: bool,
    polarity: str,
    origin: str,
    mask_threshold: float,
    seed: int,
    as_json: bool,
    no_progress: bool,
) -> None:
    """Learn how the masks of a data set are drawn, from 3 to 50 of them, and write a style for annotate.

    IMAGES is a folder (searched with its sub-folders), one file, or a quoted glob; MASKS holds true masks for some of
    them, under the same names. Every style that is tried is judged on images it was not learned from. Where none is
    better than the defaults, the file that is written keeps them.

    \b
    Example:
        pointlabel calibrate data/images -p data/points -m data/masks -o style.toml
        pointlabel annotate data/images -p data/points -o out --config style.toml
    """
    import os

    from pointlabel.errors import InputError, MissingExtraError
    from pointlabel.kernel_cache import kernel_note

    if out == STDOUT and as_json:
        raise InputError("--out - and --json exclude each other: standard output takes one of them")
    if out != STDOUT and os.path.exists(out) and not overwrite:
        raise InputError(f"{out} is there already; --overwrite replaces it")
    try:
        import torch  # noqa: F401

        from pointlabel.calibration import calibrate, encode_style, heading, read_examples
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"calibrate needs {error.name}: pip install 'pointlabel[train]'") from error

    check_output(out)
    quiet = bool(ctx.find_root().params.get("quiet"))
    note = "" if quiet else kernel_note()
    if note:
        click.echo(note, err=True)
    with _progress(shown=not no_progress and not quiet) as progress:
        examples = read_examples(
            images,
            points,
            masks,
            origin=origin,
            polarity=polarity,
            mask_threshold=mask_threshold,
            seed=seed,
            report=_stage(progress, "reading"),
        )
        found = calibrate(examples.cases, seed=seed, report=_stage(progress, "trying styles"))
    for text in () if quiet else _notes(examples):
        click.echo(plain(text), err=True)
    write_bytes(out, encode_style(found.style, heading(found), polarity))
    if as_json:
        import json

        counts = {item.name: getattr(examples, item.name) for item in fields(examples) if item.name.startswith("n_")}
        write_bytes(STDOUT, (json.dumps({"out": out, **counts, **asdict(found)}) + "\n").encode())
    else:
        _print(found, out, err=out == STDOUT)


def _progress(*, shown: bool) -> Progress:
    """A bar for each stage, on standard error where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = open_console(err=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    """Add a bar; return what moves it, called with (done, of all)."""
    task = progress.add_task(name, total=None)
    return lambda done, total: progress.update(task, completed=done, total=total)


def _notes(examples: Examples) -> list[str]:
    """What became of the images, and what is to be known of their files, one sentence each."""
    said = [
        (examples.n_unmasked, "image", "without a mask, left out"),
        (examples.n_unpointed, "image", "with a mask and without points, left out"),
        (examples.n_empty, "image", "without a target within 3 px of a point, left out"),
        (examples.n_alone, "point", "without a target within 3 px, left out"),
        (examples.n_unread, "image", f"more than needed, left out: --seed drew {examples.n_used}"),
    ]
    out = [f"note: {number} {noun}{'s' if number > 1 else ''} {what}" for number, noun, what in said if number]
    counts = Counter(note.kind for note in examples.notes)
    first = {note.kind: note.text for note in reversed(examples.notes)}
    for kind, text in sorted(first.items()):
        more = f" ({counts[kind] - 1} more like it)" if counts[kind] > 1 else ""
        out.append(f"warning: {text}{more}")
    return out


def _print(found: Calibration, out: str, *, err: bool) -> None:
    """The report, on standard error where the style goes to standard output."""
    from rich.table import Table

    from pointlabel.calibration import changes, verdict

    head = ("held out", "defaults", "style" if found.worth_using else "best tried")
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
