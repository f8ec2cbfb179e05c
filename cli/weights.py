"""``pointlabel weights``: weights of detectors from files that others have published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pointlabel.detectors.registry import DETECTORS

from .console import is_quiet, needs_extra, say
from .options import seed_option
from .streams import write_json

if TYPE_CHECKING:
    from pointlabel.detectors.published import ImportReport


@click.group()
def weights() -> None:
    """Weights of detectors."""


@weights.command("import")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@click.option("--model", required=True, type=click.Choice(list(DETECTORS)), help="The detector that FILE belongs to.")
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False), help="What to write, *.safetensors.")
@click.option("--partial", is_flag=True, help="Keep what fits; the other tensors get fresh weights.")
@seed_option
def import_weights(file: str, model: str, out: str, partial: bool, seed: int) -> None:
    """Take over the weights in FILE, a checkpoint of the code that the detector's authors published.

    FILE is what torch saved, as .pth, .pth.tar or .pkl.
    Only tensors and plain containers are read: a file that would run code is refused. Names are matched, and OUT gets
    the weights as safetensors. Beside it, with the suffix .json, lies what became of each tensor.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments or input.

    \b
    Example:
        pointlabel weights import DNANet.pth.tar --model dnanet -o dnanet.safetensors
    """
    from pointlabel.errors import PointLabelError
    from pointlabel.io.files import write_whole

    if not out.endswith(".safetensors"):
        raise click.UsageError(f"--out must end in .safetensors, got {out}")
    with needs_extra("train"):
        import torch

        from pointlabel.detectors.published import import_published
        from pointlabel.detectors.weights import weights_to_bytes

    torch.manual_seed(seed)
    detector, report = import_published(file, model)
    if not report.complete and not partial:
        _print_counts(report)
        raise PointLabelError(f"{report.complaint()}; --partial keeps what fits")
    if report.matched_by_order:
        say(
            f"warning: {len(report.matched_by_order)} tensors have names that are not known here, and only their order "
            f"and shape speak for their place (the first: {report.matched_by_order[0][0]})",
            always=True,
        )
    notes = out.removesuffix(".safetensors") + ".json"
    write_whole(out, weights_to_bytes(detector))
    write_json(notes, report.as_dict(), indent=1)
    _print_counts(report)
    channels, supervised = report.in_channels, "with" if report.deep_supervision else "without"
    click.echo(f"{model} for {channels}-channel images, {supervised} deep supervision, written to {out} and {notes}")


def _print_counts(report: ImportReport) -> None:
    if is_quiet():
        return
    for text, number in (
        ("tensors of the detector", report.n_tensors),
        ("matched by name", len(report.matched)),
        ("matched by order and shape", len(report.matched_by_order)),
        ("missing in the file", len(report.missing)),
        ("unexpected in the file", len(report.unexpected)),
        ("of another shape", len(report.shape_mismatch)),
    ):
        click.echo(f"{text:28}{number:5}")
