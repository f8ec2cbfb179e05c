"""The one gate to an output folder: which paths a run may write below it, and which files it may replace or remove.

A path is allowed if it lies below the folder and no part of it is a link; a file may be replaced if this program wrote
it and nobody has changed it since. Names come from tables, manifests and globs, so each of them is checked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..errors import InputError
from .files import remove_file
from .seal import State, state_of
from .writers import suffix_of

#: What says that a folder holds a prediction, and of which images.
PREDICTION_NAME = "predict.json"
#: States of a path that a run may write to or remove.
REPLACEABLE = frozenset({"free", "ours", "stale", "damaged"})


def name_error(name: object) -> str | None:
    """What is wrong with an id that files are to be named by; None where it is a path below a folder."""
    if not isinstance(name, str) or not name:
        return "is no name"
    if "\0" in name:
        return "holds a NUL"
    if os.path.isabs(name) or os.path.splitdrive(name)[0]:
        return "is not relative"
    parts = name.replace(os.sep, "/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "has a part that is empty, '.' or '..'"
    return None


class OutputGate:
    """Paths below one output folder.

    Parameters
    ----------
    folder : the output folder; it may be a link itself, and need not be there yet.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._known: set[str] = set()

    def path(self, kind: str, name: str) -> str:
        """Path of the file called `name` in the sub-folder `kind`; an empty `kind` is the folder itself.

        Raises
        ------
        InputError
            Where the name leads out of the folder, or a link or a file is on the way.
        """
        self._check_name(name)
        return self.inside(f"{kind}/{name}{suffix_of(kind)}" if kind else f"{name}{suffix_of(kind)}")

    def inside(self, path: str) -> str:
        """Path of the file at `path` below the folder, parts joined by ``/``; errors as for `path`."""
        self._check_name(path)
        parts = path.split("/")
        self._check_way(parts[:-1])
        return os.path.join(self.folder, *parts)

    def file(self, name: str) -> str:
        """Path of a file right below the folder, such as the manifest.

        Raises
        ------
        InputError
            Where something that is no plain file, a link for example, has its name.
        """
        path = os.path.join(self.folder, name)
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return path
        if not stat.S_ISREG(mode):
            what = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no plain file"
            raise InputError(f"{path} is {what}; move it away, or choose another folder")
        return path

    def state(self, kind: str, name: str, recorded: str | None = None) -> State:
        """What is at `path(kind, name)`."""
        return state_of(self.path(kind, name), recorded)

    def remove(self, kind: str, name: str, recorded: str | None = None) -> bool:
        """Remove a file where this program wrote it and nobody changed it; return whether nothing is left there."""
        try:
            path = self.path(kind, name)
        except InputError:
            return False
        if state_of(path, recorded) not in REPLACEABLE:
            return False
        remove_file(path)
        return True

    def refuse_foreign(self, places: Iterable[tuple[str, str, str | None]]) -> None:
        """Raise where a run would replace or remove a file that is not this program's any more.

        Parameters
        ----------
        places : (kind, name, hash that is recorded or None) of every file that the run may replace or remove.

        Raises
        ------
        InputError
            With the first of these files and their number.
        """
        bad = [(kind, name, state) for kind, name, known in places for state in [self.state(kind, name, known)]]
        bad = [entry for entry in bad if entry[2] not in REPLACEABLE]
        if not bad:
            return
        kind, name, state = bad[0]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        what = "changed since this program wrote it" if state == "changed" else "not written by this program"
        raise InputError(
            f"{self.path(kind, name)}{more}: {what}, and would be replaced; move it away, or choose another folder"
        )

    def _check_name(self, name: str) -> None:
        wrong = name_error(name)
        if wrong:
            raise InputError(f"{name!r} {wrong}; files are named by paths below {self.folder}")

    def _check_way(self, parts: list[str]) -> None:
        way = self.folder
        for part in parts:
            way = os.path.join(way, part)
            if way in self._known:
                continue
            try:
                mode = os.lstat(way).st_mode
            except OSError:
                return  # not there yet; the write makes it
            if stat.S_ISLNK(mode):
                raise InputError(
                    f"{way} is a link to {os.path.realpath(way)}; files are written below {self.folder} itself: "
                    "remove the link, or name its target as the folder"
                )
            if stat.S_ISDIR(mode):
                self._known.add(way)
