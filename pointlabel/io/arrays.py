"""Arrays in files as frames: ``.npy``, ``.npz`` and MATLAB's ``.mat``."""

from __future__ import annotations

import math
import zipfile

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import read_bytes
from .limits import check_cost
from .matlab import is_version_5, list_arrays, read_array
from .pixels import Pixels

#: Channels that the last axis of a colour image may have.
_COLOURS = (3, 4)


class ArrayFrames:
    """The frames of one array: (N, H, W) or (N, H, W, C), in MATLAB (H, W, N) or (H, W, C, N).

    (H, W) and (H, W, C) are one image; C is 3 or 4, and for one image of MATLAB 3 in 8 bits. A ``.npy`` file is mapped,
    so that a frame alone is read; the other two hold their array packed, and it is read as a whole.

    Parameters
    ----------
    path : the file. It must hold one array of two axes or more.
    """

    def __init__(self, path: str) -> None:
        self._name = path
        suffix = path.lower().rpartition(".")[2]
        array = {"npy": _read_npy, "npz": _read_npz, "mat": _read_mat}[suffix](path)
        if array.dtype.kind not in "buif":
            raise InputError(f"{path}: pixels must be real numbers, got {array.dtype}")
        in_matlab = suffix == "mat"
        is_colour = array.ndim >= 3 and array.shape[-2 if in_matlab and array.ndim == 4 else -1] in _COLOURS
        if in_matlab and array.ndim == 3:  # frames lie where colours do
            is_colour = array.shape[2] == 3 and array.dtype == np.uint8
        if array.ndim == 2 or (array.ndim == 3 and is_colour):
            array = array[None]
        elif array.ndim == 3 or (array.ndim == 4 and is_colour):
            array = np.moveaxis(array, -1, 0) if in_matlab else array
        else:
            raise InputError(
                f"{path}: an array of frames has 2 to 4 axes, the last of 4 with 3 or 4 colours, got "
                f"the shape {array.shape}"
            )
        if 0 in array.shape:
            raise InputError(f"{path}: the image has no pixels")
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def read(self, frame: int) -> Pixels:
        """One frame in its own depth; false and true become 0 and 255."""
        shown = self._array[frame]
        check_cost(self._name, shown.shape[1], shown.shape[0], shown.nbytes, shown.nbytes)
        kind = np.float32 if shown.dtype == np.float16 else shown.dtype.newbyteorder("=")
        pixels = np.array(shown, kind)
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8) * np.uint8(255)
        return Pixels(pixels[..., :3] if pixels.ndim == 3 else pixels)


def _read_npy(path: str) -> NDArray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_npz(path: str) -> NDArray:
    with zipfile.ZipFile(path) as archive:
        sizes = {item.filename.removesuffix(".npy"): item.file_size for item in archive.infolist()}
    with np.load(path, allow_pickle=False) as arrays:
        shapes = {}
        for name in arrays.files:
            with arrays.zip.open(f"{name}.npy" if f"{name}.npy" in arrays.zip.namelist() else name) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shapes[name] = read(file)[0]
        chosen = _only_array(path, shapes)
        check_cost(path, shapes[chosen][-1], shapes[chosen][-2], 0, sizes[chosen])
        return arrays[chosen]


def _read_mat(path: str) -> NDArray:
    data = read_bytes(path)
    if not is_version_5(data):
        return _read_old_mat(path)
    found = {variable.name: variable for variable in list_arrays(data)}
    shapes = {name: variable.shape for name, variable in found.items()}
    chosen = _only_array(path, shapes)
    check_cost(path, shapes[chosen][1], shapes[chosen][0], 0, len(data) + found[chosen].n_bytes)
    return read_array(found[chosen])


def _read_old_mat(path: str) -> NDArray:
    """An array of version 4, whose values are not packed."""
    from scipy.io import loadmat, whosmat

    try:
        shapes = {name: shape for name, shape, kind in whosmat(path) if kind not in ("cell", "struct", "char")}
        chosen = _only_array(path, shapes)
        check_cost(path, shapes[chosen][1], shapes[chosen][0], 0, 8 * math.prod(map(int, shapes[chosen])))
        return np.asarray(loadmat(path, variable_names=[chosen])[chosen])
    except NotImplementedError as error:
        raise InputError(f"{path}: a MATLAB file of version 7.3 is not read; save it with -v7") from error


def _only_array(path: str, shapes: dict[str, tuple[int, ...]]) -> str:
    """Name of the one array with two axes of more than one value."""
    found = [name for name, shape in shapes.items() if sum(size > 1 for size in shape) >= 2]
    if len(found) != 1:
        what = ", ".join(f"{name} {shapes[name]}" for name in found) or "none"
        raise InputError(f"{path}: one array of images is expected, got {what}")
    return found[0]
