"""The output folder: what an earlier run left there, and what may be done with it."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, OutputError
from ..io.files import make_folder, remove_file, remove_temporaries
from ..io.manifest import MANIFEST_NAME, decode_record, read_manifest
from ..io.masks.png import is_ours
from .events import Tally
from .settings import OPTIONAL, OUTPUTS
from .work import output_path, remove_outputs

MODES = ("new", "resume", "overwrite")
HASH_KEYS = ("image_sha256", "points_sha256", "true_mask_sha256")
SHEET_NAME = "contact-sheet"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run did for one image: hashes of its inputs, and what it counted."""

    hashes: tuple[str | None, ...]
    tally: Tally


@dataclass(slots=True)
class OutputFolder:
    """An output folder that is ready to be written to.

    Attributes
    ----------
    path : the folder.
    earlier : image id -> what is done already.
    n_torn : lines of the manifest that could not be read.
    """

    path: str
    earlier: dict[str, Earlier] = field(default_factory=dict)
    n_torn: int = 0

    @property
    def manifest(self) -> str:
        """Path of the manifest."""
        return os.path.join(self.path, MANIFEST_NAME)


def open_output(path: str, mode: str, stamp: dict[str, Any], ids: Collection[str]) -> OutputFolder:
    """Make the output folder ready for a run.

    Parameters
    ----------
    path : the folder; made where it is missing.
    mode : "new" refuses a folder that holds a run, "resume" goes on with it, "overwrite" removes what it wrote.
    stamp : what all lines of the manifest of this run have in common.
    ids : images that the run will write files for.

    Raises
    ------
    InputError
        Where the folder holds a run and `mode` is "new", a run of other settings and it is "resume", or files that
        no run wrote and this run would replace.
    OutputError
        Where the folder cannot be made or written.
    """
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    folder = OutputFolder(path)
    holds_run = os.path.isfile(folder.manifest) and os.path.getsize(folder.manifest) > 0
    if holds_run and mode == "new":
        raise InputError(f"{path} holds a run already; --resume goes on with it, --overwrite replaces it")
    known: set[str] = set()
    if holds_run and mode == "overwrite":
        known = {record["id"] for record in read_manifest(folder.manifest)}
    elif holds_run:
        _read_earlier(folder, stamp)
        known = set(folder.earlier)
    _refuse_foreign(path, stamp["outputs"], [image_id for image_id in ids if image_id not in known])
    make_folder(path)
    if mode != "new":
        remove_temporaries(path, [os.path.join(path, kind) for kind in OUTPUTS])
    if holds_run and mode == "overwrite":
        _remove_run(folder)
    elif folder.n_torn:
        _cut_torn_end(folder.manifest)
    return folder


def _read_earlier(folder: OutputFolder, stamp: dict[str, Any]) -> None:
    for record in read_manifest(folder.manifest):
        _refuse_other_settings(folder.path, record, stamp)
        if record["status"] == "ok":
            hashes = tuple(record[key] for key in HASH_KEYS if key in record)
            folder.earlier[record["id"]] = Earlier(hashes, Tally.of(record))
    with open(folder.manifest, "rb") as file:
        folder.n_torn = sum(decode_record(line) is None for line in file)


def _refuse_other_settings(path: str, record: dict[str, Any], stamp: dict[str, Any]) -> None:
    for key, value in {**dict.fromkeys(OPTIONAL), **stamp}.items():
        found = record.get(key)
        if found == value:
            continue
        if key == "params" and isinstance(found, dict):
            key = next(name for name in sorted({*found, *value}) if found.get(name) != value.get(name))
            found, value = found.get(key), value.get(key)
        if key == "outputs":
            found, value = " ".join(found or ()), " ".join(value)
        if key in OPTIONAL:
            without = "numba" if key == "backend" else "none"
            found, value = found or without, value or without
        raise InputError(
            f"{path} holds a run with {key} {found}, this one has {key} {value}; "
            "use the same settings, another folder, or --overwrite"
        )


def _refuse_foreign(path: str, kinds: Collection[str], ids: Collection[str]) -> None:
    """Refuse to replace files that no run wrote, for example the true masks of a data set."""
    for kind in kinds:
        if not os.path.isdir(os.path.join(path, kind)):
            continue
        names = [*ids, SHEET_NAME] if kind == "overlay" else ids
        foreign = [name for name in names if _is_foreign(output_path(path, kind, name))]
        if foreign:
            first = output_path(path, kind, foreign[0])
            more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
            raise InputError(
                f"{first}{more}: not written by this program, and would be replaced; choose another folder"
            )


def _is_foreign(path: str) -> bool:
    return os.path.exists(path) and not is_ours(path)


def _remove_run(folder: OutputFolder) -> None:
    """Remove the files that the manifest names, then the manifest, then folders that are empty."""
    for record in read_manifest(folder.manifest):
        remove_outputs(folder.path, record["id"], record.get("outputs", OUTPUTS))
        if "overlay" in record.get("outputs", ()):
            remove_file(output_path(folder.path, "overlay", SHEET_NAME))
    remove_file(folder.manifest)
    for kind in OUTPUTS:
        for parent, _, _ in os.walk(os.path.join(folder.path, kind), topdown=False):
            if not os.listdir(parent):
                os.rmdir(parent)


def _cut_torn_end(manifest: str) -> None:
    """Cut the manifest after its last whole line, so that the next line starts a line of its own."""
    end = 0
    with open(manifest, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                end += len(line)
    try:
        os.truncate(manifest, end)
    except OSError as error:
        raise OutputError(f"cannot write {manifest} ({error.strerror or error})") from error
