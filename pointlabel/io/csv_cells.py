"""Cells of tables that people open in a spreadsheet, which takes text that begins like a formula for one."""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """The text of a cell, behind a single quote where a spreadsheet would compute it; numbers stay numbers."""
    if not text.lstrip("'").startswith(_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def plain(text: str) -> str:
    """The text that `harmless` made a cell of."""
    return text[1:] if text[:1] == "'" and harmless(text[1:]) == text else text
