"""``pointlabel inspect``: how a data set is laid out, what it holds, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import click

from .console import Console
from .options import FILE, json_option, mask_threshold_option, progress_option
from .standard import plain
from .streams import STDOUT, check_outputs, write_bytes, write_json

#: Examples of a kind of finding that are printed, and letters of a list's hash.
_EXAMPLES, _HASH = 3, 12


@click.command()
@click.argument("dataset", metavar="DATASET|IMAGES", type=click.Path())
@mask_threshold_option
@json_option
@click.option("--sheet", metavar="FILE", type=FILE, help="Draw the images with the most that is wrong to a PNG file.")
@progress_option
@click.pass_context
def inspect(
    ctx: click.Context, dataset: str, mask_threshold: float, json_file: str | None, sheet: str | None, no_progress: bool
) -> None:
    """Say how a data set is laid out, what it holds, and what is wrong with it.

    DATASET|IMAGES is a folder; or a file or a quoted glob of images.

    Each image, mask and point file is read once. What is wrong comes first: files that cannot be read, missing masks,
    sizes that differ, points outside of their targets, ids and near twins that training shares with the test, ...; then
    what is only to be known, such as grey values in masks. The hash of a list is that of its sorted ids.

    Exit codes: 0 nothing is wrong, 1 a file could not be written, 2 wrong arguments, 4 something is wrong.

    \b
    Examples:
        pointlabel inspect data
        pointlabel inspect data --json report.json --sheet worst.png
        pointlabel inspect "frames/night*.tif"
    """
    from pointlabel.inspection.inspect import inspect_folder

    check_outputs({"--json": json_file, "--sheet": sheet}, pictures=["--sheet"])
    with Console(progress=not no_progress) as console:
        found = inspect_folder(dataset, mask_threshold=mask_threshold, report=console.stage("inspecting"))
    report = found.report()
    write_json(json_file, report, indent=1)
    if sheet is not None:
        from pointlabel.inspection.sheet import encode_sheet

        write_bytes(sheet, encode_sheet(found, mask_threshold))
    if json_file != STDOUT:
        for line in _lines(report):
            bare = line.lstrip(" ")
            click.echo(" " * (len(line) - len(bare)) + plain(bare), err=sheet == STDOUT)
    if found.n_wrong:
        ctx.exit(4)


def _lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    lines = [f"{report['folder']}: layout {report['layout']} ({report['why']})"]
    sizes = report["sizes"]
    shown = ", ".join(f"{each['width']} x {each['height']}" for each in sizes[:3])
    more = f" and {len(sizes) - 3} more sizes" if len(sizes) > 3 else ""
    depths = ", ".join(f"{n} {depth}" if len(report["depths"]) > 1 else depth for depth, n in report["depths"].items())
    lines.append(f"  images {report['images']}: {shown}{more}; {depths}")
    if report["masks"]:
        areas = report["areas"]
        of = f" of {areas[0]} to {areas[1]} px" if areas else ""
        lines.append(f"  masks {report['masks']}: {report['targets']} targets{of}")
    lines += [f"  {kind} {each['n']} points: {each['path']}" for kind, each in report["points"].items()]
    lines += [f"  list {each['name']}: {each['n']} ids, {each['sha256'][:_HASH]}" for each in report["lists"]]
    for is_wrong, title in ((True, "wrong"), (False, "to be known")):
        found = [each for each in report["findings"] if each["wrong"] == is_wrong]
        lines += [f"{title}:"] if found else []
        for each in found:
            lines.append(f"  {each['what']}: {each['n']}")
            for example in each["examples"][:_EXAMPLES]:
                lines.append(f"    {example['name']}" + (f": {example['text']}" if example["text"] else ""))
    return lines if report["wrong"] else [*lines, "nothing is wrong"]
