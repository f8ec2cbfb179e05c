"""Points of MCLC and D2D: a folder ``image_info`` of .npy files, one an image, each a pickled table.

``centroid_label_y`` and ``centroid_label_x`` are rows and columns from 0, as the authors' code indexes the image with
them. An image without targets has the number 0 in place of each list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError, shown
from .base import PointRow
from .folder import FileFolder, Parsed
from .given import Given, head_of
from .plain_pickle import load_plain
from .values import at

_MAGIC = b"\x93NUMPY"
#: Keys of the rows and the columns, and of the box around them.
_POINT = ("centroid_label_y", "centroid_label_x")
_BOX = ("Ymin_f", "Ymax_f", "Xmin_f", "Xmax_f")
#: What `target_type` says of an image without targets.
_NO_TARGET = "non_target"


def is_mclc(given: Given) -> bool:
    """Whether some file is NumPy's."""
    return any(head_of(path).startswith(_MAGIC) for path in given.some(".npy"))


def read_mclc(given: Given, origin: str = "center", allow_pickle: bool = False) -> FileFolder:
    """List the .npy files of a folder, or one; each is read when its image is.

    Raises
    ------
    InputError
        Where there is no such file, or `allow_pickle` is not set.
    """
    files = given.with_suffix(".npy")
    if not files:
        raise InputError(f"{given.path}: there is no .npy file of MCLC")
    if not allow_pickle:
        raise InputError(f"{given.path}: the .npy files of MCLC hold pickled tables; `allow_pickle` reads plain values")
    return FileFolder(given.path, files, parse_mclc)


def parse_mclc(path: str, data: bytes) -> Parsed:
    """Read the table of one image."""
    with at(path, ""):
        held = load_plain(data)
        table = held.item() if isinstance(held, np.ndarray) and held.shape == () else held
        if not isinstance(table, dict):
            raise ValueError(f"it must hold a table, got {shown(table)}")
        if table.get("target_type") == _NO_TARGET:
            return Parsed(())
        if all(name in table for name in _POINT):
            rows, columns = (_numbers(table, name) for name in _POINT)
        elif all(name in table for name in _BOX):
            top, bottom, left, right = (_numbers(table, name) for name in _BOX)
            if not len(top) == len(bottom) == len(left) == len(right):
                raise ValueError(f"{', '.join(_BOX)} must have one length")
            rows, columns = (np.add(top, bottom) / 2).tolist(), (np.add(left, right) / 2).tolist()
        else:
            raise ValueError(f"it must hold {' and '.join(_POINT)}, got {shown(sorted(map(str, table)))}")
        if len(rows) != len(columns):
            raise ValueError(f"{' and '.join(_POINT)} must have one length, got {len(rows)} and {len(columns)}")
    points = zip(rows, columns, strict=True)
    return Parsed(tuple(PointRow(row, column, f"target {k}") for k, (row, column) in enumerate(points, start=1)))


def _numbers(table: dict[Any, Any], name: str) -> list[float]:
    """Numbers of a list; the number 0 alone is none."""
    value = table[name]
    if isinstance(value, int | float | np.number) and not isinstance(value, bool) and value == 0:
        return []
    try:
        out = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        out = np.zeros((0, 0))
    if out.ndim != 1:
        raise ValueError(f"{name} must be a list of numbers, got {shown(value)}")
    return out.tolist()
