"""The folder of a run: what lies in it, and whether it can be gone on with."""

from __future__ import annotations

import os
from typing import Any

from .._values import as_choice, as_number
from ..errors import InputError, OutputError, shown
from ..io.files import make_folder, read_bytes, remove_file, remove_temporaries, write_whole
from ..io.json_files import read_json, write_json
from ..io.json_lines import append_to, encode_line
from ..io.outdir import REPLACEABLE
from ..io.seal import state_of
from ..io.text import decode_json
from .config import TrainConfig, differing_setting

MODES = ("new", "resume", "overwrite")
RUN, METRICS, RESULTS = "run.json", "metrics.jsonl", "results.json"
LAST, BEST = "last.safetensors", "best.safetensors"
#: Sub-folder that holds the labels a run started from, and those of its pictures and curves.
LABELS, PICTURES, CURVES = "labels", "pictures", "tensorboard"
EVENTS = "events.out.tfevents."  # how TensorBoard names its files
#: Weights of the training images, left by strategies that learn them.
WEIGHTS = "weights.csv"
#: All that a run writes: what ``overwrite`` removes, and nothing else.
WRITTEN = (RUN, METRICS, RESULTS, LAST, "last.json", BEST, "best.json", LABELS, PICTURES, CURVES, WEIGHTS)


def open_run(folder: str, mode: str, stamp: dict[str, Any], config: TrainConfig) -> bool:
    """Make ready the folder of a run; whether there is a checkpoint to go on from.

    Parameters
    ----------
    folder : of the run.
    mode : "new", "resume" or "overwrite", for a folder that holds a run.
    stamp : what ``run.json`` will hold; a run is resumed only with the same config, data sets and split.

    Raises
    ------
    InputError
        Where the folder holds a run and `mode` is "new", or another run and it is "resume".
    """
    as_choice(mode, "mode", MODES)
    place = os.path.join(folder, RUN)
    if os.path.exists(place):
        if mode == "new":
            raise InputError(
                f"{folder} holds a run already; `mode=resume` goes on with it, `mode=overwrite` replaces it"
            )
        if mode == "overwrite":
            remove_run(folder)
        else:
            check_same_run(folder, stamp, config)
    else:
        ours = [name for name in WRITTEN if os.path.exists(os.path.join(folder, name))]
        if ours:
            raise InputError(
                f"{os.path.join(folder, ours[0])} is in the way and no run wrote it; choose another folder"
            )
    make_folder(folder)
    remove_temporaries(folder, [os.path.join(folder, LABELS), os.path.join(folder, PICTURES)])
    if mode == "resume" and os.path.exists(os.path.join(folder, LAST)):
        return True
    write_json(place, stamp)
    return False


def check_same_run(folder: str, stamp: dict[str, Any], config: TrainConfig) -> None:
    """Raise where the run in `folder` is another one than `stamp`."""
    found = read_json(os.path.join(folder, RUN))
    hint = "use the same settings, another folder, or `mode=overwrite`"
    if not isinstance(found.get("config"), dict):
        raise InputError(f"{os.path.join(folder, RUN)}: config must be a table, got {shown(found.get('config'))}")
    differs = differing_setting(found["config"], config)
    if differs is not None:
        name, theirs, ours = differs
        found_value = theirs if isinstance(theirs, str | int | float) else shown(theirs)
        raise InputError(f"{folder} holds a run with {name} {found_value}, this one has {name} {ours}; {hint}")
    if found.get("split_sha256") != stamp["split_sha256"]:
        raise InputError(f"{folder} holds a run on other images, or on another split of them; {hint}")


def remove_run(folder: str) -> None:
    """Remove what a run wrote to its folder, and nothing else.

    Of the folders of pictures only files that bear the seal of this program go, and then folders that are empty.
    """
    for name in WRITTEN:
        path = os.path.join(folder, name)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                _remove_own_files(path)
            elif os.path.lexists(path):
                os.unlink(path)
        except OSError as error:
            raise OutputError(f"cannot remove {path} ({error.strerror or error})") from error


def _remove_own_files(folder: str) -> None:
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = os.path.join(parent, name)
            if name.startswith(EVENTS) or state_of(path) in REPLACEABLE:
                remove_file(path)
        if not os.listdir(parent):
            os.rmdir(parent)


def keep_metrics(folder: str, epoch: int) -> None:
    """Drop the lines of ``metrics.jsonl`` after `epoch`, and what a killed run left of a line."""
    path = os.path.join(folder, METRICS)
    kept = [line for line in read_metrics(folder) if line["epoch"] <= epoch]
    write_whole(path, b"".join(encode_line(line) for line in kept))


def read_metrics(folder: str) -> list[dict[str, Any]]:
    """The whole lines of ``metrics.jsonl``, one for each epoch; damaged ones are left out."""
    path = os.path.join(folder, METRICS)
    if not os.path.exists(path):
        return []
    lines = read_bytes(path, may_be_empty=True).splitlines(keepends=True)
    found = (_metrics_of(line) for line in lines if line.endswith(b"\n"))
    return [record for record in found if record is not None]


def _metrics_of(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None where the line is damaged."""
    try:
        record = decode_json(line)
        as_number(record["epoch"], "epoch", 1, whole=True)
        for name in ("loss", "val_iou", "test_iou"):
            if name in record:
                as_number(record[name], name)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return record


def append_metrics(folder: str, record: dict[str, Any]) -> None:
    """Append the line of an epoch, whole or not at all."""
    append_to(os.path.join(folder, METRICS), record)
