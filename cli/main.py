"""The command group: version, verbosity, and library errors as one line."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click

from pointlabel import __version__
from pointlabel.errors import InputError, PointLabelError

from .annotate import annotate
from .bench import bench
from .calibrate import calibrate
from .connect import connect
from .convert import convert
from .evaluate import evaluate
from .export import export
from .inspect import inspect
from .merge import merge
from .points import points
from .predict import predict
from .runs import runs
from .select import select
from .serve import serve
from .signals import Stopped, stoppable
from .split import split
from .standard import guarded_streams, plain
from .train import train
from .weights import weights


class CommandGroup(click.Group):
    """Turns what a command raises into one line and an exit code.

    2 for input, 1 for the rest, 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run from the command line, with standard streams that cannot break the work."""
        with guarded_streams(), stoppable():
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as stop:
            ctx.exit(stop.code if isinstance(stop, Stopped) else 130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params.get("verbose"):
                click.echo(traceback.format_exc(), err=True, nl=False)
            if isinstance(error, PointLabelError):
                raise (_InputOneLine if isinstance(error, InputError) else _OneLine)(error) from error
            if isinstance(error, MemoryError):
                raise _OneLine("the memory of this machine does not suffice") from error
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise _OneLine(
                f"{what}. This is a fault of pointlabel; please report it with what pointlabel -v "
                f"{ctx.invoked_subcommand or ''} ... says"
            ) from error
        return result


class _OneLine(click.ClickException):
    """An error as click shows its own: one line, without letters that a terminal acts on."""

    def __init__(self, error: Exception | str) -> None:
        super().__init__(plain(str(error)))


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
main.add_command(connect)
main.add_command(convert)
main.add_command(evaluate)
main.add_command(export)
main.add_command(inspect)
main.add_command(merge)
main.add_command(points)
main.add_command(predict)
main.add_command(runs)
main.add_command(select)
main.add_command(serve)
main.add_command(split)
main.add_command(train)
main.add_command(weights)
