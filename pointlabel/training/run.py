"""The folder of a run: what lies in it, whether it can be gone on with, and how it is read back."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OutputError
from ..io.files import make_folder, read_bytes, remove_temporaries, write_whole
from .config import TrainConfig, config_from_dict, differing_setting
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
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    place = os.path.join(folder, RUN)
    if os.path.exists(place):
        if mode == "new":
            raise InputError(f"{folder} holds a run already; --resume goes on with it, --overwrite replaces it")
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
    hint = "use the same settings, another folder, or --overwrite"
    differs = differing_setting(found.get("config", {}), config)
    if differs is not None:
        name, theirs, ours = differs
        raise InputError(f"{folder} holds a run with {name} {theirs}, this one has {name} {ours}; {hint}")
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
    """The whole lines of ``metrics.jsonl``, one for each epoch."""
    path = os.path.join(folder, METRICS)
    if not os.path.exists(path):
        return []
    out = []
    with open(path, "rb") as file:
        for line in file:
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if isinstance(record, dict) and isinstance(record.get("epoch"), int):
                out.append(record)
    return out


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
        value = json.loads(read_bytes(path))
    except ValueError as error:
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
    from .checkpoint import read_checkpoint
    from .data import Scaling
    from .start import build_detector, warms_up

    root = os.fspath(folder)
    if checkpoint not in ("best", "last"):
        raise InputError(f"checkpoint must be best or last, got {checkpoint!r}")
    if not os.path.isfile(os.path.join(root, RUN)):
        raise InputError(f"{root}: no run of pointlabel train (there is no {RUN})")
    path = os.path.join(root, BEST if checkpoint == "best" else LAST)
    if not os.path.exists(path):
        raise InputError(f"{root}: the run has no checkpoint {checkpoint} yet")
    stamp = read_json(os.path.join(root, RUN))
    config = config_from_dict(stamp["config"])
    if checkpoint == "best":
        net = load_weights(path)
    else:
        net = build_detector(config)
        state = read_checkpoint(path)["trainer"]
        net.load_state_dict(state["net"])
        net.warming_up = warms_up(config, state["epoch"])
        net.eval()
    about = read_json(os.path.join(root, f"{checkpoint}.json"))
    return LoadedRun(root, net, config, Scaling(**stamp["scaling"]), about)
