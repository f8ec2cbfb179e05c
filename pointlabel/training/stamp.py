"""What ``run.json`` says of a run, checked key by key: the file may be damaged, or changed by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._values import as_number
from ..errors import InputError, shown
from ..io.json_files import read_json
from .config import TrainConfig, config_from_dict
from .run import RUN
from .scaling import Scaling


@dataclass(frozen=True, slots=True)
class RunStamp:
    """A run as its ``run.json`` tells.

    Attributes
    ----------
    config : of the run.
    datasets : folders of the data sets.
    names : of the data sets, in the same order.
    split : by name of the data set, ids by "train", "val" and "test".
    scaling : from grey levels to inputs.
    """

    config: TrainConfig
    datasets: tuple[str, ...]
    names: tuple[str, ...]
    split: Mapping[str, Mapping[str, tuple[str, ...]]]
    scaling: Scaling


def read_stamp(folder: str) -> RunStamp:
    """Read the ``run.json`` of a run.

    Raises
    ------
    InputError
        Where there is none, a key is missing, or a value is of another type; the sentence names the file.
    """
    path = os.path.join(folder, RUN)
    if not os.path.isfile(path):
        raise InputError(f"{folder}: no run of pointlabel train (there is no {RUN})")
    held = read_json(path)
    try:
        for key in ("config", "datasets", "names", "split", "scaling"):
            if key not in held:
                raise InputError(f"there is no {key}")
        names = _words(held["names"], "names")
        datasets = _words(held["datasets"], "datasets")
        if len(datasets) != len(names):
            raise InputError(f"datasets must be as many as names, {len(names)}, got {len(datasets)}")
        split = {name: _parts(_table(held["split"], "split").get(name), f"split.{name}") for name in names}
        return RunStamp(config_from_dict(held["config"]), datasets, names, split, _scaling(held["scaling"]))
    except InputError as error:
        raise InputError(f"{path}: {error}; the file is damaged, or of another version of pointlabel") from None


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a table, got {shown(value)}")
    return value


def _words(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and "\0" not in each for each in value):
        raise InputError(f"{name} must be a list of words, got {shown(value)}")
    return tuple(value)


def _parts(value: Any, name: str) -> dict[str, tuple[str, ...]]:
    table = _table(value, name)
    return {part: _words(table.get(part), f"{name}.{part}") for part in ("train", "val", "test")}


def _scaling(value: Any) -> Scaling:
    table = _table(value, "scaling")
    numbers = [table.get(name, "nothing") for name in ("mean", "deviation")]
    if numbers == [None, None]:
        return Scaling(None, None)
    mean, deviation = (
        as_number(each, f"scaling.{name}") for name, each in zip(("mean", "deviation"), numbers, strict=True)
    )
    if deviation <= 0:
        raise InputError(f"scaling.deviation must be positive, got {deviation:g}")
    return Scaling(mean, deviation)
