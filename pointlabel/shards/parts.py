"""What the shards of a run left in its folder, checked: all of them, finished, nothing missing and nothing double."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any, TypeVar

from ..errors import InputError
from ..folder.output import recorded_places
from ..io.manifest import decode_record
from ..io.outdir import REPLACEABLE, OutputGate
from ..io.shards import Shard, ShardPlan, find_shards, hash_names, read_plan
from ..training.part import are_rows

T = TypeVar("T")

#: Lines that are read from a part at a time: all parts are read side by side, and not all may be open at once.
_LINES = 64
_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Part:
    """A shard's plan, and where its lines are.

    Attributes
    ----------
    plan : what it had to do.
    path : of its part of the manifest.
    starts, lengths : of the last whole line of each of the plan's ids there, in bytes.
    n_errors : images that failed.
    """

    plan: ShardPlan
    path: str
    starts: array[int]
    lengths: array[int]
    n_errors: int = 0

    def lines(self) -> Iterator[bytes]:
        """The line of each of its images, in their order."""
        for first in range(0, len(self.starts), _LINES):
            run = slice(first, first + _LINES)
            with open(self.path, "rb") as file:
                block = []
                for start, length in zip(self.starts[run], self.lengths[run], strict=True):
                    file.seek(start)
                    block.append(file.read(length))
            yield from block


def read_plans(gate: OutputGate) -> list[ShardPlan]:
    """The plans of all shards in a folder, which go together and have finished.

    Raises
    ------
    InputError
        Where one is missing, has not finished, or was given other inputs or settings than the others.
    """
    place, shards = gate.folder, find_shards(gate.folder)
    plans = [read_plan(gate, shard) for shard in shards]
    for plan in plans[1:]:
        found = plans[0].difference(plan)
        if found is not None:
            raise InputError(
                f"{place}: shards {shards[0]} and {plan.shard} do not go together in their {found}; do them again with "
                "the same inputs and settings"
            )
    total = shards[0].total
    missing = [shard for number in range(1, total + 1) if (shard := Shard(number, total)) not in shards]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(f"{place} lacks shard {missing[0]}{more}; the same command with --shard {missing[0]} does it")
    late = [plan.shard for plan in plans if not plan.has_finished]
    if late:
        more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
        raise InputError(f"{place}: shard {late[0]}{more} has not finished; {_how_to_finish(late[0])}")
    ids = list(in_turn([plan.ids for plan in plans]))
    if len(set(ids)) != len(ids) or hash_names(ids) != plans[0].ids_sha256:
        raise InputError(f"{place}: the plans of its shards are damaged: together they are not all images, each once")
    return plans


def read_parts(gate: OutputGate, plans: Sequence[ShardPlan]) -> tuple[list[Part], list[str]]:
    """Find the line of each image, and look whether the files that it names are there.

    Returns
    -------
    parts : one for each plan.
    changed : paths of files that somebody changed since they were written; they stay as they are.

    Raises
    ------
    InputError
        Where an image has no line, a line is of another image, or a file is missing or damaged.
    """
    parts: list[Part] = []
    changed: list[str] = []
    for plan in plans:
        path = gate.file(plan.shard.manifest)
        starts = array("q", [-1]) * len(plan.ids)
        lengths = array("q", [0]) * len(plan.ids)
        own = {name: k for k, name in enumerate(plan.ids)}
        at = 0
        for record, length in _records(path, plan):
            if record is not None:
                if record["id"] not in own:
                    raise InputError(f"{path}: {record['id']} is not among the images of its shard")
                is_whole = plan.command != "predict" or record["status"] == "error" or are_rows(record.get("rows"))
                if is_whole:
                    starts[own[record["id"]]], lengths[own[record["id"]]] = at, length
            at += length
        missing = [name for name, start in zip(plan.ids, starts, strict=True) if start < 0]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(f"{path}: lacks the line of {missing[0]}{more}; {_how_to_finish(plan.shard)}")
        part = Part(plan, path, starts, lengths)
        n_errors = 0
        for line in part.lines():
            record = decode_record(line)
            assert record is not None  # as it was found above
            n_errors += record["status"] == "error"
            changed += _changed_files(gate, record, plan)
        parts.append(replace(part, n_errors=n_errors))
    return parts, changed


def in_turn(groups: Sequence[Sequence[T] | Iterator[T]]) -> Iterator[T]:
    """The items of all shards in the order of a run without them: the first of each, the second of each, and so on."""
    rows = zip_longest(*groups, fillvalue=_NOTHING)
    return (item for item in chain.from_iterable(rows) if item is not _NOTHING)


def _records(path: str, plan: ShardPlan) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Each line's record, None where it cannot be read, and the line's length."""
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError:
        if plan.ids:
            raise InputError(f"{path}: cannot be read; {_how_to_finish(plan.shard)}") from None
        return
    with file:
        for line in file:
            record = decode_record(line)
            if record is not None:
                for key, value in plan.settings.items():
                    if key in record and record[key] != value:
                        raise InputError(f"{path}: {record['id']} was done with another {key} than its shard has")
            yield record, len(line)


def _changed_files(gate: OutputGate, record: dict[str, Any], plan: ShardPlan) -> Iterator[str]:
    """Paths of the files of an image that somebody changed; raise where one is not there, or not whole."""
    if record["status"] != "ok":
        return
    for kind, name, known in recorded_places(record):
        state = gate.state(kind, name, known)
        if state == "ours":
            continue
        path = gate.path(kind, name)
        if state in REPLACEABLE:
            what = {"free": "missing", "stale": "not what shard {} wrote"}.get(state, "damaged")
            raise InputError(f"{path}: {what.format(plan.shard)}; {_how_to_finish(plan.shard)}")
        yield path


def _how_to_finish(shard: Shard) -> str:
    return f"the same command with --shard {shard} --resume does the rest"
