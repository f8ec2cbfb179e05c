"""Text in files: bytes that are not UTF-8 are kept, and no cell starts a formula."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any

from ..errors import InputError
from .files import read_bytes

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

#: What settings in YAML may have: characters or bytes, and lists within lists. The parser takes seconds for a megabyte.
_LONGEST_YAML, _DEEPEST_YAML = 1_000_000, 50
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: str, what: str, errors: str = "strict") -> str:
    """Read a text file: UTF-8, or UTF-16 where its byte order mark says so, as Excel writes it.

    Parameters
    ----------
    path : the file.
    what : what it is called in messages.
    errors : of the decoder of UTF-8.

    Raises
    ------
    InputError
        Where it cannot be read, is empty, or is no such text.
    """
    return decode_text(read_bytes(path), path, what, errors)


def decode_text(data: bytes, path: str, what: str, errors: str = "strict") -> str:
    """The text of a file's bytes; parameters and errors as for `read_text`."""
    try:
        text = data.decode("utf-16") if data.startswith(_UTF16) else data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        found = f"got byte {error.object[error.start]:#04x} in line {line}"
        raise InputError(f"{path}: {what} must be UTF-8, or UTF-16 with its byte order mark; {found}") from error
    if "\0" in text:
        raise InputError(f"{path}: {what} must be text, and holds a zero byte; save it as UTF-8")
    return text


def decode_json(data: str | bytes) -> Any:
    """Read JSON that can be written again: numbers are finite.

    Raises
    ------
    ValueError
        Where it is no JSON, nested too deep, or holds NaN, an infinity, or more than a float can hold.
    """
    try:
        return json.loads(data, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def decode_yaml(data: str | bytes) -> Any:
    """Read YAML of plain values, without aliases: a few lines of them stand for as many values as they like.

    Raises
    ------
    ValueError
        Where it is none, longer or nested deeper than settings are, or has an alias; its words are those of the parser,
        in one line.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError("an alias, such as *name, is not read")
            self.depth += 1
            if self.depth > _DEEPEST_YAML:  # the parser's time grows with the square of the depth
                raise ValueError("it is nested too deep")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    if len(data) > _LONGEST_YAML:
        raise ValueError(f"it is longer than {_LONGEST_YAML:,} bytes")
    try:
        return yaml.load(data, Loader)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise ValueError(" ".join(str(error).split())[:150]) from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def encode_text(text: str) -> bytes:
    """UTF-8 bytes of a text for a file; of a name that is no UTF-8 its own bytes, as the file system has them."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair that no file system gave, such as one out of a JSON file
        return text.encode("utf-8", "backslashreplace")


def harmless(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula: text that would start one gets a ``'`` in front.

    Numbers stay numbers, and `as_written` gives every text back.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def as_written(cell: str) -> str:
    """The text that `harmless` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
