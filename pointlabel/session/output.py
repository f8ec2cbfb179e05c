"""The output folder of a session: what it holds when the session starts, and the files beside the masks."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..folder.events import Tally
from ..folder.output import open_output
from ..folder.settings import RunSettings, build_params
from ..io.files import write_whole
from ..io.images import ImageList
from ..io.json_lines import encode_line
from ..io.manifest import MANIFEST_NAME, read_manifest, tidy_manifest
from ..io.outdir import OutputGate
from ..io.text import harmless
from .journal import JOURNAL_NAME, Journal
from .opened import Worst
from .state import State

CLICKS_NAME = "clicks.csv"
_COLUMNS = ("image", "x", "y", "label", "id", "tightness", "polarity")


@dataclass(slots=True)
class OutputFiles:
    """An output folder at the start of a session.

    Attributes
    ----------
    gate : which paths may be written.
    settings : what labels.
    records : lines of the manifest by id, where their status is "ok".
    notes : what to say about it.
    """

    gate: OutputGate
    settings: RunSettings
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def points_of(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        """The points of a record, for `state.start_state`."""
        out = []
        for target in record["targets"]:
            point = {key: target[key] for key in ("x", "y", "tightness", "label", "id") if key in target}
            if self.settings.polarity not in ("auto", target.get("polarity")):
                point["polarity"] = target.get("polarity")
            out.append(point)
        return out


def open_files(out: str, settings: RunSettings | None, found: ImageList) -> tuple[OutputFiles, Journal]:
    """Look at the output folder, held by this session, and open its journal.

    Parameters
    ----------
    out : the folder.
    settings : None for those of what is there.
    found : the images.

    Raises
    ------
    InputError
        Where it holds a run of another method, files that this session would replace, or a damaged journal.
    OutputError
        Where it cannot be written.
    """
    gate = OutputGate(out)
    path = gate.file(JOURNAL_NAME)
    manifest = gate.file(MANIFEST_NAME)
    has_run = os.path.isfile(manifest) and os.path.getsize(manifest) > 0
    if os.path.isfile(path):
        journal = Journal(path)
        try:
            return _go_on(gate, settings, journal, has_run), journal
        except BaseException:
            journal.close()
            raise
    clicks = gate.file(CLICKS_NAME)
    if os.path.exists(clicks):
        raise InputError(f"{clicks}: not written by a session, and would be replaced; move it away")
    records = list(read_manifest(manifest)) if has_run else []
    if settings is None:
        settings = settings_of(records[0], manifest) if records else RunSettings()
    stamp = settings.stamp()
    if records and any(records[0].get(key) != value for key, value in stamp.items()):
        raise InputError(
            f"{out} holds a run of annotate with other settings; leave yours out, or choose another folder"
        )
    folder = open_output(out, "resume" if has_run else "new", stamp, found.ids)
    folder.begin()
    output = OutputFiles(gate, settings)
    if has_run:
        output.records = {record["id"]: record for record in records if record["id"] in folder.earlier}
        output.notes.append(f"{out}: goes on with the run of annotate that is there, {len(output.records)} images")
    journal = Journal(path)
    journal.append({"settings": settings.stamp()})
    return output, journal


def _go_on(gate: OutputGate, settings: RunSettings | None, journal: Journal, has_run: bool) -> OutputFiles:
    stamps = [entry["settings"] for entry in journal.entries if isinstance(entry.get("settings"), dict)]
    last = stamps[-1] if stamps else None
    if settings is None:
        settings = RunSettings() if last is None else settings_of(last, journal.path)
    if settings.stamp() != last:
        journal.append({"settings": settings.stamp()})
    output = OutputFiles(gate, settings)
    if journal.was_torn:
        output.notes.append(f"{journal.path}: its last line was cut short, and is left out")
    if has_run:
        manifest = gate.file(MANIFEST_NAME)
        tidy_manifest(manifest)
        output.records = {record["id"]: record for record in read_manifest(manifest) if record["status"] == "ok"}
    return output


def settings_of(stamp: dict[str, Any], path: str) -> RunSettings:
    """The settings that a line of a manifest or a journal has; `path` is for messages.

    Raises
    ------
    InputError
        Where they are those of another method, or of none.
    """
    method = stamp.get("method")
    if method != "default" or stamp.get("refine") is not None:
        raise InputError(f"{path}: labelled by the method {method}; a session labels by default; choose another folder")
    try:
        return RunSettings(
            params=build_params("default", stamp["params"]),
            tightness=stamp["tightness"],
            polarity=stamp["polarity"],
            seed=stamp["seed"],
            outputs=tuple(stamp["outputs"]),
        )
    except KeyError as error:
        raise InputError(f"{path}: its settings lack {error.args[0]}; choose another folder") from error


def worst_of(record: dict[str, Any]) -> Worst:
    """What the list of images says, from a line of a manifest."""
    tally = Tally.of(record)
    return Worst(tally.n_targets, tally.n_doubtful, min(tally.trusts, default=None))


def write_clicks(path: str, rows: Iterable[tuple[str, State]]) -> None:
    """Write all clicks as a table of points, a row for each and one for each image without any.

    Raises
    ------
    OutputError
        Where the file could not be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for name, state in rows:
        for click in state.clicks:
            place = (f"{click.column:.17g}", f"{click.row:.17g}")
            tightness = "" if click.tightness is None else repr(click.tightness)
            words = (harmless(click.label), harmless(click.name))
            table.writerow([harmless(name), *place, *words, tightness, click.polarity or ""])
        if not state.clicks:
            table.writerow([harmless(name), *[""] * (len(_COLUMNS) - 1)])
    write_whole(path, text.getvalue().encode(errors="surrogateescape"))


def write_manifest(path: str, records: list[dict[str, Any]]) -> None:
    """Write a manifest with one line per image.

    Raises
    ------
    OutputError
        Where the file could not be written.
    """
    write_whole(path, b"".join(encode_line(record) for record in records))
