"""The output folder: what an earlier run left there, and what may be done with it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, OutputError
from ..io.exchange.ledger import open_export
from ..io.files import make_folder, remove_file, remove_temporaries
from ..io.lock import lock_name
from ..io.manifest import HASH_KEYS, count_damaged, cut_torn_end, read_manifest, starts_like_ours
from ..io.outdir import PREDICTION_NAME, REPLACEABLE, OutputGate, name_error
from ..io.shards import ShardPlan, manifest_of, refuse_other_shards, refuse_shards
from ..io.writers import EXPORTS, OVERLAY, WRITERS
from .events import Tally
from .settings import OPTIONAL

MODES = ("new", "resume", "overwrite")
SHEET_NAME = "contact-sheet"
ASIDE_NAME = "manifest.damaged.jsonl"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run did for one image.

    Attributes
    ----------
    hashes : of its inputs.
    tally : what it counted.
    changed : paths of its files that somebody changed since; the others are as they were written.
    """

    hashes: tuple[str | None, ...]
    tally: Tally
    changed: tuple[str, ...] = ()


@dataclass(slots=True)
class OutputFolder:
    """An output folder that was looked at; `begin` makes it ready to be written to.

    Attributes
    ----------
    gate : which paths may be written and removed.
    earlier : image id -> what is done already, with the files that are recorded.
    n_torn : lines of the manifest that could not be read.
    gone : ids that an earlier run did and a run that goes on with it does not have.
    aside : where a manifest of which no line could be read is kept, None for nowhere.
    plan : of the shard, where the run is one.
    """

    gate: OutputGate
    earlier: dict[str, Earlier] = field(default_factory=dict)
    n_torn: int = 0
    gone: tuple[str, ...] = ()
    aside: str | None = None
    plan: ShardPlan | None = None
    _removes: bool = False

    @property
    def manifest(self) -> str:
        """Path of the manifest, or of the shard's part of it."""
        return manifest_of(self.gate, None if self.plan is None else self.plan.shard)

    def begin(self) -> None:
        """Remove what a run that starts or goes on removes: leftovers of killed runs, and a run to be replaced.

        Raises
        ------
        OutputError
            Where the manifest cannot be written.
        """
        path = self.gate.folder
        trees = [os.path.join(path, kind) for kind in (*WRITERS, *EXPORTS)]
        remove_temporaries(path, trees, of_all=self.plan is None)
        if self.plan is not None:  # before anything goes, since a shard that has finished may be done again
            self.plan.write(self.gate, has_finished=False)
        try:
            if self.aside is not None:
                os.replace(self.manifest, self.aside)
            elif self._removes:
                _remove_run(self)
            elif self.n_torn:
                cut_torn_end(self.manifest)
        except OSError as error:
            raise OutputError(f"cannot write {self.manifest} ({error.strerror or error})") from error

    def finish(self) -> None:
        """Say that a shard has done all of its images; of other runs nothing is said."""
        if self.plan is not None:
            self.plan.write(self.gate, has_finished=True)


def open_output(
    path: str, mode: str, stamp: dict[str, Any], ids: Collection[str], plan: ShardPlan | None = None
) -> OutputFolder:
    """Look at the output folder before a run; nothing is written.

    Parameters
    ----------
    path : the folder, held by this run.
    mode : "new" refuses a folder that holds a run, "resume" goes on with it, "overwrite" removes what it wrote.
    stamp : what all lines of the manifest of this run have in common.
    ids : images that the run will write files for.
    plan : of the shard, where the run is one: its part of the manifest is what the folder holds of it then.

    Raises
    ------
    InputError
        Where the folder holds a run and `mode` is "new", a run of other settings and it is "resume", or files that
        no run wrote, or that somebody changed since, and this run would replace, or shards that do not go with it.
    OutputError
        Where the folder cannot be made.
    """
    make_folder(path)
    folder = OutputFolder(OutputGate(path), plan=plan)
    if plan is None:
        refuse_shards(path)
    else:
        refuse_other_shards(folder.gate, plan, mode)
    manifest = folder.manifest
    holds_run = os.path.isfile(manifest) and os.path.getsize(manifest) > 0
    if holds_run and mode == "new":
        raise InputError(f"{path} holds a run already; `mode=resume` goes on with it, `mode=overwrite` replaces it")
    if os.path.lexists(os.path.join(path, PREDICTION_NAME)):
        raise InputError(f"{path} holds predictions; choose another folder")
    _refuse_same_names(path, ids, "" if plan is None else plan.shard.name)
    records = []
    if holds_run:
        n_good, folder.n_torn = count_damaged(manifest)
        if n_good == 0 and not starts_like_ours(manifest):
            folder.aside = _free_name(folder.gate)
        records = list(read_manifest(manifest))
    known = {record["id"]: record.get("outputs_sha256", {}) for record in records if record["status"] == "ok"}
    if mode == "resume":
        for record in records:
            _refuse_other_settings(path, record, stamp)
            if record["status"] == "ok" and record["id"] in ids:
                _look_at_files(folder, record)
        folder.gone = tuple(name for name in known if name not in ids)
        known = {name: hashes for name, hashes in known.items() if name not in folder.earlier}
        ids = [name for name in ids if name not in folder.earlier]
    kinds = [kind for kind in stamp["outputs"] if kind in WRITERS]
    places = [(kind, name, known.get(name, {}).get(kind)) for kind in kinds for name in ids]
    if OVERLAY in stamp["outputs"]:
        places.append((OVERLAY, SHEET_NAME, None))
    if mode == "new":
        _refuse_ours(folder.gate, places)
    if mode == "overwrite":
        places += [place for record in records if record["status"] == "ok" for place in recorded_places(record)]
        folder._removes = holds_run
    folder.gate.refuse_foreign(dict.fromkeys(places))
    if plan is not None:
        return folder  # what is written per run is for `merge`
    earlier = {name for record in records for name in record.get("outputs", ())}
    _check_exports(folder.gate, mode, stamp["outputs"], earlier, ids)
    return folder


