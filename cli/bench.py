"""``pointlabel bench``: methods side by side, for accuracy and for time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from .options import FILE, json_option, mask_threshold_option, masks_option, points_options, progress_option
from .streams import STDOUT, check_outputs, write_json, write_page

if TYPE_CHECKING:
    from pointlabel.bench.comparison import Comparison
    from pointlabel.bench.runner import Setup

_PRIORS = click.Choice(["none", "fixed", "oracle"])


@click.group()
def bench() -> None:
    """Compare methods: masks against the true ones, and times."""


def _shared_options(command: Callable) -> Callable:
    """Options of both commands."""
    for option in reversed(
        (
            click.option(
                "--methods",
                metavar="A,B,...",
                help="Methods to compare, by default all of this package that need no trained model.",
            ),
            click.option(
                "--checkpoint",
                "checkpoints",
                metavar="METHOD=DIR",
                multiple=True,
                help="Folder of the trained model that a method needs; can be given several times.",
            ),
            click.option("--split", metavar="NAME", help="Only the images listed in img_idx/NAME.txt."),
            click.option(
                "--limit",
                metavar="N",
                type=click.IntRange(1),
                help="N images of each data set, spread evenly over it: a first look.",
            ),
            click.option(
                "--threads",
                "n_threads",
                metavar="N",
                type=click.IntRange(1),
                default=1,
                show_default=True,
                help="Threads that compiled code may take.",
            ),
            json_option,
            progress_option,
        )
    ):
        command = option(command)
    return command


@bench.command()
@click.argument("datasets", metavar="DATASET...|IMAGES", nargs=-1, required=True, type=click.Path())
@points_options
@masks_option
@click.option(
    "--size-prior",
    type=_PRIORS,
    default="none",
    show_default=True,
    help="What methods of the published kind know of a target's size; oracle takes it from the true masks.",
)
@click.option(
    "--seeds",
    "n_seeds",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Seeds that methods which draw random numbers are run with.",
)
@mask_threshold_option
@_shared_options
@click.option("--html", "html_file", metavar="FILE", type=FILE, help="Write a report, one file; - is stdout.")
@click.pass_context
def accuracy(
    ctx: click.Context,
    datasets: tuple[str, ...],
    points: str | None,
    points_format: str | None,
    allow_pickle: bool,
    masks: str | None,
    size_prior: str,
    n_seeds: int,
    mask_threshold: float,
    methods: str | None,
    checkpoints: tuple[str, ...],
    split: str | None,
    limit: int | None,
    n_threads: int,
    json_file: str | None,
    no_progress: bool,
    html_file: str | None,
) -> None:
    """Run methods on the same images and points and compare their masks with the true ones.

    DATASET is a folder with images/, masks/, and masks_centroid/, clicks.csv or masks_coarse/; IMAGES with -p POINTS
    and -m MASKS may lie anywhere. Each method runs on each data set in
    a process of its own, one after the other, so that its first call and its memory are its own.

    Exit codes: 0 done, 1 a file could not be written, 2 wrong arguments, 3 some methods failed or some images
    could not be read, 130 Ctrl-C (what is done by then is printed and written).

    \b
    Examples:
        pointlabel bench accuracy data --json bench.json --html bench.html
        pointlabel bench accuracy data/a data/b --methods default,threshold --points coarse --limit 50
        pointlabel bench accuracy data --size-prior oracle --seeds 5
    """
    from pointlabel.bench.compare import compare_methods
    from pointlabel.io.datasets import open_data
    from pointlabel.io.files import check_distinct

    from .bench_console import BenchConsole
    from .bench_tables import print_accuracy

    setups = _setups(methods, checkpoints, size_prior, n_seeds)
    check_outputs({"--json": json_file, "--html": html_file})
    check_distinct(datasets, "data set")
    points, kind = _kind_of(points)
    found = [
        open_data(folder, points, masks, split=split, points_format=points_format, allow_pickle=allow_pickle)
        for folder in datasets
    ]
    with BenchConsole(progress=not no_progress) as console:
        comparison, stopped = compare_methods(
            [dataset.sample(limit or len(dataset)) for dataset in found],
            setups,
            points=kind,
            mask_threshold=mask_threshold,
            n_threads=n_threads,
            keep_crops=html_file is not None,
            report=console,
        )
    options = {"points": kind, "size_prior": size_prior, "seeds": n_seeds, "split": split, "limit": limit}
    write_json(json_file, comparison.result() | {"options": options | {"mask_threshold": mask_threshold}}, indent=1)
    if html_file is not None and comparison.runs:
        from pointlabel.report.bench import draw_report

        write_page(html_file, draw_report(comparison))
    print_accuracy(comparison.rows(), err=STDOUT in (json_file, html_file))
    _end(ctx, comparison, stopped)


@bench.command()
@click.argument("images", metavar="DATASET|IMAGES", type=click.Path())
@points_options
@click.option(
    "--size-prior",
    type=_PRIORS,
    default="none",
    show_default=True,
    help="What methods of the published kind know of a target's size; oracle is for bench accuracy.",
)
@click.option(
    "--repeat",
    metavar="N",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Calls for each image; the fastest counts.",
)
@_shared_options
@click.pass_context
def timing(
    ctx: click.Context,
    images: str,
    points: str | None,
    points_format: str | None,
    allow_pickle: bool,
    size_prior: str,
    repeat: int,
    methods: str | None,
    checkpoints: tuple[str, ...],
    split: str | None,
    limit: int | None,
    n_threads: int,
    json_file: str | None,
    no_progress: bool,
) -> None:
    """Time methods on images with points; true masks are not needed.

    Times are milliseconds per target from the image in memory to its masks. Reading files is not counted, and the first
    call of each process, which loads compiled code, is reported apart.

    Exit codes: as of bench accuracy.

    \b
    Examples:
        pointlabel bench timing data --size-prior fixed
        pointlabel bench timing data/images -p clicks.csv --methods default,mclc
    """
    from pointlabel.bench.compare import compare_methods
    from pointlabel.errors import InputError
    from pointlabel.io.datasets import open_data

    from .bench_console import BenchConsole
    from .bench_tables import print_timing

    if size_prior == "oracle":
        raise InputError("--size-prior oracle needs true masks, which bench timing does not read; take none or fixed")
    setups = _setups(methods, checkpoints, size_prior, 1)
    check_outputs({"--json": json_file})
    points, kind = _kind_of(points)
    dataset = open_data(
        images, points, needs_masks=False, split=split, points_format=points_format, allow_pickle=allow_pickle
    )
    with BenchConsole(progress=not no_progress) as console:
        comparison, stopped = compare_methods(
            [dataset.sample(limit or len(dataset))],
            setups,
            points=kind,
            with_masks=False,
            n_threads=n_threads,
            repeat=repeat,
            report=console,
        )
    options = {"points": kind, "size_prior": size_prior, "repeat": repeat, "split": split, "limit": limit}
    write_json(json_file, comparison.result() | {"options": options}, indent=1)
    print_timing(comparison.rows(), err=json_file == STDOUT)
    _end(ctx, comparison, stopped)


def _setups(methods: str | None, checkpoints: tuple[str, ...], size_prior: str, n_seeds: int) -> list[Setup]:
    """The methods to run, checked; unknown names fail here, before any work."""
    from pointlabel.bench.compare import plan_setups
    from pointlabel.errors import InputError

    names = None if methods is None else [name.strip() for name in methods.split(",") if name.strip()]
    if names == []:
        raise InputError("--methods names no method; give names separated by commas")
    folders = {}
    for text in checkpoints:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise InputError(f"--checkpoint must be METHOD=DIR, got {text!r}")
        folders[name] = folder
    return plan_setups(names, folders, size_prior=size_prior, n_seeds=n_seeds)


def _kind_of(points: str | None) -> tuple[str, str]:
    """Points of the data sets, or their path, and what rows call their kind."""
    from pointlabel.io.datasets import POINT_FOLDERS

    points = points or "centroid"
    return points, points if points in POINT_FOLDERS else "given"


def _end(ctx: click.Context, comparison: Comparison, stopped: bool) -> None:
    """End the command with the exit code that says how it went."""
    if stopped:
        ctx.exit(130)
    if comparison.n_errors or any(survey.left_out for survey in comparison.surveys):
        ctx.exit(3)
