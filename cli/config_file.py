"""``--config FILE.toml``: options of a command from a file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import click
from click.core import ParameterSource

from pointlabel.errors import InputError, name_hint, shown

#: Where the parameters of a configuration file's [params] table wait for the command.
_PARAMS_KEY = "pointlabel.params"
_PATH_KEY = "pointlabel.config"
#: Bytes of a configuration file; what has more is another file.
_LARGEST_CONFIG = 1_000_000
#: Bits of a whole number in it; no option needs more.
_MOST_BITS = 1024

#: Parameters that a style is made of; one that is named on the command line goes before those of a file.
_OF_STYLE = ("style", "border_px")


def config_params(ctx: click.Context) -> dict[str, Any]:
    """Values of the parameters that the configuration file gives; {} without one."""
    values: dict[str, Any] = ctx.meta.get(_PARAMS_KEY, {})
    if ctx.params.get("style") is not None and ctx.get_parameter_source("style") is ParameterSource.COMMANDLINE:
        return {name: value for name, value in values.items() if name not in _OF_STYLE}
    return values


def method_params(
    ctx: click.Context, method: str = "default", assignments: Mapping[str, Any] = MappingProxyType({}), **rest: Any
) -> Any:
    """Parameters of a method as the configuration file and then the command line have them; errors name the file."""
    from pointlabel.folder import build_params

    given = config_params(ctx)
    built = build_params(method, {}, **rest)  # what is wrong here is not the file's
    if given:
        try:
            built = build_params(method, given, **rest)
        except InputError as error:
            raise InputError(f"{ctx.meta[_PATH_KEY]}, [params]: {error}") from error
    return build_params(method, {**given, **assignments}, **rest) if assignments else built


def _read_config(ctx: click.Context, param: click.Parameter, path: str | None, shared: str = "") -> None:
    if path is None:
        return
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST_CONFIG + 1)
        if len(text) > _LARGEST_CONFIG:
            raise ValueError(f"it has more than {_LARGEST_CONFIG} bytes")
        tables = tomllib.loads(text.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path}: not a TOML file ({error})", ctx, param) from error
    ctx.meta[_PARAMS_KEY], ctx.meta[_PATH_KEY] = _table(path, tables, "params"), path
    command = ctx.command.name or ""
    values = _table(path, tables, command)
    flat = {key: value for key, value in tables.items() if key not in ("params", command, shared)}
    options = [option for option in ctx.command.params if option.name not in (None, "config", "assignments", "help")]
    public = {flag.removeprefix("--").replace("-", "_"): option for option in options for flag in option.opts[-1:]}
    known = {str(option.name): option for option in options} | public
    others = {key: value for key, value in _table(path, tables, shared).items() if key.replace("-", "_") in known}
    defaults = {}
    for key, value in {**others, **flat, **values}.items():
        name = key.replace("-", "_")
        if name not in known and isinstance(value, dict):
            hint = name_hint(key, [f"[{command}]", "[params]"], "it reads")
            raise click.BadParameter(f"{path}: {command} reads no table [{key}]; {hint}", ctx, param)
        if name not in known:
            raise click.BadParameter(f"{path}: there is no option {key!r}; {name_hint(name, public)}", ctx, param)
        try:
            defaults[str(known[name].name)] = known[name].type_cast_value(ctx, _as_option(known[name], value))
        except click.BadParameter as error:
            raise click.BadParameter(f"{path}: {key}: {error.message}", ctx, param) from error
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _as_option(option: click.Parameter, value: Any) -> Any:
    """A value of a configuration file in the type of its option; click would turn other types into words."""
    if option.nargs == -1 and not isinstance(value, list):
        value = [value]
    if option.multiple or option.nargs != 1:
        if not isinstance(value, list):
            raise click.BadParameter(f"must be a list, got {shown(value)}")
        return [_as_one(option.type, each) for each in value]
    return _as_one(option.type, value)


def _as_one(kind: click.ParamType, value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:  # click cannot even name it
        good, rule = False, f"of at most {_MOST_BITS} bits"
    elif isinstance(kind, click.types.BoolParamType):
        good, rule = isinstance(value, bool), "true or false"
    elif isinstance(kind, click.types.IntParamType):
        good, rule = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(kind, click.types.FloatParamType):
        good, rule = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        good, rule = isinstance(value, str) and "\0" not in value, "a word"
    if not good:
        raise click.BadParameter(f"must be {rule}, got {shown(value)}")
    return value


def _table(path: str, tables: dict[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise click.BadParameter(f"{path}: {name} must be a table, got {shown(table)}", param_hint="--config")
    return table


def config_option_of(table: str = "") -> Callable[[Callable], Callable]:
    """``--config FILE.toml``: values for any option of the command; the command line wins.

    Where `table` is another command's, its values count for the options that both have; those of the command go first.
    """
    return click.option(
        "--config",
        metavar="FILE.toml",
        type=click.Path(exists=True, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=partial(_read_config, shared=table),
        help="Options from a file: a table named as the command (or none), and [params]. The command line wins.",
    )


#: ``--config`` of commands that read no table but their own.
config_option = config_option_of()
