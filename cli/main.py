"""The command group: version, verbosity, and library errors as one line."""

from __future__ import annotations

import click

from pointlabel import __version__

from .evaluate import evaluate
from .points import points


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pointlabel")
def main() -> None:
    """Pseudo-masks for infrared small targets from one point each."""


main.add_command(evaluate)
main.add_command(points)
