"""``pointlabel evaluate``: masks against the true ones."""

from __future__ import annotations

import click

from .console import Console, say
from .options import FILE, PLACE, FiniteRange, html_options, json_option, mask_threshold_option, seed_option
from .plots import check_plot, draw_curve
from .streams import STDOUT, check_outputs, write_csv, write_json, write_page


@click.command()
@click.argument("predicted", metavar="PRED", type=PLACE)
@click.argument("true", metavar="GT", type=PLACE)
@click.option(
    "--profile",
    type=click.Choice(["exact", "legacy"]),
    default="exact",
    show_default=True,
    help="How errors are counted: legacy as published code does, which leaves some out of Fa and adds some to hIoU.",
)
@mask_threshold_option
@click.option(
    "--soft-threshold",
    type=FiniteRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="The same for soft predictions (16 bit or floating point), as a share of certainty.",
)
@click.option("--against", metavar="B", type=PLACE, help="Other predictions: the difference and its 95 % interval.")
@click.option("--images", metavar="DIR", type=PLACE, help="The images, for rows by local signal-to-clutter ratio.")
@click.option(
    "--detections",
    metavar="FILE",
    type=PLACE,
    help="detections.csv of predict: the average precision of its boxes. Soft predictions have boxes of their own.",
)
@click.option(
    "--box-score",
    type=click.Choice(["peak", "mean"]),
    default="peak",
    show_default=True,
    help="The probability that boxes are sorted by: the largest of their pixels, or the mean.",
)
@seed_option
@json_option
@click.option("--csv", "csv_file", metavar="FILE", type=FILE, help="Write a row for each image; - is standard output.")
@html_options
@click.option("--plot", metavar="FILE", type=FILE, help="Draw the Pd-Fa curve of soft predictions.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    predicted: str,
    true: str,
    profile: str,
    mask_threshold: float,
    soft_threshold: float,
    against: str | None,
    images: str | None,
    detections: str | None,
    box_score: str,
    seed: int,
    json_file: str | None,
    csv_file: str | None,
    html_file: str | None,
    html_limit: int,
    plot: str | None,
) -> None:
    """Compare the masks in PRED with the true masks in GT: IoU, nIoU, hIoU, Pd, Fa, precision, recall.

    PRED and GT are folders, searched with their sub-folders, or two files; PRED may be a folder that annotate wrote.
    Masks belong together by their path without suffix. A true mask without a prediction counts as missed; a pair with
    a file that cannot be read is left out.

    Exit codes: 0 done, 1 a file could not be written, 2 wrong arguments, 3 some files could not be read.

    \b
    Example:
        pointlabel evaluate out/masks data/masks --images data/images
    """
    from pointlabel.evaluation.folders import evaluate_folders

    from .evaluate_tables import print_report

    check_outputs({"--json": json_file, "--csv": csv_file, "--html": html_file})
    check_plot(plot)
    page = None
    if html_file is not None:
        from pointlabel.report.evaluated import EvaluatedPage

        page = EvaluatedPage(html_limit)
    with Console() as console:
        found = evaluate_folders(
            predicted,
            true,
            profile=profile,
            mask_threshold=mask_threshold,
            soft_threshold=soft_threshold,
            against=against,
            images=images,
            detections=detections,
            box_score=box_score,
            seed=seed,
            needs_curve=plot is not None,
            on_pair=console.stage("comparing"),
            on_scored=None if page is None else page.add,
            on_error=lambda text: console.say(f"error: {text}", always=True),
        )
    for note in found.notes:
        say(f"note: {note}")
    write_csv(csv_file, found.rows)
    write_json(json_file, found.report)
    if plot is not None:
        draw_curve(plot, found.report["curve"])
    if html_file is not None and page is not None:
        write_page(html_file, page.draw(found.report))
    if json_file != STDOUT:
        if against is not None:
            say(f"PRED is {predicted}, B is {against}")
        print_report(found.report, on_stderr=STDOUT in (csv_file, html_file))
    if found.has_failed:
        ctx.exit(3)
