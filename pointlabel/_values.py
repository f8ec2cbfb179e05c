"""Check single values: numbers, words, paths and names in a table. It loads no numpy, for a quick --help."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from .errors import InputError, name_hint, shown


def as_number(
    value: Any,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
    whole: bool = False,
) -> Any:
    """Return a finite number in [low, high] as int or float; `whole` takes none with a fraction or a point.

    `open_low` and `open_high` leave the bound itself out.
    """
    kind: Any = Integral if whole else Real  # of the standard library and of numpy alike
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{name} must be {'a whole number' if whole else 'a number'}, got {shown(value)}")
    try:
        is_finite = math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        is_finite = whole
    if not is_finite:
        raise InputError(f"{name} must be a finite number, got {shown(value)}")
    if not low <= value <= high or (open_low and value == low) or (open_high and value == high):
        ends = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        bounds = f"lie in {ends}" if high < math.inf else f"be {'above' if open_low else 'at least'} {low:g}"
        raise InputError(f"{name} must {bounds}, got {shown(value)}")
    return int(value) if whole else float(value)


def as_path(path: object, name: str) -> str:
    """The path of a file or folder as text.

    Raises
    ------
    InputError
        Where it is no path; the sentence calls it `name`.
    """
    if isinstance(path, str | bytes | os.PathLike):
        text = os.fsdecode(path)
        if text and "\0" not in text:
            return text
    raise InputError(f"{name} must be a path, got {shown(path)}")


def as_choice(value: Any, name: str, choices: Sequence[str | None]) -> Any:
    """Return `value` where it is one of `choices`."""
    if not (isinstance(value, str) or value is None) or value not in choices:
        names = ", ".join(choice for choice in choices if choice is not None)
        rule = f"None or one of {names}" if None in choices else f"one of {names}"
        raise InputError(f"{name} must be {rule}, got {shown(value)}")
    return value


def as_entry(name: Any, noun: str, table: Mapping[str, Any]) -> Any:
    """Return what a table has under `name`; the message about an unknown one suggests the nearest."""
    if isinstance(name, str) and name in table:
        return table[name]
    raise InputError(f"unknown {noun} {shown(name)}; {name_hint(name, table)}")


def as_like(value: Any, default: Any, name: str) -> Any:
    """Return `value` in the type of a parameter's default; whole numbers may stand for real ones, lists for tuples."""
    kind = None
    if isinstance(default, bool):
        if isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool":
            return bool(value)
        kind = "true or false"
    elif isinstance(default, int | float):
        return as_number(value, name, whole=isinstance(default, int))
    elif isinstance(default, str):
        if isinstance(value, str) and "\0" not in value:
            return value
        kind = "a word"
    elif isinstance(default, tuple):
        kind = "a list of numbers"
        if isinstance(value, list | tuple):
            try:
                return tuple(as_number(item, name) for item in value)
            except InputError:
                kind = "a list of finite numbers"
    elif isinstance(default, dict):
        if isinstance(value, Mapping):
            return dict(value)
        kind = "a table"
    if kind is None:
        return value
    raise InputError(f"{name} must be {kind}, got {shown(value)}")
