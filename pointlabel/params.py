"""Declare parameters: type, default, range and meaning in one place, which checks, options and documentation read.

It loads no numpy, for a quick ``pointlabel --help``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, field, fields
from typing import Any, ClassVar

from ._values import as_choice, as_like, as_number
from .errors import InputError, name_hint, shown


def param(
    default: Any,
    meaning: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    odd: bool = False,
    choices: Sequence[str] = (),
    lengths: Sequence[int] = (),
    **more: Any,
) -> Any:
    """Declare one field of a `Params` class.

    Parameters
    ----------
    default : bool, int, float, str, tuple of numbers or dict; its type is the parameter's.
    meaning : one line for users, with the unit.
    low, high : smallest and largest number.
    open_low, open_high : whether `low` or `high` itself lies outside.
    odd : whether the number must be odd.
    choices : the words that there are; none for any word.
    lengths : how many numbers a tuple may have; none for any number.
    **more
        Whatever else the owner of the class wants to know of the field.
    """
    bounds = {"low": low, "high": high, "open_low": open_low, "open_high": open_high}
    rules = {"meaning": meaning, **bounds, "odd": odd, "choices": tuple(choices), "lengths": tuple(lengths), **more}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=rules)
    return field(default=default, metadata=rules)


class Params:
    """Base of frozen dataclasses whose fields are declared by `param` and checked when they are built.

    Values come to the type of the default: whole numbers may stand for real ones, numbers of numpy for those of Python,
    lists for tuples.

    Raises
    ------
    InputError
        Where a value is of another type than its default or out of range.
    """

    __slots__ = ()
    #: What stands before the name of a field in messages.
    prefix: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            clean = check_field(item, value, f"{type(self).__name__}." if self.prefix is None else self.prefix)
            if clean is not value:
                object.__setattr__(self, item.name, clean)
        self.check_together()

    def check_together(self) -> None:
        """Raise `InputError` where values do not go together."""


def default_of(item: Field) -> Any:
    """Default of a field, made anew where it is a table."""
    return item.default if item.default_factory is MISSING else item.default_factory()


def check_field(item: Field, value: Any, prefix: str = "") -> Any:
    """Return `value` in the type of the field's default; raise `InputError` where it breaks what is declared."""
    name, default, rules = prefix + item.name, default_of(item), item.metadata
    value = as_like(value, default, name)
    if not rules:
        return value
    if rules["choices"]:
        return as_choice(value, name, rules["choices"])
    if isinstance(default, tuple):
        low, high = rules["low"], rules["high"]
        if len(value) not in (rules["lengths"] or (len(value),)) or not all(low <= number <= high for number in value):
            counts = " or ".join(str(n or "no") for n in rules["lengths"])
            raise InputError(f"{name} must be a tuple of {counts} numbers in [{low:g}, {high:g}], got {shown(value)}")
    elif isinstance(default, int | float) and not isinstance(default, bool):
        bounds = {key: rules[key] for key in ("low", "high", "open_low", "open_high")}
        value = as_number(value, name, **bounds, whole=isinstance(default, int))
        if rules["odd"] and value % 2 == 0:
            raise InputError(f"{name} must be odd, got {value!r}")
    return value


def check_values(
    values: Mapping[str, Any], defaults: Mapping[str, Any], owner: str, noun: str = "parameter"
) -> dict[str, Any]:
    """Return values by name in the types of their defaults.

    Parameters
    ----------
    values : what a user has set.
    defaults : of everything that can be set.
    owner, noun : what the values belong to and what each is called, "method default" and "parameter", for messages.

    Raises
    ------
    InputError
        For a name that is not in `defaults`, or a value of another type.
    """
    for name in values:
        if name not in defaults:
            raise InputError(f"{owner} has no {noun} {name}; {name_hint(name, defaults, 'it has')}")
    return {name: as_like(value, defaults[name], f"{noun} {name} of {owner}") for name, value in values.items()}
