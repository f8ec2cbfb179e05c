"""``pointlabel train``: detectors from points, pseudo-masks or true masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any

import click

from pointlabel.training.config import TrainConfig

from .options import PARAMS_KEY, config_option, parse_assignments, progress_option

#: Fields of the config that are given piece by piece, and the option that takes the pieces.
_TABLES = {"options": "assignments", "label_params": "label_assignments"}


def _config_options(command: Callable) -> Callable:
    """An option for each field of `TrainConfig`, with its default, range and meaning."""
    for item in reversed(fields(TrainConfig)):
        if item.name not in _TABLES:
            command = _option_of(item)(command)
    return command


def _option_of(item: Field) -> Callable:
    name, rules = f"--{item.name.replace('_', '-')}", item.metadata
    assert item.default is not MISSING
    if isinstance(item.default, bool):
        return click.option(name, is_flag=True, default=item.default, help=rules["help"])
    kind: Any = click.Choice(rules["choices"]) if rules["choices"] else type(item.default)
    if isinstance(item.default, int):
        kind = click.IntRange(rules["low"], rules["high"])
    elif isinstance(item.default, float):
        kind = click.FloatRange(rules["low"], rules["high"])
    metavar = None if rules["choices"] else {int: "N", float: "F", str: "NAME"}[type(item.default)]
    return click.option(
        name, type=kind, metavar=metavar, default=item.default, show_default=item.default != "", help=rules["help"]
    )


@click.command()
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--out", type=click.Path(), help="Folder of the run; by default runs/DATASET-MODEL-STRATEGY-SEED.")
@_config_options
@click.option(
    "--set",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a parameter of the strategy; can be given several times.",
)
@click.option(
    "--label-set",
    "label_assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a parameter of the label method; can be given several times.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder; start it where there is none.")
@click.option("--overwrite", is_flag=True, help="Remove what an earlier run wrote to the folder, and start anew.")
@progress_option
@config_option
@click.pass_context
def train(
    ctx: click.Context,
    datasets: tuple[str, ...],
    out: str | None,
    assignments: tuple[str, ...],
    label_assignments: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    no_progress: bool,
    **values: Any,
) -> None:
    """Train a detector on the images of DATASET, from one point a target.

    DATASET is a folder with images/, masks_centroid/ or masks_coarse/, and lists of ids in img_idx/; several are
    joined. True masks are read for the test part, and for training with --strategy full only. A quarter of the training
    images is held out where there is no list val.txt; the pseudo-labels there choose the best epoch.

    Strategies: full (true masks, the upper bound), point (points as masks, the lower bound), offline (masks that
    --label-method makes once, or --labels names), and those that the documentation lists.

    Exit codes: 0 done, 1 training or writing failed, 2 wrong arguments, 130 Ctrl-C. What was trained stays, and
    --resume goes on.

    \b
    Examples:
        pointlabel train data --model tiny --crop 128 --epochs 80
        pointlabel train data --model dnanet --strategy full --out runs/bound --device cuda --amp
        pointlabel train data --points coarse --label-method diffusion --out runs/coarse --resume
    """
    from pointlabel.errors import InputError, MissingExtraError

    from .train_console import TrainConsole, print_scores

    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other; give one of them")
    options = {**ctx.meta.get(PARAMS_KEY, {}), **parse_assignments(assignments)}
    config = TrainConfig(**values, options=options, label_params=parse_assignments(label_assignments))
    try:
        from pointlabel.training import train as run
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"train needs {error.name}: pip install 'pointlabel[train]'") from error
    folder = out or _default_folder(datasets, config)
    quiet = bool(ctx.find_root().params.get("quiet"))
    with TrainConsole(progress=not no_progress, quiet=quiet) as console:
        try:
            result = run(
                config,
                datasets,
                folder,
                mode="resume" if resume else "overwrite" if overwrite else "new",
                report=console.report,
            )
        except KeyboardInterrupt:
            if console.epochs:
                console.say(
                    f"stopped: {console.epoch} of {console.epochs} epochs are done; --resume goes on", always=True
                )
            raise
    if not quiet:
        print_scores(result, config.protocol)


def _default_folder(datasets: tuple[str, ...], config: TrainConfig) -> str:
    import os

    names = "+".join(os.path.basename(os.path.abspath(folder)) for folder in datasets)
    return os.path.join("runs", f"{names}-{config.model}-{config.strategy}-{config.seed}")
