"""The manifest of a run: one line of JSON for each image, appended as the images are done."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from ..errors import OutputError
from .files import make_folder, write_whole
from .json_lines import append_line, decode_line, encode_line
from .outdir import PREDICTION_NAME, name_error

MANIFEST_NAME = "manifest.jsonl"
#: The list of what an export wrote, in its folder.
LEDGER_NAME = "pointlabel-files.jsonl"
#: Keys of the hashes of what an image was made from.
HASH_KEYS = ("image_sha256", "points_sha256", "true_mask_sha256")
# What the values of a record must be where it has them.
_TYPES: dict[str, Any] = {
    "outputs": [],
    "outputs_sha256": {},
    "warnings": [],
    "targets": [],
    "method": "",
    "params": {},
    "polarity": "",
    "seed": 0,
    "version": "",
    "image": "",
}
_LONGEST_LINE = 1 << 26


def holds_run(folder: str) -> bool:
    """Whether ``annotate``, ``predict`` or ``serve`` wrote their masks to a folder."""
    if not os.path.isdir(os.path.join(folder, "masks")):
        return False
    if os.path.isfile(os.path.join(folder, PREDICTION_NAME)):
        return True
    try:
        return starts_like_ours(os.path.join(folder, MANIFEST_NAME))
    except OSError:
        return False


def starts_like_ours(manifest: str) -> bool:
    """Whether a manifest begins as one of this program does, or with what a full disk left of it."""
    with open(manifest, "rb") as file:
        start = file.read(6)
    return b'{"id":'.startswith(start) or not start.strip(b"\0")


def decode_record(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None where the line is torn, damaged or no record, whatever its shape."""
    record = decode_line(line)
    return record if record is not None and _is_record(record) else None


def _is_record(record: dict[str, Any]) -> bool:
    hashes = record.get("outputs_sha256", {})
    return (
        record.get("status") in ("ok", "error")
        and isinstance(record.get("id"), str)
        and not (record["status"] == "ok" and name_error(record["id"]))  # no run names files so
        and all(isinstance(record.get(key, empty), type(empty)) for key, empty in _TYPES.items())
        and isinstance(record.get("tightness", 0), int | float)
        and all(isinstance(value, str) for value in (*record.get("outputs", ()), *record.get("warnings", ())))
        and all(isinstance(record.get(key), str | None) for key in HASH_KEYS)
        and all(isinstance(value, str) for value in hashes.values())
        and all(map(_is_target, record.get("targets", ())))
    )


def _is_target(target: object) -> bool:
    if not isinstance(target, dict) or not isinstance(target.get("flags"), list):
        return False
    presence = target.get("presence")  # runs of older versions have none
    rates = [target.get("quality", 0), 0 if presence is None else presence]
    are_numbers = all(isinstance(rate, int | float) and math.isfinite(rate) for rate in rates)
    return are_numbers and all(isinstance(flag, str) for flag in target["flags"])


def read_manifest(path: str) -> Iterator[dict[str, Any]]:
    """Yield the records of the manifest at `path`, the last one of each image, in the order of those lines.

    Lines that cannot be read are left out: a resumed run does those images again.
    """
    last: dict[str, int] = {}
    for number, record in _records(path):
        last[record["id"]] = number
    for number, record in _records(path):
        if last[record["id"]] == number:
            yield record


def sorted_records(path: str) -> Iterator[dict[str, Any]]:
    """As `read_manifest`, in the order of the ids; memory holds the place of each line, and one record."""
    places: dict[str, int] = {}
    at = 0
    for line in _lines(path):
        record = decode_record(line)
        if record is not None:
            places[record["id"]] = at
        at += len(line)
    with open(path, "rb") as file:
        for name in sorted(places):
            file.seek(places[name])
            record = decode_record(file.readline(_LONGEST_LINE))
            if record is not None:
                yield record


def _records(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path)):
        record = decode_record(line)
        if record is not None:
            yield number, record


def count_damaged(path: str) -> tuple[int, int]:
    """Lines of the manifest that can be read, and those that are torn or damaged."""
    good = bad = 0
    for line in _lines(path):
        if decode_record(line) is None:
            bad += 1
        else:
            good += 1
    return good, bad


def _lines(path: str) -> Iterator[bytes]:
    """Lines with their ends; one that is longer than any record comes in pieces, of which none is a record."""
    with open(path, "rb") as file:
        while line := file.readline(_LONGEST_LINE):
            yield line


def cut_torn_end(path: str) -> None:
    """Cut the manifest after its last whole line, so that the next line starts a line of its own."""
    end = 0
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                end += len(line)
    os.truncate(path, end)


def tidy_manifest(path: str) -> None:
    """Rewrite the manifest with one line for each image where it has more, or lines that cannot be read."""
    seen: set[str] = set()
    clean = True
    for line in _lines(path):
        record = decode_record(line)
        if record is None or record["id"] in seen:
            clean = False
            break
        seen.add(record["id"])
    if not clean:
        write_whole(path, b"".join(encode_line(record) for record in read_manifest(path)))


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class ManifestWriter:
    """Append records to a manifest; a record is on the disk's file, whole, when `append` returns."""

    def __init__(self, path: str) -> None:
        make_folder(os.path.dirname(path) or ".")
        self._path = path
        try:
            self._file = open(path, "ab", buffering=0, opener=_open_no_link)  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror or error})") from error

    def append(self, line: bytes) -> None:
        """Append one encoded record; where the disk is full, what was written of it is taken back."""
        append_line(self._file, line, self._path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
