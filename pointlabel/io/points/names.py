"""Which image of a run a name in a table means."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator

from ..images import normal_id, strip_suffix


class NameFinder:
    """Finds images by the names of a table.

    A name is the path of an image below the images' folder, with or without suffix. Where it is none, it is taken as a
    path that may lead to one: from the root of the file system, from the table's folder, from the current folder, or
    from a folder around the images' folder. Nothing is matched by the last part of a path alone.

    Parameters
    ----------
    table : path of the table.
    ids : of the images.
    root : the folder that ids are relative to; None where names are ids and nothing else.
    """

    def __init__(self, table: str, ids: Collection[str], root: str | None) -> None:
        self._ids = ids
        self._roots = () if root is None else tuple({_whole(os.path.abspath(root)), _whole(os.path.realpath(root))})
        self._around = dict.fromkeys((os.path.realpath(os.path.dirname(table) or "."), os.getcwd()))
        for place in self._roots:
            while place != os.path.dirname(place):
                place = os.path.dirname(place)
                self._around[place] = None
        self._known: dict[str, tuple[str, ...]] = {}
        self._by_last: dict[str, list[str]] | None = None

    def id_of(self, name: str) -> str | None:
        """Id of the image, None where there is none."""
        plain = name.lstrip("/")
        for candidate in (plain, strip_suffix(plain)):
            found = normal_id(candidate)
            if found in self._ids:
                return found
        if not self._roots:
            return None
        folder, base = os.path.split(name)
        if folder not in self._known:
            self._known[folder] = tuple(dict.fromkeys(self._below(folder)))
        for start in self._known[folder]:
            found = normal_id(strip_suffix(start + base))
            if found in self._ids:
                return found
        return None

    def id_by_end(self, name: str) -> str | None:
        """Id of the one image whose last part is that of the name; None where there is none, or several."""
        if self._by_last is None:
            self._by_last = {}
            for each in self._ids:
                self._by_last.setdefault(each.rpartition("/")[2], []).append(each)
        found = self._by_last.get(normal_id(strip_suffix(name.rpartition("/")[2])), [])
        return found[0] if len(found) == 1 else None

    def _below(self, folder: str) -> Iterator[str]:
        """What the ids of images in `folder`, as a table has it, start with."""
        paths = [os.path.join(place, folder.lstrip("/")) for place in self._around]
        if os.path.isabs(folder):
            paths.insert(0, folder)
        for path in paths:
            for place in (_whole(os.path.normpath(path)), _whole(os.path.realpath(path))):
                for root in self._roots:
                    if place.startswith(root):
                        yield place[len(root) :]


def _whole(path: str) -> str:
    """A folder's path in composed letters, with a separator at its end."""
    return unicodedata.normalize("NFC", os.path.join(path, ""))
