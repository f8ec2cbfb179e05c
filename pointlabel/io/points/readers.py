"""The table of point readers: one per format, and the rule that chooses one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from ...errors import InputError
from .base import PointSource
from .images import ImageFolder
from .table import PointTable


class PointReader(NamedTuple):
    """A format of points.

    Attributes
    ----------
    name : what it is called in messages.
    claims : whether a path looks like this format.
    open : (path, origin) -> the points of all images; `origin` is "center" or "corner".
    """

    name: str
    claims: Callable[[str], bool]
    open: Callable[[str, str], PointSource]


#: The first that claims a path gets it, so one for a folder is before that of images, and claims by what is in there.
READERS = (
    PointReader("a folder of one-pixel images", os.path.isdir, lambda path, _: ImageFolder(path)),
    PointReader("a CSV table", lambda path: path.lower().endswith((".csv", ".tsv", ".txt")), PointTable),
)


def open_points(path: str | os.PathLike[str], origin: str = "center") -> PointSource:
    """Open the points at `path` with the first reader that claims it; raise `InputError` where none does."""
    text = os.fspath(path)
    if not os.path.exists(text):
        raise InputError(f"{text}: no such file or folder")
    for reader in READERS:
        if reader.claims(text):
            return reader.open(text, origin)
    raise InputError(f"{text}: points must be {' or '.join(reader.name for reader in READERS)}")
