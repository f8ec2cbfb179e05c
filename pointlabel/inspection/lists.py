"""The lists of ids of a data set, looked at: their form, unknown ids, and what two of them share."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ..errors import InputError
from ..io.files import read_bytes
from ..io.layouts.lists import listed_id, read_list
from ..io.layouts.parts import IdList, Parts
from ..io.walk import IMAGE_SUFFIXES
from .faults import Finding

#: First words of the names of lists, by the part that they are.
_PARTS = {"train": "train", "trainval": "train", "training": "train", "val": "val", "valid": "val", "test": "test"}


def part_of(name: str) -> str | None:
    """Which part a list is by its name: "train", "val", "test", or None where it is none of them."""
    return _PARTS.get(name.rpartition("/")[2].partition("_")[0].lower())


def look_at_lists(parts: Parts, ids: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, list[str]], list[Finding]]:
    """Read all lists of a data set.

    Returns
    -------
    rows : name, path, number of ids and hash of each list. The hash is of the sorted ids, one a line: it does not
        depend on their order, and not on how the file writes them.
    held : ids of each list.
    findings : what is wrong with them.
    """
    rows, held, findings = [], {}, []
    known = set(ids)
    for each in parts.lists:
        try:
            found = read_list(parts, each, ids)
        except InputError as error:
            findings.append(Finding("list_unreadable", each.name, str(error)))
            continue
        held[each.name] = found
        where = os.path.relpath(each.path or os.path.join(parts.root, each.folder), parts.root)
        rows.append({"name": each.name, "path": where, "n": len(found), "sha256": list_hash(found)})
        findings += [Finding("list_unknown", name, each.name) for name in found if name not in known]
        if each.path is not None:
            findings += _look_at_file(parts, each)
    return rows, held, findings + shared_ids(held)


def list_hash(ids: Iterable[str]) -> str:
    """Hexadecimal hash of a list of ids, whatever their order."""
    text = "".join(f"{name}\n" for name in sorted(ids))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def shared_ids(held: dict[str, list[str]]) -> list[Finding]:
    """Ids that are in a list for training and in one for validation or test.

    Where there is a list ``train``, ``trainval`` is not one for training: it holds the validation part too.
    """
    parts: dict[str, list[str]] = {}
    for name in held:
        parts.setdefault(part_of(name) or "", []).append(name)
    train = parts.get("train", [])
    short = [name for name in train if "trainval" not in name.lower()]
    out = []
    for name in short or train:
        for other in (*parts.get("val", ()), *parts.get("test", ())):
            if _family(name) == _family(other) or not (_family(name) and _family(other)):
                out += [Finding("list_shared", each, f"{name} and {other}") for each in _both(held[name], held[other])]
    return out


def _family(name: str) -> str:
    """What two lists of one split share in their names: the folder and what follows the part."""
    folder, _, base = name.rpartition("/")
    return folder + base.partition("_")[2]


def _both(one: Collection[str], other: Collection[str]) -> list[str]:
    there = set(other)
    return [name for name in one if name in there]


def _look_at_file(parts: Parts, each: IdList) -> list[Finding]:
    assert each.path is not None
    data = read_bytes(each.path)
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    bare = [line for line in lines if line.strip()]
    forms = {
        "CRLF": b"\r\n" in data,
        "blank lines": len(bare) < len(lines),
        "a leading /": any(line.lstrip().startswith(("/", "\\")) for line in bare),
        "suffixes": any(line.strip().lower().endswith((*IMAGE_SUFFIXES, ".mat")) for line in bare),
        "backslashes": any("\\" in line for line in bare),
        "spaces around": any(line != line.strip() for line in bare),
        "parentheses": any("(" in line for line in bare),
    }
    found = ", ".join(name for name, is_there in forms.items() if is_there)
    out = [Finding("list_form", each.name, found)] if found else []
    counts = Counter(listed_id(parts, line) for line in bare)
    return out + [Finding("list_twice", name, each.name) for name, count in counts.items() if count > 1]
