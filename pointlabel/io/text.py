"""Names in what is written: bytes that are no UTF-8 come out as they went in, cells start no formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def encode_text(text: str) -> bytes:
    """UTF-8 bytes of a text for a file; of a name that is no UTF-8 its own bytes, as the file system has them."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair that no file system gave, such as one out of a JSON file
        return text.encode("utf-8", "backslashreplace")


def harmless(text: str) -> str:
    """A cell of a CSV that a spreadsheet does not take for a formula: a ``'`` goes before what it would start with.

    Numbers stay numbers, and `as_written` gives every text back.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def as_written(cell: str) -> str:
    """The text that `harmless` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
