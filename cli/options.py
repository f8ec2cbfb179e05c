"""Options that more than one command uses."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import click

from pointlabel.errors import name_hint, shown
from pointlabel.io.points.formats import FORMATS
from pointlabel.io.writers import EXPORTS, INSTANCES, MASKS, NPZ, SOFT

from .console import say

#: A file to write, and a file or folder that is there.
FILE = click.Path(dir_okay=False)
PLACE = click.Path(exists=True)


def _check_method(ctx: click.Context, param: click.Parameter, value: str) -> str:
    import warnings

    from pointlabel.errors import InputError
    from pointlabel.methods import METHODS, MethodWarning, get_method

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MethodWarning)
        list(METHODS)  # so that a package whose method is left out is named
        try:
            get_method(value)
        except InputError as error:
            raise click.BadParameter(str(error), ctx, param) from error
    for warning in caught:
        if issubclass(warning.category, MethodWarning):
            say(f"warning: {warning.message}")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return value


#: ``--method NAME``, checked; the message names the nearest one.
method_option = click.option(
    "--method", metavar="NAME", default="default", show_default=True, callback=_check_method, help="Method to use."
)


class FiniteRange(click.FloatRange):
    """A range of numbers that nan, which lies outside of no range, is not in either."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; huge whole numbers are none."""
        try:
            number = super().convert(value, param, ctx)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail(f"{value if isinstance(value, str) else shown(value)} is not a finite number.", param, ctx)
        return number


class ClickedPoint(click.ParamType):
    """A point ``X,Y`` in pixels."""

    name = "point"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return (x, y)."""
        if isinstance(value, tuple):
            return value
        try:
            x, y = (float(part) for part in value.split(","))
        except ValueError:
            x = y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            self.fail(f"a point must be X,Y in pixels, such as 120,43, got {value}", param, ctx)
        return x, y


class OutputFolder(click.Path):
    """The path of a folder to write: ``-`` is standard output everywhere, and no folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "-":
            self.fail("- is standard output, and a folder is written; ./- is the folder of that name", param, ctx)
        return super().convert(value, param, ctx)


def tightness_option(default: float | None = 0.5, more: str = "") -> Callable[[Callable], Callable]:
    """``--tightness F``; `more` ends its help."""
    return click.option(
        "--tightness",
        metavar="F",
        type=FiniteRange(0, 1),
        default=default,
        show_default=default is not None,
        help=f"0 for wide masks, 1 for tight ones.{more}",
    )


#: ``--style NAME``.
style_option = click.option(
    "--style",
    metavar="NAME",
    help="How the default method draws masks: infrared (default), tight, loose, exact, gaussian ... ; calibrate fits "
    "one to your own masks.",
)


_points_option = click.option(
    "-p",
    "--points",
    metavar="POINTS",
    help="Of IMAGES: a file or folder of points in any of the formats of --points-format, told by its content; - is "
    "standard input. Of a DATASET: centroid (the default) or coarse.",
)
_format_option = click.option(
    "--points-format",
    type=click.Choice(list(FORMATS)),
    help="Format of POINTS, in place of what the content says.",
)
_pickle_option = click.option(
    "--allow-pickle", is_flag=True, help="Read the pickled tables of MCLC and D2D (.npy); plain values only."
)


def points_options(command: Callable[..., None]) -> Callable[..., None]:
    """``-p POINTS``, its format and leave to unpickle, of commands that take images with points from anywhere."""
    return _points_option(_format_option(_pickle_option(command)))


#: ``-m MASKS``, beside `points_option`.
masks_option = click.option(
    "-m",
    "--masks",
    metavar="MASKS",
    type=click.Path(),
    help="Folder of true masks with the names of the images; by default masks/ of the DATASET.",
)


#: ``--polarity``: bright, dark or auto.
polarity_option = click.option(
    "--polarity",
    type=click.Choice(["bright", "dark", "auto"]),
    default="bright",
    show_default=True,
    help="Targets brighter or darker than their surroundings; auto decides for each point.",
)


#: ``--frames``: every frame of every file.
frames_option = click.option(
    "--frames",
    is_flag=True,
    help="Take every page of a TIFF and every frame of NPY, NPZ, MAT, GIF and video files as an image FILE#000000. "
    "Without it frames that POINTS name are taken, of other TIFFs the first page.",
)


