"""``pointlabel evaluate``: masks against the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import FiniteRange, json_option, mask_threshold_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointlabel.io.masks.pairs import MaskPair, MaskPairs

_PLACE = click.Path(exists=True)
_FILE = click.Path(dir_okay=False)


@click.command()
@click.argument("predicted", metavar="PRED", type=_PLACE)
@click.argument("true", metavar="GT", type=_PLACE)
@click.option(
    "--profile",
    type=click.Choice(["exact", "legacy"]),
    default="exact",
    show_default=True,
    help="How false pixels are counted: legacy leaves out a false blob whose area equals that of a matched one.",
)
@mask_threshold_option
@click.option(
    "--soft-threshold",
    type=FiniteRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="The same for soft predictions (16 bit or floating point), as a share of certainty.",
)
@click.option("--against", metavar="B", type=_PLACE, help="Other predictions: the difference and its 95 % interval.")
@click.option("--images", metavar="DIR", type=_PLACE, help="The images, for rows by local signal-to-clutter ratio.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the bootstrap.")
@json_option
@click.option("--csv", "csv_file", metavar="FILE", type=_FILE, help="Write a row for each image; - is standard output.")
@click.option("--plot", metavar="FILE", type=_FILE, help="Draw the Pd-Fa curve of soft predictions.")
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
    seed: int,
    as_json: bool,
    csv_file: str | None,
    plot: str | None,
) -> None:
    """Compare the masks in PRED with the true masks in GT: IoU, nIoU, Pd, Fa, precision and recall.

    PRED and GT are folders, searched with their sub-folders, or two files; PRED may be a folder that annotate wrote.
    Masks belong together by their path without suffix. A true mask without a prediction counts as missed; a pair with
    a file that cannot be read is left out.

    Exit codes: 0 done, 1 a file could not be written, 2 wrong arguments, 3 some files could not be read.

    \b
    Example:
        pointlabel evaluate out/masks data/masks --images data/images
    """
    from pointlabel.errors import InputError
    from pointlabel.evaluation.report import Evaluation
    from pointlabel.io.masks.pairs import pair_masks
    from pointlabel.io.masks.survey import survey_masks
    from pointlabel.io.text import harmless

    from .evaluate_reader import PairReader
    from .evaluate_tables import draw_curve, print_report
    from .streams import STDOUT, check_output, write_bytes

    quiet = bool(ctx.find_root().params.get("quiet"))
    if csv_file is not None:
        check_output(csv_file)
    if csv_file == STDOUT and as_json:
        raise click.UsageError("--json and --csv - both write to standard output; give one of them")
    pairs = pair_masks(predicted, true)
    rivals = None if against is None else {pair.id: pair for pair in pair_masks(against, true).pairs}
    reader = PairReader(mask_threshold, soft_threshold, images)
    reader.said += _same_files(pairs, predicted, true)
    reader.said += [note.text for note in survey_masks([pair.true for pair in pairs.pairs], true, mask_threshold)]
    is_soft = reader.holds_soft(pairs.pairs)
    if plot is not None:
        _check_plot(plot, predicted, is_soft)
    evaluation = Evaluation(profile=profile, with_sweep=is_soft, seed=seed)
    rows = []
    for pair in _with_progress(pairs.pairs, quiet):
        try:
            truth = reader.truth(pair.true)
            mask, soft = reader.prediction(pair, truth, is_soft)
            rival = None if rivals is None else reader.rival(rivals[pair.id], truth)
        except InputError as error:
            reader.leave_out(pair.id, error)
            continue
        row = evaluation.add(mask, truth, soft=soft, rival=rival, image=reader.image(pair, truth))
        if csv_file is not None:
            rows.append({"id": harmless(pair.id), "missing": int(pair.predicted is None), **row})
    if len(reader.left_out) == len(pairs.pairs):
        raise InputError(f"{predicted} and {true}: no pair can be compared, see above")
    report: dict[str, Any] = {
        "pred": predicted,
        "gt": true,
        "missing": list(pairs.missing),
        "unused": len(pairs.unused),
        "left_out": reader.left_out,
    }
    report |= evaluation.report()
    if rivals is not None:
        report["against"]["pred"] = against
        report["against"]["missing"] = [pair.id for pair in rivals.values() if pair.predicted is None]
    for note in () if quiet else reader.notes(report):
        click.echo(f"note: {note}", err=True)
    if csv_file is not None:
        write_bytes(csv_file, _encode_csv(rows))
    if plot is not None:
        draw_curve(plot, report["curve"])
    if as_json:
        import json

        write_bytes(STDOUT, (json.dumps(report) + "\n").encode())
    else:
        print_report(report, on_stderr=csv_file == STDOUT)
    if reader.has_failed:
        ctx.exit(3)


def _same_files(pairs: MaskPairs, predicted: str, true: str) -> list[str]:
    """A sentence where predictions are the true masks themselves."""
    import os

    n = sum(
        pair.predicted is not None and os.path.realpath(pair.predicted) == os.path.realpath(pair.true)
        for pair in pairs.pairs
    )
    return [f"{predicted} and {true}: {n} predictions are the files of the true masks themselves"] if n else []


def _with_progress(pairs: tuple[MaskPair, ...], quiet: bool) -> Iterable[MaskPair]:
    """A bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(pairs, "Comparing", console=console, transient=True, disable=quiet or not console.is_terminal)


def _encode_csv(rows: list[dict[str, Any]]) -> bytes:
    import csv
    import io

    from pointlabel.io.text import encode_text

    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return encode_text(text.getvalue())


def _check_plot(path: str, folder: str, is_soft: bool) -> None:
    """Fail before the work, not after it."""
    from importlib.util import find_spec

    from pointlabel.errors import MissingExtraError

    if not is_soft:
        raise click.UsageError(f"--plot draws the curve of soft predictions (16 bit); {folder} holds 8-bit masks")
    if find_spec("matplotlib") is None:
        raise MissingExtraError("--plot needs matplotlib: pip install 'pointlabel[plot]'")
    if not path.lower().endswith((".png", ".pdf", ".svg")):
        raise click.UsageError(f"--plot writes .png, .pdf or .svg, got {path}")
