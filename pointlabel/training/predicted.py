"""The folder of a prediction: what an earlier one left there, and what may be done with it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

from .. import __version__
from ..errors import InputError, OutputError
from ..io.detections import COLUMNS, TABLE, encode_detections
from ..io.exchange.ledger import ExportFolder, open_export
from ..io.exchange.table import FORMATS
from ..io.files import read_bytes, remove_file, remove_temporaries, write_whole
from ..io.manifest import MANIFEST_NAME
from ..io.outdir import PREDICTION_NAME, OutputGate, name_error
from ..io.shards import refuse_shards
from ..io.text import decode_json
from ..io.writers import EXPORTS, INSTANCES, MASKS, NPZ, SOFT

#: Folders with a file per image that a prediction may have.
KINDS = (MASKS, SOFT, INSTANCES, NPZ)


class PredictionFolder:
    """A folder that is ready for a prediction, held by this run.

    ``predict.json`` says which images and files the prediction is of, and has the hash of the table when that is
    written: without it the prediction did not end, and the next one goes over it.

    Parameters
    ----------
    place : the folder.
    ids : images to predict.
    kinds : folders to write, out of `KINDS`.
    overwrite : whether a prediction that ended may be replaced.
    exports : formats of other tools to write, out of `pointlabel.io.writers.EXPORTS`.

    Raises
    ------
    InputError
        Where the folder holds a run of annotate, a prediction that ended and is not to be replaced, or a file that
        this program did not write, or that somebody changed since, and this run would replace.
    OutputError
        Where it cannot be written.
    """

    def __init__(
        self, place: str, ids: Iterable[str], kinds: tuple[str, ...], overwrite: bool, exports: tuple[str, ...] = ()
    ) -> None:
        self.gate = OutputGate(place)
        self._table, self._record = self.gate.file(TABLE), self.gate.file(PREDICTION_NAME)
        images = sorted(ids)
        self._about = prediction_record(__version__, kinds, images, exports)
        refuse_shards(place)
        manifest = self.gate.file(MANIFEST_NAME)
        if os.path.isfile(manifest) and os.path.getsize(manifest) > 0:
            raise InputError(f"{place} holds a run of annotate; choose another folder")
        earlier = self._read_record()
        is_done = os.path.exists(self._table) and (earlier is None or earlier["table_sha256"] is not None)
        if is_done and not overwrite:
            raise InputError(f"{place} holds predictions already; `overwrite` replaces them")
        refuse_foreign_table(self._table, None if earlier is None else earlier["table_sha256"])
        places = dict.fromkeys((kind, name, None) for kind in kinds for name in images)
        if earlier is not None:
            places |= dict.fromkeys((kind, name, None) for kind in earlier["kinds"] for name in earlier["images"])
        self.gate.refuse_foreign(places)
        old = () if earlier is None else tuple(name for name in EXPORTS if name in earlier["exports"])
        for name in dict.fromkeys((*exports, *old)):
            self.export(name).refuse_foreign(FORMATS[name].paths(images) if name in exports else ())
        remove_temporaries(place, [os.path.join(place, kind) for kind in (*KINDS, *exports, *old)])
        # The table first: it must not stand beside masks of another prediction.
        remove_file(self._table)
        if os.path.lexists(self._table):
            raise OutputError(f"cannot remove {self._table}")
        both = {"kinds": sorted({kind for kind, _, _ in places}), "images": sorted({name for _, name, _ in places})}
        both["exports"] = list(dict.fromkeys((*exports, *old)))
        _write_record(self.gate, {**self._about, **both})
        for kind, name, _ in places:
            self.gate.remove(kind, name)
        for name in old:
            self.export(name).remove()
        _write_record(self.gate, self._about)

    def write(self, kind: str, name: str, data: bytes) -> None:
        """Write the file of one image."""
        write_whole(self.gate.path(kind, name), data)

    def export(self, name: str) -> ExportFolder:
        """The folder of a format of another tool."""
        return open_export(self.gate, name)

    def end(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write the table; the prediction has ended then."""
        write_prediction(self.gate, self._about, rows)

    def _read_record(self) -> dict[str, Any] | None:
        """What an earlier prediction says of itself; None where there is none, or it is damaged."""
        if not os.path.exists(self._record):
            return None
        try:
            about = decode_json(read_bytes(self._record))
        except ValueError:
            return None
        if not isinstance(about, dict) or not isinstance(about.get("table_sha256"), str | None):
            return None
        kinds, images = about.get("kinds"), about.get("images")
        if not isinstance(kinds, list) or not isinstance(images, list):
            return None
        about["table_sha256"] = about.get("table_sha256")
        about["kinds"] = [kind for kind in KINDS if kind in kinds]
        about["exports"] = about["exports"] if isinstance(about.get("exports"), list) else []
        about["images"] = [name for name in images if isinstance(name, str) and not name_error(name)]
        return about


def prediction_record(
    version: str, kinds: Iterable[str], images: Iterable[str], exports: Iterable[str]
) -> dict[str, Any]:
    """What ``predict.json`` says while the prediction goes on; arguments as for `PredictionFolder`."""
    lists = {"kinds": list(kinds), "images": list(images), "exports": list(exports)}
    return {"version": version, **lists, "table_sha256": None}


def write_prediction(gate: OutputGate, about: dict[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    """Write the table and, with its hash, ``predict.json``; the prediction has ended then.

    Parameters
    ----------
    gate : of the output folder.
    about : of `prediction_record`.
    rows : with the keys `COLUMNS`, in the order of the images.
    """
    data = encode_detections(rows)
    write_whole(gate.file(TABLE), data)
    _write_record(gate, {**about, "table_sha256": hashlib.sha256(data).hexdigest()})


def refuse_foreign_table(table: str, known: str | None) -> None:
    """Raise `InputError` where a table of detections is not this program's, or not of the hash that is known."""
    if not os.path.exists(table) or not os.path.getsize(table):
        return
    data = read_bytes(table)
    if known is not None and hashlib.sha256(data).hexdigest() != known:
        what = "changed since this program wrote it"
    elif data.splitlines()[0].decode("utf-8", "replace") != ",".join(COLUMNS):
        what = "not written by this program"
    else:
        return
    raise InputError(f"{table}: {what}, and would be replaced; move it away, or choose another folder")


def _write_record(gate: OutputGate, about: dict[str, Any]) -> None:
    write_whole(gate.file(PREDICTION_NAME), (json.dumps(about, indent=1) + "\n").encode())
