"""A trained detector out of the folder of its run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from .._values import as_choice, as_number, as_path
from ..detectors import Detector
from ..detectors.weights import load_weights
from ..errors import InputError
from ..io.json_files import read_json
from .config import TrainConfig
from .initialise import build_detector, load_last
from .run import BEST, LAST
from .scaling import Scaling
from .stamp import read_stamp


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
