"""Objects as files of JSON."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError
from .files import read_bytes, write_whole
from .text import decode_json


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write an object as indented JSON."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: str) -> dict[str, Any]:
    """Read an object written by `write_json`."""
    try:
        value = decode_json(read_bytes(path))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected an object, got {type(value).__name__}")
    return value
