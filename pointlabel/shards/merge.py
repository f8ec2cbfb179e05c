"""Join the shards of a run, so that its folder is that of a run without shards.

The steps are such that a merge that is killed can be run again: the lines of all shards are written as one file, which
takes its place at once; then what is made of all images; the shards' own files go last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._values import as_path
from ..errors import InputError
from ..folder.writers import write_export
from ..io.detections import TABLE
from ..io.exchange.ledger import open_export
from ..io.exchange.table import FORMATS
from ..io.files import FileWrite, remove_file, remove_temporaries
from ..io.json_files import read_json
from ..io.lock import hold_folder
from ..io.manifest import MANIFEST_NAME, decode_record, read_manifest, sorted_records
from ..io.outdir import PREDICTION_NAME, OutputGate
from ..io.shards import ShardPlan, find_shards, read_plan
from ..io.writers import EXPORTS, WRITERS
from ..training.predicted import prediction_record, refuse_foreign_table, write_prediction
from .parts import Part, in_turn, read_parts, read_plans


@dataclass(frozen=True, slots=True)
class Merged:
    """What was joined.

    Attributes
    ----------
    n_shards : joined ones; 0 where the folder was one run already.
    n_images, n_errors : images in all, and those of them that failed.
    changed : paths of files that somebody changed since a shard wrote them; they are kept.
    """

    n_shards: int = 0
    n_images: int = 0
    n_errors: int = 0
    changed: tuple[str, ...] = ()


def merge_shards(out: str | os.PathLike[str]) -> Merged:
    """Make one run of all shards in an output folder of `annotate` or `predict`.

    Parameters
    ----------
    out : the folder. It is then as a run without shards leaves it, byte for byte but for times.

    Raises
    ------
    InputError
        Where there is no shard, one is missing or has not finished, two do not go together, an image is missing or
        double, or a file of an image is missing or damaged; the folder stays as it was then.
    OutputError
        Where a file cannot be written; the shards stay, and can be merged again.
    """
    place = as_path(out, "out")
    if not os.path.isdir(place):
        raise InputError(f"{place}: no such folder")
    gate = OutputGate(place)
    with hold_folder(place, "merge"):
        shards = find_shards(place)
        whole = [name for name in (MANIFEST_NAME, PREDICTION_NAME) if _has_bytes(gate.file(name))]
        if not shards:
            if whole:  # a merge that was killed may have removed all but what it is called again for
                return Merged()
            raise InputError(f"{place} holds no shards; annotate and predict write them with --shard I/N")
        if whole:
            plans = [read_plan(gate, shard) for shard in shards]
            _check_joined(gate, plans)
            states = _whole_states(gate, plans[0])
            merged = Merged(len(shards), len(states), sum(state == "error" for state in states.values()))
        else:
            plans = read_plans(gate)
            _refuse_foreign(gate, plans)
            parts, changed = read_parts(gate, plans)
            n_images, n_errors = sum(len(part.plan.ids) for part in parts), sum(part.n_errors for part in parts)
            merged = Merged(len(parts), n_images, n_errors, tuple(changed))
            if plans[0].command == "predict":
                _join_predictions(gate, parts)
            else:
                _join_manifests(gate, parts)
        if plans[0].command == "annotate":
            for name in _exports(plans[0]):
                write_export(name, gate, sorted_records(gate.file(MANIFEST_NAME)))
        for file in (*(plan.shard.manifest for plan in plans), *(plan.shard.plan for plan in plans)):
            remove_file(gate.file(file))
        remove_temporaries(place, [os.path.join(place, kind) for kind in WRITERS])
    return merged


def _exports(plan: ShardPlan) -> list[str]:
    return [name for name in EXPORTS if name in plan.settings["outputs"]]


def _has_bytes(path: str) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) > 0


def _refuse_foreign(gate: OutputGate, plans: Sequence[ShardPlan]) -> None:
    """Raise where a file of all images would replace one that this program did not write."""
    ids = [name for plan in plans for name in plan.ids]
    for name in _exports(plans[0]):
        open_export(gate, name).refuse_foreign(FORMATS[name].paths(ids))
    if plans[0].command == "predict":
        refuse_foreign_table(gate.file(TABLE), None)


def _join_manifests(gate: OutputGate, parts: Sequence[Part]) -> None:
    """Write the lines of all shards as one manifest, in the order of a run without shards."""
    written = FileWrite(gate.file(MANIFEST_NAME), b"")
    try:
        for line in in_turn([part.lines() for part in parts]):
            written.append(line)
        written.start_sync()
        written.place()
    finally:
        written.discard()


def _join_predictions(gate: OutputGate, parts: Sequence[Part]) -> None:
    """Write the table of all shards, what is made of their masks, and last the record of the prediction."""
    plan = parts[0].plan
    for name in _exports(plan):
        write_export(name, gate, _records(parts))
    rows = (row for record in _records(parts) for row in record.get("rows", ()))
    kinds = [name for name in plan.settings["outputs"] if name in WRITERS]
    images = list(in_turn([part.plan.ids for part in parts]))
    write_prediction(gate, prediction_record(plan.settings["version"], kinds, images, _exports(plan)), rows)


def _records(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """The record of each image in the order of a run without shards."""
    return filter(None, map(decode_record, in_turn([part.lines() for part in parts])))


def _whole_states(gate: OutputGate, plan: ShardPlan) -> dict[str, str]:
    """Id -> status of the images of what lies beside the shards: a run, or a prediction, which names no errors."""
    name = PREDICTION_NAME if plan.command == "predict" else MANIFEST_NAME
    path = gate.file(name)
    if not _has_bytes(path):
        return {}
    if name == MANIFEST_NAME:
        return {record["id"]: record["status"] for record in read_manifest(path)}
    about = read_json(path)
    images = about.get("images") if about.get("table_sha256") else None
    return {name: "ok" for name in images if isinstance(name, str)} if isinstance(images, list) else {}


def _check_joined(gate: OutputGate, plans: Sequence[ShardPlan]) -> None:
    """Raise where shards lie beside a manifest that was not made of them, as a merge leaves it that was killed."""
    known = _whole_states(gate, plans[0])
    for plan in plans:
        if plan.command != plans[0].command or not known.keys() >= set(plan.ids):
            raise InputError(
                f"{gate.folder} holds shards of a run ({plan.shard.plan}) beside another run without shards; move one "
                "of them to another folder"
            )
