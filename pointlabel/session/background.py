"""What a session does while nobody asks for anything: write files, and label images that nobody has opened yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import InputError, PointLabelError
from ..folder.job import RunContext
from ..io.json_lines import encode_line
from ..io.manifest import MANIFEST_NAME, ManifestWriter
from ..io.outdir import REPLACEABLE
from .images import Images, Item
from .opened import Snapshot, Worst
from .output import CLICKS_NAME, OutputFiles, write_clicks, write_manifest

#: Seconds after an action before files are written, and before images that nobody has opened are labelled.
WRITE_AFTER_S, IDLE_S = 0.4, 0.8
#: How often it is looked whether there is something to write: to be woken would cost an action more than that.
_LOOK_EVERY_S = 0.1


class Background:
    """A thread that writes the files of a session, some time after each action.

    Parameters
    ----------
    images : of the session.
    output : where files go, and what was there.

    Attributes
    ----------
    fault : why files could not be written the last time, in one sentence; None where they could.
    """

    def __init__(self, images: Images, output: OutputFiles) -> None:
        self._images, self._output = images, output
        self.fault: str | None = None
        self._records: dict[int, dict[str, Any]] = {}
        for item in images.items:
            if item.file.id in output.records:
                self._records[item.index] = output.records[item.file.id]
        self._dirty: dict[int, float] = {}  # index -> when it may be written
        self._pending: deque[int] = deque()  # images with points that nobody has labelled yet
        self._clicks_at: float | None = None  # when the table of clicks may be written
        self._ended = threading.Event()
        self._writer = ManifestWriter(output.gate.file(MANIFEST_NAME))
        self._thread = threading.Thread(target=self._run, name="pointlabel-session", daemon=True)

    @property
    def n_pending(self) -> int:
        """Images with points that wait to be labelled for the first time."""
        return len(self._pending)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def write_soon(self, item: Item, after: float = WRITE_AFTER_S) -> None:
        """Write the files of an image some seconds from now."""
        with self._images.lock:
            self._dirty[item.index] = self._clicks_at = time.monotonic() + after

    def write_clicks_soon(self) -> None:
        """Write the table of clicks."""
        with self._images.lock:
            self._clicks_at = time.monotonic()

    def label_some_time(self, item: Item) -> None:
        """Label an image once nobody asks for anything."""
        self._pending.append(item.index)

    def flush(self) -> None:
        """Write all that was done and not written yet."""
        while True:
            with self._images.lock:
                index = next(iter(self._dirty), None)
            if index is None:
                break
            self._write(index)
        self._write_clicks()

    def close(self) -> None:
        """Write what is left, and a manifest with a line per image in the order of their ids."""
        self._ended.set()
        self._thread.join()
        try:
            self.flush()
        finally:
            self._writer.close()
        records = sorted(self._records.values(), key=lambda record: record["id"])
        write_manifest(self._output.gate.file(MANIFEST_NAME), records)

    def _run(self) -> None:
        self._images.settings.labeller.label(np.zeros((9, 9)), [(4, 4)])  # loads the kernels before the first click
        while not self._ended.is_set():
            now = time.monotonic()
            with self._images.lock:
                due = next((index for index, at in self._dirty.items() if at <= now), None)
                clicks_due = self._clicks_at is not None and self._clicks_at <= now and not self._dirty
            try:
                if due is not None:
                    self._write(due)
                    self.fault = None
                elif clicks_due:
                    self._write_clicks()
                    self.fault = None
                elif self._pending and self._images.last_asked + IDLE_S <= now:
                    self._label_pending()
                else:
                    self._ended.wait(_LOOK_EVERY_S)
            except Exception as error:  # said on the page; what was done is in the journal
                is_ours = isinstance(error, PointLabelError)
                self.fault = str(error) if is_ours else f"{type(error).__name__}: {error}"
                self._ended.wait(1.0)

    def _label_pending(self) -> None:
        index = self._pending.popleft()
        images, asked = self._images, self._images.last_asked
        if index in self._records:
            return
        was_open = images.is_open(index)
        with suppress(PointLabelError):  # the list says why
            images.open(index)
            self._write(index)
            with images.lock:
                self._clicks_at = time.monotonic()
            if not was_open:
                images.close(index)
        images.last_asked = asked

    def _write(self, index: int) -> None:
        """Write the files of an image, and its line of the manifest."""
        images, item = self._images, self._images.items[index]
        try:
            opened = images.open(index)
            self._refuse_changed(item)
        except InputError as error:
            with images.lock:
                item.error = str(error)
                images.mark(item)
                self._dirty.pop(index, None)
            return
        with images.lock:
            settings = images.settings
            snapshot, context = Snapshot.of(opened), RunContext(settings, self._output.gate, settings.stamp())
            self._dirty.pop(index, None)
        try:
            record = snapshot.write(context)
        except BaseException:
            with images.lock:
                self._dirty.setdefault(index, time.monotonic() + 1)
            raise
        with images.lock:
            self._records[index] = record
            item.worst = Worst.of(snapshot.labels)
            images.mark(item)
            self._writer.append(encode_line(record))

    def _refuse_changed(self, item: Item) -> None:
        """Refuse to replace a file that somebody changed."""
        hashes = self._records.get(item.index, {}).get("outputs_sha256", {})
        for kind in self._images.settings.image_outputs:
            if self._output.gate.state(kind, item.file.id, hashes.get(kind)) not in REPLACEABLE:
                path = self._output.gate.path(kind, item.file.id)
                raise InputError(f"{path}: not as this program wrote it; it is kept, and its image too")

    def _write_clicks(self) -> None:
        with self._images.lock:
            if self._clicks_at is None:
                return
            self._clicks_at = None
            rows = [(item.file.shown, item.history.state) for item in self._images.items if item.history is not None]
        write_clicks(self._output.gate.file(CLICKS_NAME), rows)
