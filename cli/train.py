"""``pointlabel train``: detectors from points, pseudo-masks or true masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import wraps
from math import isfinite
from typing import Any

import click

from pointlabel.training.config import SWITCH, TrainConfig
from pointlabel.training.presets import PRESETS, get_preset
from pointlabel.training.processes import Processes, ReportedByOtherRank, join_processes
from pointlabel.training.registry import STRATEGIES

from .config_file import config_option, config_params
from .console import needs_extra
from .options import FiniteRange, OutputFolder, assignment_option, progress_option
from .standard import name_options

#: Fields of the config that are given piece by piece, and the option that takes the pieces.
_TABLES = {"options": "assignments", "label_params": "label_assignments", "loss_params": "loss_assignments"}
_PRESET_KEY = "pointlabel.preset"


def _config_options(command: Callable) -> Callable:
    """An option for each field of `TrainConfig`, with its default, range and meaning."""
    for item in reversed(fields(TrainConfig)):
        if item.name not in _TABLES:
            command = _option_of(item)(command)
    return command


def _option_of(item: Field) -> Callable:
    name, text = f"--{item.name.replace('_', '-')}", name_options(item.metadata["meaning"])
    if isinstance(item.default, bool):
        return click.option(name, is_flag=True, default=item.default, help=text)
    if item.metadata["choices"] == SWITCH:
        return click.option(f"{name}/--no{name[1:]}", default=None, callback=_switch, help=text)
    return click.option(name, default=item.default, show_default=item.default != "", help=text, **_kind_of(item))


def _switch(ctx: click.Context, param: click.Parameter, value: bool | None) -> str:
    auto, on, off = SWITCH
    return auto if value is None else on if value else off


def _kind_of(item: Field) -> dict[str, Any]:
    """Type and metavar of an option for a field that is no flag."""
    assert item.default is not MISSING
    rules = item.metadata
    if rules["choices"]:
        return {"type": click.Choice(rules["choices"])}
    low, high = (bound if isfinite(bound) else None for bound in (rules["low"], rules["high"]))
    if isinstance(item.default, int):
        return {"type": click.IntRange(low, high), "metavar": "N"}
    if isinstance(item.default, float):
        return {"type": FiniteRange(low, high, min_open=rules["open_low"], max_open=rules["open_high"]), "metavar": "F"}
    return {"type": str, "metavar": "NAME"}


def _use_preset(ctx: click.Context, param: click.Parameter, name: str | None) -> None:
    """Make a preset's settings the defaults; files of ``--config`` and the command line go before it."""
    if name is not None:
        values = get_preset(name)
        ctx.meta[_PRESET_KEY] = values.pop("options")
        ctx.default_map = {**values, **(ctx.default_map or {})}


def _strategy_options(command: Callable) -> Callable:
    """Options for those parameters of strategies that declare a `flag`."""
    for entry in STRATEGIES.values():
        for item in reversed(entry.flags()):
            meaning, _, _ = item.metadata["meaning"].partition(";")
            text = f"{entry.name}: {'do not ' if item.default is True else ''}{meaning}."
            kind = {"is_flag": True} if isinstance(item.default, bool) else _kind_of(item)
            command = click.option(item.metadata["flag"], help=text, **kind)(command)
    return command


def _take_flagged(values: dict[str, Any]) -> dict[str, Any]:
    """Take the options of strategies out of the command's values; return the parameters that were given by name."""
    out: dict[str, Any] = {}
    for item in (item for entry in STRATEGIES.values() for item in entry.flags()):
        value = values.pop(item.metadata["flag"].strip("-").replace("-", "_"))
        if isinstance(item.default, bool):
            value = not item.default if value else None
        if value is not None:
            out[item.name] = value
    return out


def _as_one(callback: Callable[..., None]) -> Callable[..., None]:
    """Run a command in all processes that torchrun has started, with one voice; alone without it."""

    @wraps(callback)
    def run(*args: Any, **values: Any) -> None:
        try:
            with join_processes() as processes:
                callback(*args, processes=processes, **values)
        except ReportedByOtherRank:
            click.get_current_context().exit(1)

    return run


@click.command()
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--out", type=OutputFolder(), help="Folder of the run; by default runs/DATASET-MODEL-STRATEGY-SEED."
)
@_config_options
@assignment_option("--set", "assignments", "strategy")
@assignment_option("--label-set", "label_assignments", "label method")
@assignment_option("--loss-set", "loss_assignments", "loss")
@_strategy_options
@click.option(
    "--preset",
    type=click.Choice(sorted(PRESETS)),
    is_eager=True,
    expose_value=False,
    callback=_use_preset,
    help="Settings of a published run; --config and the command line go before it.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder; start it where there is none.")
@click.option("--overwrite", is_flag=True, help="Remove what an earlier run wrote to the folder, and start anew.")
@progress_option
@config_option
@click.pass_context
@_as_one
def train(
    ctx: click.Context,
    datasets: tuple[str, ...],
    out: str | None,
    assignments: dict[str, Any],
    label_assignments: dict[str, Any],
    loss_assignments: dict[str, Any],
    resume: bool,
    overwrite: bool,
    no_progress: bool,
    processes: Processes,
    **values: Any,
) -> None:
    """Train a detector on the images of DATASET, from one point per target.

    DATASET is a folder with images/, masks_centroid/ or masks_coarse/, and lists of ids in img_idx/; several are
    joined. True masks are read for the test part, and for training with --strategy full only. A quarter of the training
    images is held out where there is no list val.txt; the pseudo-labels there choose the best epoch.

    Strategies: full (true masks, the upper bound), point (points as masks, the lower bound), offline (masks that
    --label-method makes once, or --labels names), bilevel (weights of the samples and the diffusion's parameters
    learned on the images held out), and those that the documentation lists.

    Exit codes: 0 done, 1 training or writing failed, 2 wrong arguments, 130 Ctrl-C. What was trained stays, and
    --resume goes on.

    \b
    Examples:
        pointlabel train data --model tiny --crop 128 --epochs 80
        pointlabel train data --model dnanet --strategy full --out runs/bound --device cuda --amp
        pointlabel train data --points coarse --label-method diffusion --out runs/coarse --resume
        torchrun --standalone --nproc-per-node 2 -m pointlabel train data --model dnanet
    """
    from pointlabel.errors import InputError

    from .train_console import TrainConsole, print_scores

    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other; give one of them")
    given = (ctx.meta.get(_PRESET_KEY, {}), config_params(ctx), _take_flagged(values))
    options = {name: value for table in (*given, assignments) for name, value in table.items()}
    config = TrainConfig(
        **values,
        options=options,
        label_params=label_assignments,
        loss_params=loss_assignments,
    )
    with needs_extra("train"):
        from pointlabel.training import train as run
    folder = out or _default_folder(datasets, config)
    with TrainConsole(progress=not no_progress, quiet=not processes.is_first) as console:
        try:
            result = run(
                config,
                datasets,
                folder,
                mode="resume" if resume else "overwrite" if overwrite else "new",
                report=console.report,
            )
        except KeyboardInterrupt:
            if console.epochs and processes.is_first:
                console.say(
                    f"stopped: {console.epoch} of {console.epochs} epochs are done; --resume goes on", always=True
                )
            raise
    if not console.is_quiet:
        print_scores(result, config.protocol)


def _default_folder(datasets: tuple[str, ...], config: TrainConfig) -> str:
    import os

    names = "+".join(os.path.basename(os.path.abspath(folder)) for folder in datasets)
    return os.path.join("runs", f"{names}-{config.model}-{config.strategy}-{config.seed}")
