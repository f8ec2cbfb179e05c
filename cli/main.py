"""The command group: version, verbosity, and library errors as one line."""

from __future__ import annotations

import traceback
from typing import Any

import click

from pointlabel import __version__

from .annotate import annotate
from .bench import bench
from .calibrate import calibrate
from .evaluate import evaluate
from .export import export
from .points import points
from .predict import predict
from .runs import runs
from .select import select
from .split import split
from .train import train
from .weights import weights


class CommandGroup(click.Group):
    """Turns what a command raises into one line and an exit code: 2 for input, 1 for the rest, 130 for Ctrl-C."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        from pointlabel.errors import InputError, PointLabelError

        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)
        except PointLabelError as error:
            if ctx.params.get("verbose"):
                click.echo(traceback.format_exc(), err=True, nl=False)
            raise (_InputOneLine if isinstance(error, InputError) else _OneLine)(error) from error


class _OneLine(click.ClickException):
    """A library error as click shows its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(" ".join(str(error).split()))


class _InputOneLine(_OneLine):
    exit_code = 2


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pointlabel")
@click.option("-v", "--verbose", is_flag=True, help="Show where in the program an error came from.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def main(verbose: bool, quiet: bool) -> None:
    """Pseudo-masks for infrared small targets from one point each."""


main.add_command(annotate)
main.add_command(bench)
main.add_command(calibrate)
main.add_command(evaluate)
main.add_command(export)
main.add_command(points)
main.add_command(predict)
main.add_command(runs)
main.add_command(select)
main.add_command(split)
main.add_command(train)
main.add_command(weights)
