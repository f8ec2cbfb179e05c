"""``pointlabel predict``: masks, soft maps and detections of a trained detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import needs_extra, say
from .options import (
    FiniteRange,
    OutputFolder,
    format_option,
    frames_option,
    html_options,
    progress_option,
    shard_option,
)
from .streams import check_outputs, write_page

if TYPE_CHECKING:
    from pointlabel.io.shards import Shard


@click.command()
@click.argument("run", metavar="RUN", type=click.Path())
@click.argument("images", metavar="DATASET|IMAGES", type=click.Path())
@click.option("-o", "--out", required=True, type=OutputFolder(), help="Output folder.")
@click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="The epoch that validation chose, or the last one.",
)
@click.option(
    "--threshold",
    metavar="F",
    type=FiniteRange(0, 1),
    help="Probability above which a pixel belongs to a target; by default that of the run.",
)
@click.option(
    "--min-area",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Leave out detections of fewer pixels.",
)
@click.option("--no-soft", is_flag=True, help="Write no soft maps.")
@format_option
@click.option("--overwrite", is_flag=True, help="Replace what an earlier prediction wrote to OUT.")
@shard_option
@click.option("--resume", is_flag=True, help="Go on with a shard in OUT: skip images that are done.")
@click.option("--device", metavar="NAME", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@frames_option
@html_options
@progress_option
@click.pass_context
def predict(
    ctx: click.Context,
    run: str,
    images: str,
    out: str,
    checkpoint: str,
    threshold: float | None,
    min_area: int,
    no_soft: bool,
    format: tuple[str, ...],
    overwrite: bool,
    shard: Shard | None,
    resume: bool,
    device: str,
    frames: bool,
    html_file: str | None,
    html_limit: int,
    no_progress: bool,
) -> None:
    """Detect targets in IMAGES, or the images of DATASET, with the detector of RUN, a folder that train wrote.

    IMAGES is a folder (searched with its sub-folders), one file, or a quoted glob, of any sizes. OUT gets masks/,
    soft/ (16 bits), predict.json, and detections.csv with centroid, box, area, peak and mean score of each detection.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments, 3 some images could not be read, 130
    Ctrl-C.

    \b
    Example:
        pointlabel predict runs/first data/images -o out --threshold 0.4 --min-area 2
        pointlabel predict runs/first data/images -o out --format coco,yolo
    """
    from pointlabel.errors import InputError

    from .train_console import TrainConsole

    if html_file is not None and shard is not None:
        raise InputError("--html shows the whole prediction; leave it out of a shard")
    check_outputs({"--html": html_file})
    with needs_extra("train"):
        from pointlabel.training import predict_images
    with TrainConsole(progress=not no_progress) as console:
        summary = predict_images(
            run,
            images,
            out,
            checkpoint=checkpoint,
            threshold=threshold,
            min_area=min_area,
            soft=not no_soft,
            formats=format,
            overwrite=overwrite,
            device=device,
            frames=frames,
            shard=shard,
            resume=resume,
            report=console.report,
        )
    for sentence in summary.errors:
        say(f"error: {sentence}", always=True)
    failed = f", {len(summary.errors)} could not be read" if summary.errors else ""
    say(f"{summary.n_images} images, {summary.n_detections} detections in {out}{failed}")
    if html_file is not None:
        from pointlabel.report.predicted import draw_predicted

        write_page(html_file, draw_predicted(images, out, frames=frames, n_pictures=html_limit))
    if summary.errors:
        ctx.exit(3)
