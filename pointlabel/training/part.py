"""A shard of a prediction: its lines, and what may be done with what an earlier run left of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .._values import as_choice
from ..folder.output import MODES, recorded_places
from ..io.detections import COLUMNS
from ..io.exchange import rle
from ..io.files import remove_file, remove_temporaries, write_whole
from ..io.images import ImageFile
from ..io.json_lines import encode_line
from ..io.manifest import ManifestWriter, cut_torn_end, read_manifest, tidy_manifest
from ..io.outdir import REPLACEABLE, OutputGate
from ..io.records import target_record
from ..io.shards import ShardPlan, refuse_other_shards
from ..io.writers import EXPORTS, RLE, WRITERS
from ..types import ImageLabels


class PredictionPart:
    """A shard of a prediction in a folder that other shards write to, held by this run.

    Each image has a line with its rows of the table and the hashes of its files, so that the shard can be resumed, and
    `pointlabel.shards` can make the prediction of all shards.

    Parameters
    ----------
    place : the folder.
    plan : what the shard does.
    mode : "new" refuses a shard that is there, "resume" goes on with it, "overwrite" does it anew.

    Raises
    ------
    InputError
        Where the folder holds a run of annotate, a prediction without shards, shards that do not go with this one, or a
        file that this program did not write, or that somebody changed since, and this run would replace.
    OutputError
        Where it cannot be written.
    """

    def __init__(self, place: str, plan: ShardPlan, mode: str) -> None:
        as_choice(mode, "mode", MODES)
        self.gate, self._plan = OutputGate(place), plan
        self._outputs = plan.settings["outputs"]
        self._kinds = [kind for kind in self._outputs if kind in WRITERS]
        self._has_rle = any(name in EXPORTS for name in self._outputs)
        refuse_other_shards(self.gate, plan, mode)
        self._path = self.gate.file(plan.shard.manifest)
        records = list(read_manifest(self._path)) if os.path.exists(self._path) else []
        done = {record["id"]: record for record in records if mode == "resume" and self._is_whole(record)}
        self._earlier: dict[str, dict[str, Any]] = {name: done[name] for name in plan.ids if name in done}
        places = [(kind, name, None) for kind in self._kinds for name in plan.ids if name not in self._earlier]
        old = [each for record in records if mode == "overwrite" for each in recorded_places(record)]
        self.gate.refuse_foreign(dict.fromkeys([*places, *old]))
        remove_temporaries(place, [os.path.join(place, kind) for kind in self._kinds], of_all=False)
        plan.write(self.gate, has_finished=False)
        for kind, name, known in old:
            self.gate.remove(kind, name, known)
        if mode != "resume":
            remove_file(self._path)
        elif os.path.exists(self._path):
            cut_torn_end(self._path)
        self._writer = ManifestWriter(self._path)
        self._n_rows = {name: len(record["rows"]) for name, record in self._earlier.items()}

    @property
    def n_images(self) -> int:
        """Images that are done, those of earlier runs included."""
        return len(self._n_rows)

    @property
    def n_detections(self) -> int:
        """Their detections."""
        return sum(self._n_rows.values())

    def is_done(self, file: ImageFile, sha256: str) -> bool:
        """Whether an earlier run did an image with these pixels."""
        return file.id in self._earlier and self._earlier[file.id].get("image_sha256") == sha256

    def add(
        self,
        file: ImageFile,
        sha256: str,
        labels: ImageLabels,
        rows: Sequence[Mapping[str, Any]],
        encoded: Mapping[str, bytes],
    ) -> None:
        """Write the files of one image, and its line.

        Parameters
        ----------
        file : the image.
        sha256 : of its pixels.
        labels : its detections.
        rows : of the table.
        encoded : the bytes of its files by kind.
        """
        for kind, data in encoded.items():
            write_whole(self.gate.path(kind, file.id), data)
        record: dict[str, Any] = {"id": file.id, "status": "ok", "outputs": self._outputs, "image": file.shown}
        record["outputs_sha256"] = {kind: hashlib.sha256(data).hexdigest() for kind, data in encoded.items()}
        record |= {"image_sha256": sha256, "height": labels.shape[0], "width": labels.shape[1], "rows": list(rows)}
        if self._has_rle:
            record["targets"] = [
                {**target_record(target), RLE: rle.encode(target.mask, target.origin, labels.shape)}
                for target in labels.targets
            ]
        self._writer.append(encode_line(record))
        self._n_rows[file.id] = len(rows)

    def fail(self, file: ImageFile, sentence: str) -> None:
        """Write the line of an image that cannot be read."""
        self._writer.append(encode_line({"id": file.id, "status": "error", "error": sentence, "image": file.shown}))

    def close(self) -> None:
        """Close the file of lines."""
        self._writer.close()

    def end(self) -> None:
        """Say that the shard has finished."""
        self.close()
        tidy_manifest(self._path)
        self._plan.write(self.gate, has_finished=True)

    def _is_whole(self, record: dict[str, Any]) -> bool:
        """Whether a line is one of a prediction, and its files are there as they were written, or changed by hand."""
        if record["status"] != "ok" or not are_rows(record.get("rows")) or record.get("outputs") != self._outputs:
            return False
        states = [self.gate.state(*place) for place in recorded_places(record)]
        return all(state == "ours" or state not in REPLACEABLE for state in states)


def are_rows(rows: object) -> bool:
    """Whether this can be rows of the table of detections."""
    return isinstance(rows, list) and all(isinstance(row, dict) and set(row) == set(COLUMNS) for row in rows)
