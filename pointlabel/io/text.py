"""Text files of other programs: tables and lists."""

from __future__ import annotations

import codecs

from ..errors import InputError
from .files import read_bytes

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
    data = read_bytes(path)
    try:
        text = data.decode("utf-16") if data.startswith(_UTF16) else data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        found = f"got byte {error.object[error.start]:#04x}"
        raise InputError(f"{path}: {what} must be UTF-8, or UTF-16 with its byte order mark; {found}") from error
    if "\0" in text:
        raise InputError(f"{path}: {what} must be text, and holds a zero byte; save it as UTF-8")
    return text