class ShardOf(click.ParamType):
    """A shard ``I/N``."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it as `pointlabel.io.shards.Shard`."""
        from pointlabel.errors import InputError
        from pointlabel.io.shards import Shard, parse_shard

        try:
            return value if isinstance(value, Shard) else parse_shard(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)


#: ``--shard I/N``: one of the parts of a run.
shard_option = click.option(
    "--shard",
    metavar="I/N",
    type=ShardOf(),
    help="Do every N-th image from the I-th on, beside the other shards, here or on other machines; pointlabel merge "
    "OUT makes one run of them.",
)


#: ``--origin``: what a table's coordinates count from.
origin_option = click.option(
    "--origin",
    type=click.Choice(["center", "corner"]),
    default="center",
    show_default=True,
    help="Where x = y = 0 of a table lies: centre of the first pixel, or its corner. Other formats have their own.",
)


#: ``--mask-threshold F``: what counts as foreground of a grey mask.
mask_threshold_option = click.option(
    "--mask-threshold",
    type=click.FloatRange(0, 255, max_open=True),
    default=127.0,
    show_default=True,
    help="Pixels above this grey level are foreground; masks of 0 and 1 need 0.",
)


def _parse_formats(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, ...]:
    """``coco,yolo`` -> names of outputs; png is the masks, which are always written."""
    known = {"png": MASKS, **{name: name for name in (SOFT, INSTANCES, NPZ, *EXPORTS)}}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"there is no format {name!r}; {name_hint(name, known)}", ctx, param)
    return tuple(dict.fromkeys(known[name] for name in names))


#: ``--format NAME[,NAME...]``: what is written.
format_option = click.option(
    "--format",
    metavar="NAME[,NAME...]",
    default="png",
    show_default=True,
    callback=_parse_formats,
    help=f"What to write, each to OUT/NAME: soft, instances, npz, {', '.join(EXPORTS)}. The masks, png, are always "
    "written, to OUT/masks.",
)


def _check_json(ctx: click.Context, param: click.Parameter, path: str | None) -> str | None:
    """Refuse other names, so that ``--json ARGUMENT`` does not take an argument for the file."""
    if path is not None and path != "-" and not path.lower().endswith(".json"):
        raise click.BadParameter(
            f"{path} does not end in .json; for standard output write --json last, or --json -", ctx, param
        )
    return path


#: ``--json [FILE]``: one object in a file, or on standard output in place of a table.
json_option = click.option(
    "--json",
    "json_file",
    metavar="[FILE]",
    type=click.Path(),
    is_flag=False,
    flag_value="-",
    callback=_check_json,
    help="Write one JSON object to FILE (*.json), or to standard output where no file is named.",
)


#: ``-j N``: worker processes.
jobs_option = click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(0, 1024),
    default=1,
    show_default=True,
    help="Worker processes; 0 takes one for each processor. The answer does not depend on it.",
)


#: ``--seed N``.
seed_option = click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random numbers."
)


#: ``--no-progress``.
progress_option = click.option(
    "--no-progress", is_flag=True, help="No progress bar. There is none either where stderr is no terminal."
)


def assignment_option(option: str, name: str, owner: str) -> Callable[[Callable], Callable]:
    """``--set NAME=VALUE`` and its like: single parameters of `owner`, which the command receives as a table."""
    return click.option(
        option,
        name,
        metavar="NAME=VALUE",
        multiple=True,
        callback=_parse_assignments,
        help=f"Set a parameter of the {owner}; can be given several times.",
    )


def _parse_assignments(ctx: click.Context, param: click.Parameter, assignments: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` texts -> values, read as TOML where they are, else as words."""
    values = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"expected NAME=VALUE, got {text!r}", ctx, param)
        try:
            values[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):  # no TOML, or a number of too many digits, or too many brackets
            values[name.strip()] = value.strip()
    return values


#: ``--set NAME=VALUE``: single parameters of the method.
set_option = assignment_option("--set", "assignments", "method")


def html_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--html FILE``, a page of targets as enlarged crops, and ``--html-limit N``, how many."""
    for option in (
        click.option(
            "--html-limit",
            metavar="N",
            type=click.IntRange(1, 5000),
            default=200,
            show_default=True,
            help="Targets that --html shows, the worst ones.",
        ),
        click.option(
            "--html",
            "html_file",
            metavar="FILE",
            type=FILE,
            help="Write a page of enlarged targets, worst first, one file; - is stdout.",
        ),
    ):
        command = option(command)
    return command
