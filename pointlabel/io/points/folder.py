"""Points in a folder with a file for each image, under the name of the image: each is read when its image is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import InputError
from ..files import read_bytes
from ..images import FRAME, normal_id, stem_below, strip_suffix
from ..messages import Note
from .base import Bound, PointEntry, PointRow, PointSet


class Parsed(NamedTuple):
    """What a file says of its image; as in `PointSet`."""

    rows: tuple[PointRow, ...]
    shape: tuple[int, int] | None = None
    in_shares: bool = False


#: (path, bytes) -> what the file says; can be pickled.
Parse = Callable[[str, bytes], Parsed]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """The file of one image; `rivals` are other files with the same id."""

    path: str
    parse: Parse
    rivals: tuple[str, ...] = ()

    def load(self) -> PointSet:
        """Read the file."""
        if self.rivals:
            raise InputError(f"{', '.join((self.path, *self.rivals))}: points of the same image; keep one")
        data = read_bytes(self.path, may_be_empty=True)
        rows, shape, in_shares = self.parse(self.path, data)
        return PointSet(self.path, rows, shape, hashlib.sha256(data).hexdigest(), in_shares)


class FileFolder:
    """A folder of files with the names and sub-folders of the images, or one such file.

    One file that is given by its path, for one image, belongs to it whatever their names.

    Parameters
    ----------
    path : of the folder or the file.
    files : the paths of the files in it.
    parse : what reads one.
    parts : folders right below it that are parts of a data set: no part of an id, where there is no such image.
    """

    has_tightness = False
    names_images = False
    what = "files of points"
    notes: tuple[Note, ...] = ()

    def __init__(self, path: str, files: Sequence[str], parse: Parse, parts: Collection[str] = ()) -> None:
        self._is_file = not os.path.isdir(path)
        root = os.path.dirname(path) if self._is_file else path
        self._parse, self._parts = parse, parts
        self._paths: dict[str, list[str]] = {}
        for each in files:
            self._paths.setdefault(id_of_file(each, root), []).append(each)

    def bind(self, ids: Collection[str], root: str | None = None) -> Bound:
        """Match files with the images of the same id."""
        if self._is_file and len(ids) == 1:
            (path,), (only,) = next(iter(self._paths.values())), ids
            return Bound({only: FileEntry(path, self._parse)}, [])
        entries: dict[str, PointEntry] = {}
        unknown = []
        paths: dict[str, list[str]] = {}
        for name, each in self._paths.items():
            part, _, rest = name.partition("/")
            is_below = name not in ids and part in self._parts and (rest in ids or FRAME.fullmatch(rest))
            paths.setdefault(rest if is_below else name, []).extend(each)
        for name, (path, *rivals) in paths.items():
            if name in ids:
                entries[name] = FileEntry(path, self._parse, tuple(rivals))
            else:
                unknown.append((name, f"{path}: there is no image for these points"))
        return Bound(entries, unknown)


def id_of_file(path: str, root: str) -> str:
    """Id of the image whose points are in a file: ``s/t1.txt`` and ``s/t1.png.txt`` belong to ``s/t1.png``."""
    return normal_id(strip_suffix(stem_below(path, root or ".")))
