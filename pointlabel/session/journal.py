"""What was done in a session: a line of JSON for each action, appended before the action is answered.

A line is in the file when `append` returns, so a killed process loses nothing; it is on the disk a second later, so a
loss of power loses a second.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from ..errors import InputError, OutputError
from ..io.files import check_size
from ..io.json_lines import append_line, decode_line, encode_line

JOURNAL_NAME = "journal.jsonl"
SYNC_EVERY_S = 1.0
_VERSION = 1


class Journal:
    """The journal at `path`, which is made where it is missing.

    Attributes
    ----------
    entries : what it held when it was opened, without its first line.
    is_new : whether there was none.
    was_torn : whether its last line was cut short by a kill or a loss of power; the line is taken off.

    Raises
    ------
    InputError
        Where the file is no journal, or another line than the last is damaged.
    OutputError
        Where it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        self.was_torn = False
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror or error})") from error
        try:
            self.is_new = not self._read()
            if self.is_new:
                self._write({"journal": _VERSION})
        except BaseException:
            self._file.close()
            raise
        self._is_synced = True
        self._closed = threading.Event()
        self._syncer = threading.Thread(target=self._sync, name="pointlabel-journal", daemon=True)
        self._syncer.start()

    def append(self, entry: dict[str, Any]) -> None:
        """Add one entry.

        Raises
        ------
        OutputError
            Where it could not be written; the journal is as it was.
        """
        self._write(entry)
        self._is_synced = False  # seen within a second: to wake a thread costs more than the action

    def close(self) -> None:
        """Force what is left to the disk, and close the file."""
        if not self._file.closed:
            self._closed.set()
            self._syncer.join()
            os.fsync(self._file.fileno())
            self._file.close()

    def _read(self) -> bool:
        """Read the entries and take a torn last line off; whether there was a whole first line."""
        check_size(self._file, self.path)
        lines = self._file.read().splitlines(keepends=True)
        end = 0
        for number, line in enumerate(lines, start=1):
            entry = decode_line(line)
            if entry is None:
                if number < len(lines):
                    raise InputError(f"{self.path}, line {number}: no line of a journal; mend it, or move it away")
                self.was_torn = number > 1 or b'{"journal":'.startswith(line[:11])
                if not self.was_torn:
                    raise InputError(f"{self.path}: no journal of pointlabel serve; move it away")
                os.ftruncate(self._file.fileno(), end)
                break
            if number == 1 and entry.get("journal") != _VERSION:
                raise InputError(f"{self.path}: no journal of this version of pointlabel; move it away")
            self.entries.append(entry)
            end += len(line)
        self.entries = self.entries[1:]
        return end > 0

    def _write(self, entry: dict[str, Any]) -> None:
        append_line(self._file, encode_line(entry), self.path)

    def _sync(self) -> None:
        while not self._closed.wait(SYNC_EVERY_S):
            if not self._is_synced:
                self._is_synced = True
                os.fsync(self._file.fileno())
