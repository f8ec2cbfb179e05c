"""``pointlabel export``: a detector as one ONNX file."""

from __future__ import annotations

import click

from .console import is_quiet, needs_extra
from .standard import plain
from .streams import STDOUT, check_output, write_bytes


@click.command()
@click.argument("source", metavar="RUN_OR_WEIGHTS", type=click.Path(exists=True))
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False), help="What to write, *.onnx; - is stdout.")
def export(source: str, out: str) -> None:
    """Write a detector as ONNX, for programs without torch.

    RUN_OR_WEIGHTS is the folder of a run of train, whose best epoch is taken, or a file that weights import wrote. The
    ONNX file takes any number of images of any height and width, (B, channels, H, W), and gives logits (B, 1, H, W).
    It is run on noise beside torch before it is written. For a run it also holds how grey levels were scaled and the
    threshold.

    Exit codes: 0 done, 1 the output could not be written, 2 wrong arguments or input.

    \b
    Example:
        pointlabel export dnanet.safetensors -o dnanet.onnx
    """
    import os
    from dataclasses import asdict

    if out != STDOUT and not out.endswith(".onnx"):
        raise click.UsageError(f"--out must end in .onnx, or be - for standard output, got {out}")
    with needs_extra("train,onnx"):
        from pointlabel.detectors.onnx_export import compare_with_onnx, detector_to_onnx
        from pointlabel.detectors.weights import load_weights

    check_output(out, kind="model")
    if os.path.isdir(source):
        from pointlabel.training import load_run

        run = load_run(source)
        net, notes = run.net, {"scaling": asdict(run.scaling), "threshold": run.config.threshold}
    else:
        net, notes = load_weights(source), {}
    data = detector_to_onnx(net, notes=notes)
    difference = compare_with_onnx(net, data)
    write_bytes(out, data)
    if not is_quiet():
        about = f"{net.name} for {net.in_channels}-channel images, written to {out} ({len(data) / 1e6:.1f} MB)"
        click.echo(plain(about), err=out == STDOUT)
        click.echo(f"largest difference of logits from torch: {difference:.1e}", err=out == STDOUT)
