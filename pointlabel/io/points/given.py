"""What lies at the path of the points, looked at by the readers that may claim it; each part is read once."""

from __future__ import annotations

import codecs
import os
import sys
from functools import cached_property
from typing import Any

from ...errors import InputError
from ..files import MAX_FILE_BYTES, open_regular, read_bytes
from ..remote import is_uri, read_uri
from ..text import decode_json, decode_text
from ..walk import IMAGE_SUFFIXES, walk_files

#: The path that means standard input, and what it is called in messages.
STDIN, STDIN_NAME = "-", "standard input"
#: Bytes at the start of a file that tell its format.
_HEAD = 1 << 16
#: Files of a folder that are looked into to tell its format.
_LOOKED_INTO = 20


class Given:
    """A file, a folder, a file at a URI, or standard input.

    Parameters
    ----------
    path : ``-`` is standard input.

    Attributes
    ----------
    path : to read it; of standard input what messages call it.
    is_folder : whether it is a folder.
    is_stream : whether it is standard input or a URI, which is read once and as a whole.

    Raises
    ------
    InputError
        Where there is nothing at the path.
    """

    def __init__(self, path: str) -> None:
        self.path = STDIN_NAME if path == STDIN else path
        self.is_stream = path == STDIN or is_uri(path)
        if not self.is_stream and not os.path.exists(path):
            raise InputError(f"{path}: no such file or folder")
        self.is_folder = not self.is_stream and os.path.isdir(path)

    @property
    def stem(self) -> str:
        """Name of the file without folders and suffix."""
        return os.path.splitext(os.path.basename(self.path))[0]

    @cached_property
    def data(self) -> bytes:
        """All bytes of the file."""
        if not self.is_stream:
            return read_bytes(self.path)
        if is_uri(self.path):
            return read_uri(self.path, MAX_FILE_BYTES)
        data = b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        if not data or len(data) > MAX_FILE_BYTES:
            found = f"has more than {MAX_FILE_BYTES / 1e6:,.0f} MB" if data else "is empty (0 bytes)"
            raise InputError(f"{self.path}: it {found}")
        return data

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the file, without a byte order mark; UTF-16 becomes UTF-8. Empty for a folder."""
        if self.is_folder:
            return b""
        start = self.data[:_HEAD] if self.is_stream else head_of(self.path)
        for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
            if start.startswith(mark):
                return start[2:].decode(encoding, "replace").encode()
        return start.removeprefix(codecs.BOM_UTF8)

    def text(self, what: str) -> str:
        """The file as text; `what` it is called in messages."""
        return decode_text(self.data, self.path, what)

    @property
    def is_json(self) -> bool:
        """Whether the file starts as JSON does."""
        return self.head.lstrip()[:1] in (b"{", b"[")

    @cached_property
    def json(self) -> Any:
        """What the file holds as JSON; None where it does not start as JSON does.

        Raises
        ------
        InputError
            Where it is no JSON after all, or holds numbers that are not finite.
        """
        return decode_points_json(self.text("JSON"), self.path) if self.is_json else None

    @cached_property
    def files(self) -> list[str]:
        """Paths of all files below the folder; empty for a file."""
        return walk_files(self.path) if self.is_folder else []

    def with_suffix(self, suffix: str) -> list[str]:
        """Those of a folder's files that have a suffix; a file that is given itself, whatever its suffix."""
        if not self.is_folder:
            return [] if self.is_stream else [self.path]
        return [path for path in self.files if path.lower().endswith(suffix)]

    def some(self, suffix: str) -> list[str]:
        """A few of the files that have a suffix, to look into."""
        return self.with_suffix(suffix)[:_LOOKED_INTO]

    @cached_property
    def has_images(self) -> bool:
        """Whether images lie in the folder, its sub-folders left out."""
        own = os.path.join(self.path, "")
        return any(
            os.path.dirname(path) + os.sep == own for path in self.files if path.lower().endswith(IMAGE_SUFFIXES)
        )


def head_of(path: str) -> bytes:
    """The first bytes of the file at `path`."""
    with open_regular(path) as file:
        return file.read(_HEAD)


def decode_points_json(text: str, path: str) -> Any:
    """Decode JSON; one sentence with the place where that fails."""
    try:
        return decode_json(text)
    except ValueError as error:
        raise InputError(f"{path}: not JSON that can be read ({error})") from error
