"""``pointlabel annotate``: masks for a folder of images from one point per target."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pointlabel.io.writers import WRITERS

from .config_file import config_option, method_params
from .console import say, say_when_kernels_compile
from .options import (
    ClickedPoint,
    OutputFolder,
    format_option,
    frames_option,
    html_options,
    jobs_option,
    mask_threshold_option,
    masks_option,
    method_option,
    origin_option,
    points_options,
    polarity_option,
    progress_option,
    seed_option,
    set_option,
    shard_option,
    style_option,
    tightness_option,
)
from .run_console import RunConsole
from .streams import check_outputs, write_page

if TYPE_CHECKING:
    from pointlabel.io.shards import Shard


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """A flag per kind of file that can be written beside the masks."""
    for writer in reversed([writer for writer in WRITERS.values() if writer.has_flag]):
        text = f"Write {writer.summary} to OUT/{writer.name}."
        command = click.option(f"--{writer.name}", is_flag=True, help=text)(command)
    command = click.option("--rle", is_flag=True, help="Put the run lengths of each mask into the manifest.")(command)
    return format_option(command)


@click.command()
@click.argument("images", metavar="DATASET|IMAGES...", nargs=-1, required=True, type=click.Path())
@points_options
@click.option(
    "--at",
    "clicks",
    metavar="X,Y",
    type=ClickedPoint(),
    multiple=True,
    help="A point of the one image, as a viewer shows it: x to the right, y down, 0,0 the centre of the first pixel. "
    "Can be given several times.",
)
@click.option("-o", "--out", required=True, type=OutputFolder(), help="Output folder.")
@method_option
@set_option
@tightness_option(more=" A point's own tightness goes first.")
@style_option
@polarity_option
@origin_option
@click.option(
    "--size-prior",
    type=click.Choice(["none", "fixed", "oracle"]),
    help="What a method of the published kind may know of a target's size; oracle needs --masks.",
)
@masks_option
@mask_threshold_option
@click.option(
    "--checkpoint",
    metavar="DIR",
    type=click.Path(),
    help="Folder with a trained model, for the methods that need one (sam, sam2). Nothing is ever downloaded.",
)
@click.option(
    "--refine",
    type=click.Choice(["none", "crf"]),
    default="none",
    show_default=True,
    help="Sharpen the labels of any method by a dense CRF.",
)
@click.option(
    "--backend",
    type=click.Choice(["numba", "torch"]),
    default="numba",
    show_default=True,
    help="torch labels by the default method, many targets at a time: the same masks, for a GPU and many targets.",
)
@click.option(
    "--device", metavar="NAME", default="cpu", show_default=True, help="Where --backend torch works: cpu, cuda, cuda:N."
)
@jobs_option
@seed_option
@output_options
@click.option(
    "--window",
    nargs=2,
    metavar="LOW HIGH",
    help="Grey levels, or percentiles such as 1% 99%, that --overlay shows as black and white; masks do not change.",
)
@frames_option
@click.option("--resume", is_flag=True, help="Go on with the run in OUT: skip images that are done.")
@click.option("--overwrite", is_flag=True, help="Remove what an earlier run wrote to OUT, and start anew.")
@shard_option
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="ray does the images on a cluster of Ray, -j of them at a time (0 for all its processors): the same masks.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="The cluster of --engine ray; by default that of RAY_ADDRESS, else one on this machine for this run.",
)
@click.option(
    "--on-error",
    type=click.Choice(["skip", "stop"]),
    default="skip",
    show_default=True,
    help="What to do after an image that fails.",
)
@html_options
@progress_option
@config_option
@click.pass_context
def annotate(
    ctx: click.Context,
    images: tuple[str, ...],
    points: str | None,
    points_format: str | None,
    allow_pickle: bool,
    clicks: tuple[tuple[float, float], ...],
    out: str,
    method: str,
    assignments: dict[str, Any],
    tightness: float,
    style: str | None,
    polarity: str,
    origin: str,
    size_prior: str | None,
    masks: str | None,
    mask_threshold: float,
    checkpoint: str | None,
    refine: str,
    backend: str,
    device: str,
    jobs: int,
    seed: int,
    window: tuple[str, str] | None,
    frames: bool,
    resume: bool,
    overwrite: bool,
    shard: Shard | None,
    engine: str,
    ray_address: str | None,
    on_error: str,
    html_file: str | None,
    html_limit: int,
    no_progress: bool,
    format: tuple[str, ...],
    **outputs: bool,
) -> None:
    """Turn one point per target into masks.

    DATASET is a folder with images/ and masks_centroid/ or clicks.csv, or in another layout that inspect knows.
    IMAGES are folders (searched with their sub-folders), files, or quoted globs: PNG, TIFF, BMP or JPEG, of any depth,
    or files of frames: NPY, NPZ, MAT, GIF, video. Without -p, points are read from files beside the images, such as
    those of LabelMe. True masks are read for --size-prior oracle only. Masks go to OUT/masks under the names of the
    images, with a line for each image in OUT/manifest.jsonl.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments, 3 some images failed, 130 Ctrl-C.

    \b
    Examples:
        pointlabel annotate data -o out
        pointlabel annotate frame.png --at 120,43 --at 61,200 -o out
        pointlabel annotate data/images -p data/points -o out
        pointlabel annotate data/images -p clicks.csv -o out --format coco,yolo
        pointlabel annotate data/images -p clicks.csv -o out --soft --overlay -j 4
        pointlabel annotate data/images -p clicks.csv -o out --soft --overlay -j 4 --resume
    """
    from pointlabel.errors import InputError, OutputError
    from pointlabel.folder import RunSettings, annotate_folder
    from pointlabel.io.datasets import locate_beside, locate_parts
    from pointlabel.io.points.clicks import Clicks
    from pointlabel.io.tiles import parse_window

    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other; give one of them")
    if masks is not None and size_prior != "oracle":
        raise InputError("--masks is read with --size-prior oracle only; leave it out")
    if window is not None and not outputs.get("overlay"):
        raise InputError("--window is for the pictures of --overlay; leave it out")
    if html_file is not None and points == "-":
        raise InputError("--html reads the points once more, which standard input cannot give; name a file")
    if html_file is not None and shard is not None:
        raise InputError("--html shows the whole run; leave it out, and add it with --resume after pointlabel merge")
    if clicks and points is not None:
        raise InputError("--at and --points exclude each other; give one of them")
    where: str | list[str] = list(images)
    given: str | Clicks
    if clicks:
        given, found_masks = Clicks(clicks), masks
    elif len(images) > 1:
        given, found_masks = points or locate_beside(where), masks
    else:
        where, given, found_masks = locate_parts(images[0], points, masks)
    if len(images) == 1 and where != images[0] and os.path.realpath(images[0]) == os.path.realpath(out):
        raise InputError(f"{out}: the output folder must not be the data set, where its masks would be the true ones")
    if size_prior == "oracle" and found_masks is None:
        raise InputError("--size-prior oracle needs the true masks: --masks DIR")
    if ray_address is not None and engine != "ray":
        raise InputError("--ray-address is for --engine ray; leave it out")
    if engine == "ray":
        if device.startswith("cuda:"):
            raise InputError(f"--engine ray gives each worker a GPU of its own; --device cuda, not {device}")
        from pointlabel.distributed.ray_engine import open_ray

        do_jobs = open_ray(ray_address)
    else:
        from pointlabel.folder.pool import run_jobs as do_jobs
    params = method_params(ctx, method, assignments, size_prior=size_prior, checkpoint=checkpoint, style=style)
    check_outputs({"--html": html_file})
    say_when_kernels_compile(method)
    with RunConsole(progress=not no_progress) as console:
        try:
            settings = RunSettings(
                method=method,
                params=params,
                tightness=tightness,
                polarity=polarity,
                seed=seed,
                outputs=(*format, *(name.replace("_", "-") for name, wanted in outputs.items() if wanted)),
                refine=None if refine == "none" else refine,
                backend=backend,
                device=device,
                mask_threshold=mask_threshold,
                window=None if window is None else parse_window(*window),
            )
            summary = annotate_folder(
                where,
                given,
                out,
                settings,
                origin=origin,
                points_format=points_format,
                allow_pickle=allow_pickle,
                true_masks=found_masks if size_prior == "oracle" else None,
                frames=frames,
                jobs=jobs,
                mode="resume" if resume else "overwrite" if overwrite else "new",
                on_error=on_error,
                shard=shard,
                engine=do_jobs,
                report=console.report,
            )
        except OutputError as error:
            hint = "; what is done stays, and --resume goes on" if console.n_images else ""
            raise OutputError(f"{error}{hint}") from error
        except KeyboardInterrupt:
            say(f"stopped: {console.n_done} of {console.n_images} images are done; --resume goes on", always=True)
            raise
    console.close(summary)
    if html_file is not None:
        from pointlabel.report.annotated import draw_annotated

        page = draw_annotated(
            where,
            given,
            out,
            origin=origin,
            points_format=points_format,
            allow_pickle=allow_pickle,
            frames=frames,
            n_pictures=html_limit,
        )
        write_page(html_file, page)
    if summary.stopped:
        say("stopped at the first error; --resume goes on", always=True)
    if summary.n_errors:
        ctx.exit(3)
