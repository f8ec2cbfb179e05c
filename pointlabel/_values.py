"""Check single values: numbers, words, paths, and the fields of parameters. It loads no numpy, for a quick --help."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import MISSING, field, fields
from numbers import Integral, Real
from typing import Any

from .errors import InputError, shown


def as_number(value: Any, name: str, low: float = -math.inf, high: float = math.inf, *, whole: bool = False) -> Any:
    """Return a finite number in [low, high] as int or float; `whole` takes none with a fraction or a point."""
    kind: Any = Integral if whole else Real  # of the standard library and of numpy alike
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{name} must be {'a whole number' if whole else 'a number'}, got {shown(value)}")
    try:
        is_finite = math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        is_finite = whole
    if not is_finite:
        raise InputError(f"{name} must be a finite number, got {shown(value)}")
    if not low <= value <= high:
        bounds = f"be at least {low:g}" if high == math.inf else f"lie in [{low:g}, {high:g}]"
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
        if isinstance(value, dict):
            return value
        kind = "a table"
    if kind is None:
        return value
    raise InputError(f"{name} must be {kind}, got {shown(value)}")


def ranged(default: float, low: float, high: float, *, odd: bool = False) -> Any:
    """Declare a number in [low, high], or an odd one, as a field of `Parameters`."""
    return field(default=default, metadata={"range": (low, high), "odd": odd})


def chosen(default: str, choices: tuple[str, ...]) -> Any:
    """Declare one of several words as a field of `Parameters`."""
    return field(default=default, metadata={"choices": choices})


class Parameters:
    """Base of a frozen dataclass of parameters: its fields are checked, and brought to the types of their defaults."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            if item.default is not MISSING:
                value, name = getattr(self, item.name), f"{type(self).__name__}.{item.name}"
                clean = as_like(value, item.default, name)
                if clean is not value:
                    object.__setattr__(self, item.name, clean)
                if "range" in item.metadata:
                    as_number(clean, name, *item.metadata["range"])
                if item.metadata.get("odd") and clean % 2 == 0:
                    raise InputError(f"{name} must be odd, got {clean!r}")
                if "choices" in item.metadata:
                    as_choice(clean, name, item.metadata["choices"])