def _check_exports(
    gate: OutputGate, mode: str, wanted: Collection[str], earlier: Collection[str], ids: Collection[str]
) -> None:
    """Refuse where an export of this run, or the removal of an earlier one, would touch what is not its own."""
    from ..io.exchange.table import FORMATS

    for name in EXPORTS:
        if name in wanted:
            export = open_export(gate, name)
            if mode == "new" and export.is_used:
                raise InputError(
                    f"{export.folder}: written by an earlier run that left no manifest here, and would be replaced; "
                    "`mode=resume` and `mode=overwrite` replace it, or choose another folder"
                )
            export.refuse_foreign(FORMATS[name].paths(ids))
        elif name in earlier and mode == "overwrite":
            open_export(gate, name).refuse_foreign()


def _look_at_files(folder: OutputFolder, record: dict[str, Any]) -> None:
    """Take an image as done where its files are as recorded, or were changed by somebody."""
    if not all("quality" in target for target in record.get("targets", ())):
        folder.n_torn += 1
        return
    states = [
        (folder.gate.path(kind, name), folder.gate.state(kind, name, known))
        for kind, name, known in recorded_places(record)
    ]
    if all(state == "ours" or state not in REPLACEABLE for _, state in states):
        changed = tuple(path for path, state in states if state != "ours")
        hashes = tuple(record[key] for key in HASH_KEYS if key in record)
        folder.earlier[record["id"]] = Earlier(hashes, Tally.of(record), changed)


def recorded_places(record: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Kind, name and recorded hash of each file that a line of a manifest names."""
    if not name_error(record["id"]):
        for kind in WRITERS:
            if kind in record.get("outputs", WRITERS):
                yield kind, record["id"], record.get("outputs_sha256", {}).get(kind)


def _refuse_ours(gate: OutputGate, places: Collection[tuple[str, str, str | None]]) -> None:
    """Refuse to replace files of this program if no manifest says which run wrote them."""
    for kind, name, known in places:
        if gate.state(kind, name, known) == "ours":
            raise InputError(
                f"{gate.path(kind, name)}: written by an earlier run that left no manifest here, and would be "
                "replaced; `mode=resume` and `mode=overwrite` replace it, or choose another folder"
            )


def _refuse_same_names(path: str, ids: Collection[str], part: str) -> None:
    """Refuse ids that a file system takes for one name: those that differ by case, or by how letters are composed."""
    if not os.path.lexists(os.path.join(path, lock_name(part).upper())):
        return
    seen: dict[str, str] = {}
    for name in sorted(ids):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise InputError(f"{other} and {name} are one name on the file system of {path}; rename one of the images")


def _free_name(gate: OutputGate) -> str:
    stem, suffix = os.path.splitext(ASIDE_NAME)
    names = [ASIDE_NAME, *(f"{stem}-{number}{suffix}" for number in range(2, 1000))]
    return next(path for name in names if not os.path.lexists(path := os.path.join(gate.folder, name)))


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
            "use the same settings, another folder, or `mode=overwrite`"
        )


def _remove_run(folder: OutputFolder) -> None:
    """Remove the files that the manifest names, then the manifest, then folders that are empty."""
    gate = folder.gate
    for record in read_manifest(folder.manifest):
        for kind, name, known in recorded_places(record):
            gate.remove(kind, name, known)
            if kind == OVERLAY:
                gate.remove(kind, SHEET_NAME)
        for kind in record.get("outputs", ()) if folder.plan is None else ():
            if kind in EXPORTS:
                open_export(gate, kind).remove()
    remove_file(folder.manifest)
    if folder.plan is not None:
        return  # other shards may be about to write into a folder that is empty now
    for kind in WRITERS:
        top = os.path.join(gate.folder, kind)
        for parent, _, _ in os.walk(top, topdown=False) if not os.path.islink(top) else ():
            if not os.listdir(parent):
                os.rmdir(parent)
