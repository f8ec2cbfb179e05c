"""Shards of a run: which inputs each does, the names of their files, and the file by which a shard tells of itself.

Shard I of N does every N-th input, from the I-th on, in the order of all inputs. Its line of work depends on nothing
else, so all shards can work at the same time in one folder, on machines that know nothing of each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from .._values import as_choice
from ..errors import InputError
from .files import read_bytes, write_whole
from .manifest import MANIFEST_NAME
from .outdir import PREDICTION_NAME, OutputGate
from .text import decode_json

T = TypeVar("T")

#: The commands whose runs can be done in shards.
COMMANDS = ("annotate", "predict")
#: Most shards of a run.
MOST_SHARDS = 100_000
_PLAN = re.compile(r"shard\.([1-9]\d{0,5})-of-([1-9]\d{0,5})\.json")
_TEXT = re.compile(r"(\d{1,6})/(\d{1,6})")


class Shard(NamedTuple):
    """One of the parts that a run is done in.

    Attributes
    ----------
    number : from 1 to `total`.
    total : number of all parts.
    """

    number: int
    total: int

    def __str__(self) -> str:
        """As the option has it: ``2/8``."""
        return f"{self.number}/{self.total}"

    @property
    def name(self) -> str:
        """As names of files have it: ``2-of-8``."""
        return f"{self.number}-of-{self.total}"

    @property
    def manifest(self) -> str:
        """Name of the file with its lines of the manifest, or of the prediction."""
        return f"manifest.{self.name}.jsonl"

    @property
    def plan(self) -> str:
        """Name of the file with its `ShardPlan`."""
        return f"shard.{self.name}.json"

    def own(self, items: Iterable[T]) -> list[T]:
        """Those of all items that are this shard's."""
        return list(islice(items, self.number - 1, None, self.total))


