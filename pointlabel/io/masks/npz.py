"""A soft label and its points as an archive of numpy arrays, sealed as ours; no object arrays, so no pickle is needed.

``prob`` is float16 (H, W), ``points`` float64 (N, 2), ``order`` "xy" and ``origin`` "center" say how to read them, and
``pointlabel``, the first, says what wrote the file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..limits import MAX_PIXEL_BYTES
from ..seal import NPZ_TAG, SOFTWARE, seal_npz


def encode_npz(soft: NDArray[np.float32], points: Sequence[tuple[float, float]]) -> bytes:
    """Encode a soft label.

    Parameters
    ----------
    soft : (H, W) in [0, 1].
    points : (row, column) of each target.
    """
    arrays = {
        NPZ_TAG: np.asarray(SOFTWARE),
        "prob": soft.astype(np.float16),
        "points": np.asarray(points, np.float64).reshape(-1, 2)[:, ::-1],
        "order": np.asarray("xy"),
        "origin": np.asarray("center"),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED, 1)
    return seal_npz(buffer.getvalue())


def decode_npz(data: bytes, name: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The soft label, (H, W) in [0, 1], and the points, (N, 2) as (row, column), of such a file.

    Raises
    ------
    InputError
        Where it is none, or its arrays are not as the format has them.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        if sum(sizes.values()) > MAX_PIXEL_BYTES:
            raise InputError(f"{name}: its arrays take more bytes than the limit of {MAX_PIXEL_BYTES / 1e6:,.0f} MB")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            soft, points = arrays["prob"], arrays["points"] if "points" in arrays else np.zeros((0, 2))
            order = str(arrays["order"]) if "order" in arrays else "xy"
        if not isinstance(soft, np.ndarray) or not isinstance(points, np.ndarray):  # the bytes of something else
            raise ValueError("a member is no array")
    except InputError:
        raise
    except Exception as error:  # damaged archives raise anything at all
        words = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{name}: no archive with an array prob ({words})") from error
    if soft.ndim != 2 or not soft.size or soft.dtype.kind not in "fub" or not ((soft >= 0) & (soft <= 1)).all():
        raise InputError(f"{name}: prob must be (height, width) in [0, 1], got {soft.dtype} of shape {soft.shape}")
    if points.ndim != 2 or points.shape[1] != 2 or points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise InputError(f"{name}: points must be (N, 2) numbers, got {points.dtype} of shape {points.shape}")
    points = points.astype(np.float64)
    return soft.astype(np.float32), points[:, ::-1] if order == "xy" else points
