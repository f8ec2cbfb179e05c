"""The manifest of a run: one line of JSON for each image, appended as the images are done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from ..errors import OutputError
from .files import make_folder, write_whole

MANIFEST_NAME = "manifest.jsonl"


def encode_record(record: dict[str, Any]) -> bytes:
    """One line of the manifest, with its line end."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode_record(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None where the line is torn or no record."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) and "status" in record else None


def read_manifest(path: str) -> Iterator[dict[str, Any]]:
    """Yield the records of the manifest at `path`, the last one of each image, in the order of those lines.

    Lines that cannot be read are left out: whoever resumes a run does those images again.
    """
    last: dict[str, int] = {}
    for number, record in _records(path):
        last[record["id"]] = number
    for number, record in _records(path):
        if last[record["id"]] == number:
            yield record


def _records(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, "rb") as file:
        for number, line in enumerate(file):
            record = decode_record(line)
            if record is not None:
                yield number, record


def tidy_manifest(path: str) -> None:
    """Rewrite the manifest with one line for each image where it has more, or lines that cannot be read."""
    seen: set[str] = set()
    clean = True
    with open(path, "rb") as file:
        for line in file:
            record = decode_record(line)
            if record is None or record["id"] in seen:
                clean = False
                break
            seen.add(record["id"])
    if not clean:
        write_whole(path, b"".join(encode_record(record) for record in read_manifest(path)))


class ManifestWriter:
    """Append records to a manifest; a record is on the disk's file, whole, when `append` returns."""

    def __init__(self, path: str) -> None:
        make_folder(os.path.dirname(path) or ".")
        self._path = path
        try:
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror or error})") from error

    def append(self, line: bytes) -> None:
        """Append one encoded record; where the disk is full, what was written of it is taken back."""
        size = os.fstat(self._file.fileno()).st_size
        try:
            view = memoryview(line)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._file.truncate(size)
            raise OutputError(f"cannot write {self._path} ({error.strerror or error})") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
