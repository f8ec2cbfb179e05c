"""Images and tables of points in object stores: ``s3://bucket/frames``, ``gs://bucket/frames``, through fsspec.

A path is a URI only where the caller gave it as one: readers join the names that files hold to folders of this machine,
so that no file can make the program go to the network. Nothing is written to a URI.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import InputError, MissingExtraError, OutputError

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.")
#: What brings the package that reads a scheme.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
_MAX_WORDS = 160


def is_uri(path: str) -> bool:
    """Whether a path names something outside this machine's file system."""
    return _URI.match(path) is not None


def refuse_uri(path: str) -> None:
    """Raise `OutputError` where a path to write to is a URI."""
    if is_uri(path):
        raise OutputError(f"{path}: output goes to a folder of this machine, not to a URI; mount it, or copy it there")


def list_uri(where: str) -> tuple[str, bool, list[str]]:
    """Find the files that a URI names, as `images.list_images` finds files.

    Parameters
    ----------
    where : URI of a folder (with all below it), of one file, or a glob.

    Returns
    -------
    root : URI of the folder that the files are below.
    whole : True where they are all that it holds.
    paths : URIs of the files that are not hidden.

    Raises
    ------
    InputError
        Where there is nothing at `where`, or it cannot be listed.
    MissingExtraError
        Where the package for its scheme is not installed.
    """
    with _one_sentence(where, "listed"):
        store, path = _open(where)
        if store.isdir(path):
            root, whole, found = path, True, store.find(path)
        elif store.isfile(path):
            root, whole, found = path.rpartition("/")[0], False, [path]
        else:
            root, whole, found = fixed_part(path), False, store.glob(path) if glob.has_magic(path) else []
        if not found:
            raise InputError(f"{where}: no such file or folder")
        names = [name for name in found if "/." not in name[len(root) :]]
        return store.unstrip_protocol(root), whole, [store.unstrip_protocol(name) for name in names]


def read_uri(path: str, most: int) -> bytes:
    """The bytes of the file at a URI; one sentence where that fails, there are none, or more than `most`."""
    with _one_sentence(path, "read"):
        store, name = _open(path)
        data = bytes(store.cat_file(name, start=0, end=most + 1))
    if not data or len(data) > most:
        what = f"has more than {most / 1e6:,.0f} MB, the limit" if data else "is empty (0 bytes)"
        raise InputError(f"{path}: the file {what}")
    return data


def _open(path: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(path)
    except ImportError as error:
        scheme = path.partition("://")[0].lower()
        extra = _EXTRAS.get(scheme, "s3")
        raise MissingExtraError(
            f"{path}: to read {scheme}:// needs a package: pip install 'pointlabel[{extra}]'"
        ) from error


@contextmanager
def _one_sentence(path: str, what: str) -> Iterator[None]:
    """Turn any error of a store into one sentence: each has errors of its own kinds."""
    try:
        yield
    except (InputError, MissingExtraError):
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:_MAX_WORDS]
        raise InputError(f"{path}: cannot be {what} ({type(error).__name__}{': ' if words else ''}{words})") from error


def fixed_part(pattern: str) -> str:
    """Leading folders of a glob that hold no wildcard."""
    head = os.path.dirname(pattern)
    while glob.has_magic(head):
        head = os.path.dirname(head)
    return head
