"""A folder of exported files, and the list by which a later run knows those it wrote.

The list has a line with path and hash before each file takes its place. A file that fits none of its lines is
somebody else's, or was changed by somebody, and is never replaced or removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ...errors import InputError, OutputError
from ..files import make_folder, read_bytes, remove_file, remove_temporaries, write_whole
from ..json_lines import append_to, decode_line, encode_line
from ..manifest import LEDGER_NAME
from ..outdir import OutputGate, name_error
from ..seal import state_of


class ExportFolder:
    """A folder that files are exported to.

    Parameters
    ----------
    folder : its path; it is made when the first file is written.

    Raises
    ------
    InputError
        Where a link or something that is no file is in the way.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._gate = OutputGate(folder)
        self._ledger = self._gate.file(LEDGER_NAME)
        self._known = self._read()
        self._written: set[str] = set()

    @property
    def is_used(self) -> bool:
        """Whether an earlier export wrote to it."""
        return bool(self._known)

    def refuse_foreign(self, paths: Iterable[str] = ()) -> None:
        """Raise where a file of `paths` is somebody else's, or one that was exported has been changed since.

        Raises
        ------
        InputError
            With the first of these files.
        """
        for path in dict.fromkeys((*self._known, *paths)):
            self._place(path)

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all; it may replace one that an earlier export wrote.

        Parameters
        ----------
        path : below the folder, parts joined by ``/``.
        data : its bytes.

        Raises
        ------
        InputError
            Where a file that this program did not write, or that somebody changed since, has the name.
        OutputError
            Where it cannot be written.
        """
        place = self._place(path)
        if path in self._written:
            raise InputError(f"{place}: two images would be written to this file; rename one of them")
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._known.get(path, ()):
            self._note(path, digest)
        self._written.add(path)
        write_whole(place, data)

    def link(self, path: str, source: str, *, copy: bool) -> None:
        """Put an image there: a copy, or a link to it."""
        if copy:
            self.write(path, read_bytes(source))
            return
        place, target = self._gate.inside(path), os.path.realpath(source)
        if os.path.islink(place) and os.path.realpath(place) == target:
            return
        if os.path.lexists(place):
            raise InputError(f"{place}: in the way of a link to {target}; move it away")
        make_folder(os.path.dirname(place))
        try:
            os.symlink(target, place)
        except OSError as error:
            raise OutputError(f"cannot link {place} ({error.strerror or error}); copy the images instead") from error

    def end(self) -> None:
        """Remove the files of earlier exports that this one did not write, and tidy the list."""
        for path in self._known.keys() - self._written:
            remove_file(self._place(path))
        remove_temporaries(self.folder)
        kept = {path: digests[-1:] for path, digests in self._known.items() if path in self._written}
        self._save(kept)
        self._known = kept

    def remove(self) -> None:
        """Remove all files of earlier exports that nobody changed, the list, and folders that are empty then."""
        changed = {}
        for path, digests in self._known.items():
            try:
                remove_file(self._place(path))
            except InputError:
                changed[path] = digests
        if changed:
            self._save(changed)
        else:
            remove_file(self._ledger)
        for parent, _, _ in os.walk(self.folder, topdown=False) if not os.path.islink(self.folder) else ():
            if not os.listdir(parent):
                os.rmdir(parent)

    def _place(self, path: str) -> str:
        """Where a file goes; raise where what is there is not ours."""
        place = self._gate.inside(path)
        try:
            size = os.lstat(place).st_size
        except OSError:
            return place
        if os.path.isfile(place) and not os.path.islink(place):
            data = read_bytes(place) if size else b""
            if not data or hashlib.sha256(data).hexdigest() in self._known.get(path, ()):
                return place
        what = "changed since this program wrote it" if path in self._known else "not written by this program"
        raise InputError(f"{place}: {what}, and would be replaced; move it away, or choose another folder")

    def _note(self, path: str, digest: str) -> None:
        """Append a line to the list."""
        self._known[path] = [*self._known.get(path, ()), digest]
        make_folder(self.folder)
        append_to(self._ledger, {"path": path, "sha256": digest})

    def _save(self, known: dict[str, list[str]]) -> None:
        entries = [{"path": path, "sha256": digest} for path, digests in known.items() for digest in digests]
        write_whole(self._ledger, b"".join(map(encode_line, entries)))

    def _read(self) -> dict[str, list[str]]:
        known: dict[str, list[str]] = {}
        if not os.path.isfile(self._ledger) or not os.path.getsize(self._ledger):
            return known
        for line in read_bytes(self._ledger).splitlines(keepends=True):
            entry = decode_line(line)  # None where it is torn
            if entry is not None and not name_error(entry.get("path")) and isinstance(entry.get("sha256"), str):
                known.setdefault(entry["path"], []).append(entry["sha256"])
        return known


def open_export(gate: OutputGate, name: str) -> ExportFolder:
    """The folder of an export below an output folder; raise `InputError` where a link or a file is in its place."""
    gate.inside(f"{name}/{LEDGER_NAME}")
    return ExportFolder(os.path.join(gate.folder, name))


class OneFile:
    """A single file that is exported to, for formats that have no more than one; as `ExportFolder`.

    Parameters
    ----------
    path : of the file.

    Raises
    ------
    InputError
        Where a picture or an archive is there that this program did not write.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if path.lower().endswith((".png", ".npz")) and state_of(path) in ("foreign", "changed"):
            raise InputError(
                f"{path}: not written by this program, or changed since, and would be replaced; move it away"
            )

    def write(self, path: str, data: bytes) -> None:
        """Write it, under its own name."""
        write_whole(self.path, data)

    def end(self) -> None:
        """Nothing is left to do."""
