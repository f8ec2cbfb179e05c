"""``pointlabel convert``: masks of one tool in the format of another."""

from __future__ import annotations

import click

from .console import say
from .options import PLACE, mask_threshold_option


@click.command()
@click.argument("source", metavar="SRC", type=PLACE)
@click.option("-o", "--out", metavar="DST", required=True, type=click.Path(), help="Output folder, or the one file.")
@click.option(
    "--to",
    metavar="FORMAT",
    required=True,
    help="png, soft, instances, npz, coco, yolo, yolo-seg, voc, labelme, label-studio, cvat, parquet, boxes or points.",
)
@click.option("--from", "form", metavar="FORMAT", help="Format of SRC, where it is not seen: one of these, or run.")
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(exists=True),
    help="The images, for formats that do not say their size (yolo) or suffix (png).",
)
@click.option(
    "--place-images",
    type=click.Choice(["none", "link", "copy"]),
    default="none",
    show_default=True,
    help="Put the images where the format has them, such as images/train of yolo.",
)
@click.option("--polygons", is_flag=True, help="Polygons in place of masks, in coco, labelme, label-studio and cvat.")
@mask_threshold_option
@click.option("--overwrite", is_flag=True, help="Replace what an earlier conversion wrote to DST.")
def convert(
    source: str,
    out: str,
    to: str,
    form: str | None,
    images: str | None,
    place_images: str,
    polygons: bool,
    mask_threshold: float,
    overwrite: bool,
) -> None:
    """Convert masks from one format to another.

    SRC is the output folder of annotate, a folder of masks, a JSON of COCO or Label Studio, an XML of CVAT, or a folder
    of YOLO, VOC, LabelMe or Parquet. In a folder of binary masks, every 8-connected component is a target.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments or a damaged source.

    \b
    Examples:
        pointlabel convert out -o coco.json --to coco
        pointlabel convert data/masks -o yolo --to yolo --images data/images --place-images link
        pointlabel convert annotations.xml -o masks --to png
    """
    from pointlabel.io.exchange.convert import convert as run

    done = run(
        source,
        out,
        to,
        form=form,
        images=images,
        place_images=place_images,
        polygons=polygons,
        mask_threshold=mask_threshold,
        overwrite=overwrite,
    )
    say(f"{done.n_images} images, {done.n_targets} targets from {done.source} to {to} in {out}")
