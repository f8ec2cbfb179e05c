"""The folder of a run: what lies in it, whether it can be gone on with, and how it is read back."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._values import as_choice, as_number, as_path
from ..errors import InputError, OutputError, shown
from ..io.files import make_folder, read_bytes, remove_temporaries, write_whole
from ..io.text import decode_json
from .config import TrainConfig, differing_setting
from .labels import FOLDER as LABELS

if TYPE_CHECKING:
    from ..detectors import Detector
    from .data import Scaling

MODES = ("new", "resume", "overwrite")
RUN, METRICS, RESULTS = "run.json", "metrics.jsonl", "results.json"
LAST, BEST = "last.safetensors", "best.safetensors"
PICTURES, CURVES = "pictures", "tensorboard"
#: Weights of the training images, left by strategies that learn them.
WEIGHTS = "weights.csv"
#: All that a run writes: what ``overwrite`` removes, and nothing else.
WRITTEN = (RUN, METRICS, RESULTS, LAST, "last.json", BEST, "best.json", LABELS, PICTURES, CURVES, WEIGHTS)


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A trained detector with what it needs to be used.

    Attributes
    ----------
    folder : of the run.
    net : in evaluation mode, on the CPU.
    config, scaling : of the run.
    about : what ``best.json`` or ``last.json`` holds: epoch and scores.
    """

    folder: str
    net: Detector
    config: TrainConfig
    scaling: Scaling
    about: dict[str, Any]


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
    """Remove what a run wrote to its folder, and nothing else."""
    for name in WRITTEN:
        path = os.path.join(folder, name)
        try:
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
        except OSError as error:
            raise OutputError(f"cannot remove {path} ({error.strerror or error})") from error


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
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
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


def encode_line(record: dict[str, Any]) -> bytes:
    """One line of ``metrics.jsonl``."""
    return json.dumps(record, allow_nan=False).encode() + b"\n"


def append_metrics(folder: str, record: dict[str, Any]) -> None:
    """Append the line of an epoch."""
    path = os.path.join(folder, METRICS)
    try:
        with open(path, "ab", buffering=0) as file:
            file.write(encode_line(record))
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error})") from error


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write an object as indented JSON."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: str) -> dict[str, Any]:
    """Read an object written by `write_json`."""
    try:
        value = decode_json(read_bytes(path))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected an object, got {type(value).__name__}")
    return value


def load_run(folder: str | os.PathLike[str], checkpoint: str = "best") -> LoadedRun:
    """Read a trained detector.

    Parameters
    ----------
    folder : of a run.
    checkpoint : "best" or "last".

    Raises
    ------
    InputError
        Where the folder holds no run, or no checkpoint yet.
    """
    from ..detectors.weights import load_weights
    from .initialise import build_detector, load_last
    from .stamp import read_stamp

    root = as_path(folder, "folder")
    as_choice(checkpoint, "checkpoint", ("best", "last"))
    stamp = read_stamp(root)
    path = os.path.join(root, BEST if checkpoint == "best" else LAST)
    if not os.path.exists(path):
        raise InputError(f"{root}: the run has no checkpoint {checkpoint} yet")
    about = read_json(os.path.join(root, f"{checkpoint}.json"))
    named = f"{os.path.join(root, checkpoint)}.json: epoch"
    as_number(about.get("epoch"), named, 0, whole=True)
    if checkpoint == "best":
        net = load_weights(path)
    else:
        net = build_detector(stamp.config)
        load_last(net, stamp.config, path)
    return LoadedRun(root, net, stamp.config, stamp.scaling, about)