def parse_shard(text: str) -> Shard:
    """``2/8`` -> shard 2 of 8; raise `InputError` where it is none."""
    found = _TEXT.fullmatch(text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.total <= MOST_SHARDS:
        raise InputError(f"a shard must be I/N, with I from 1 to N and N up to {MOST_SHARDS}, such as 2/8, got {text}")
    return shard


def as_shard(value: str | Shard | None) -> Shard | None:
    """An argument `shard` of a function of the library, checked; None stays None."""
    return None if value is None else parse_shard(str(value))


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a shard does; written before its first image, and again when it has finished.

    Attributes
    ----------
    shard : which.
    command : out of `COMMANDS`.
    settings : what all shards of the run must have in common.
    ids : of its inputs, in their order.
    ids_sha256 : hash of the ids of all inputs in their order, those of the other shards included.
    inputs_sha256 : hash of their names with suffix, and of the points of all as far as one file has them.
    has_finished : whether all of its inputs were done.
    """

    shard: Shard
    command: str
    settings: dict[str, Any]
    ids: Sequence[str]
    ids_sha256: str
    inputs_sha256: str = ""
    has_finished: bool = False

    def write(self, gate: OutputGate, *, has_finished: bool) -> None:
        """Write it to an output folder; raise `OutputError` where that fails."""
        about = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "ids"}
        text = json.dumps(about | {"has_finished": has_finished})
        data = bytearray(f'{text[:-1]}, "ids": ['.encode())
        for k, name in enumerate(self.ids):  # one by one: there may be millions
            data += f"{', ' if k else ''}{json.dumps(name)}".encode()
        write_whole(gate.file(self.shard.plan), bytes(data) + b"]}\n", durable=True)

    def difference(self, other: ShardPlan, *, inputs_only: bool = False) -> str | None:
        """What of another shard's plan does not go with this one, as "KEY A and B"; None where nothing does not.

        Parameters
        ----------
        other : its plan.
        inputs_only : whether only the list of inputs counts.
        """
        if self.shard.total != other.shard.total:
            return f"numbers of shards: {self.shard.total} and {other.shard.total}"
        if self.ids_sha256 != other.ids_sha256:
            return "images: their lists are not the same"
        if inputs_only:
            return None
        if self.command != other.command:
            return f"commands: {self.command} and {other.command}"
        if self.inputs_sha256 != other.inputs_sha256:
            return "images or points: their files are not the same"
        found = name_difference(self.settings, other.settings)
        return None if found is None else f"settings: {found}"


def name_difference(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """The first entry in which two dicts differ, as "KEY A and B"; None where they are equal."""
    for key in sorted({*one, *other}):
        a, b = one.get(key), other.get(key)
        if a != b:
            if isinstance(a, dict) and isinstance(b, dict):
                return name_difference(a, b)
            texts = (" ".join(map(str, each)) if isinstance(each, list) else str(each) for each in (a, b))
            return f"{key} {' and '.join(texts)}"
    return None


def hash_names(names: Iterable[str]) -> str:
    """Hexadecimal SHA-256 of names in their order."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def manifest_of(gate: OutputGate, shard: Shard | None) -> str:
    """Path of the manifest of a whole run, or of a shard's part of it."""
    return gate.file(MANIFEST_NAME if shard is None else shard.manifest)


def find_shards(folder: str) -> list[Shard]:
    """The shards that have a plan in an output folder, sorted."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [match for match in map(_PLAN.fullmatch, names) if match]
    return sorted(Shard(int(match[1]), int(match[2])) for match in found)


def read_plan(gate: OutputGate, shard: Shard) -> ShardPlan:
    """Read the plan of a shard.

    Raises
    ------
    InputError
        Where it is damaged, or cannot be read.
    """
    path = gate.file(shard.plan)
    try:
        about = decode_json(read_bytes(path))
        plan = ShardPlan(**{**about, "shard": Shard(*about["shard"]), "ids": tuple(about["ids"])})
        texts = (*plan.ids, plan.ids_sha256, plan.inputs_sha256)
        texts += tuple(plan.settings["outputs"])
        is_sound = plan.shard == shard and all(isinstance(text, str) for text in texts)
        as_choice(plan.command, "command", COMMANDS)
    except (ValueError, TypeError, KeyError):
        is_sound = False
    if not is_sound:
        raise InputError(f"{path}: damaged; the same command with --shard {shard} and `mode=overwrite` does it again")
    return plan


def refuse_shards(folder: str) -> None:
    """Raise `InputError` where an output folder holds shards that are not merged, for a run without them."""
    shards = find_shards(folder)
    if shards:
        raise InputError(
            f"{folder} holds shards of a run ({shards[0].plan}); join them by pointlabel merge, "
            "or choose another folder"
        )


def refuse_other_shards(gate: OutputGate, plan: ShardPlan, mode: str) -> None:
    """Raise `InputError` where a shard does not go with what an output folder holds, or is there already.

    Parameters
    ----------
    gate : of the folder.
    plan : of the shard that is to start.
    mode : "new" refuses a shard that is there, "resume" one with other inputs or settings, "overwrite" only other
        inputs of other shards, so that all of them can be done again one by one.
    """
    for name in (MANIFEST_NAME, PREDICTION_NAME):
        if os.path.isfile(path := gate.file(name)) and os.path.getsize(path) > 0:
            raise InputError(f"{gate.folder} holds a run without shards; leave `shard` out, or choose another folder")
    shards = find_shards(gate.folder)
    place = f"{gate.folder} holds shard"
    if mode == "new" and plan.shard in shards:
        raise InputError(f"{place} {plan.shard} already; `mode=resume` goes on with it, `mode=overwrite` replaces it")
    others = [shard for shard in shards if shard.total != plan.shard.total][:1]
    others += [shard for shard in shards if shard != plan.shard][:1]
    if plan.shard in shards and mode == "resume":
        others.append(plan.shard)
    for other in others:
        found = plan.difference(read_plan(gate, other), inputs_only=mode == "overwrite")
        if found is not None:
            which = f"this one, {plan.shard}," if other != plan.shard else "this attempt"
            raise InputError(
                f"{place} {other}, which does not go with {which} in its {found}; "
                "give all shards the same inputs and settings, or choose another folder"
            )
