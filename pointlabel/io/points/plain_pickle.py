"""NumPy's .npy files with pickled plain values: numbers, texts, lists, tables and arrays of them, and nothing else.

A pickle may call anything that it names. Here it can name only what NumPy's arrays and numbers are pickled with, and
gets stand-ins for these, which build an array out of checked parts; no function of NumPy is called with what it says.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, ClassVar

import numpy as np

_KINDS = set("biufU")
#: Values of an array that a pickle may build; a few hundred targets have fewer.
_MOST_VALUES = 1 << 24
#: Parts of the value in all, and how deep they may lie in each other.
_MOST_PARTS, _DEEPEST = 1 << 20, 20


def load_plain(data: bytes) -> Any:
    """What a .npy file of an object array holds: the array, whose values are plain.

    Raises
    ------
    ValueError
        Where it is no such file, or holds anything else.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read_header:
            raise ValueError(f"version {version} of .npy is not read")
        _, _, dtype = read_header[version](file)
    except Exception as error:  # the header is a piece of Python, and fails in as many ways
        raise ValueError(f"not a .npy file that can be read ({' '.join(str(error).split())[:100]})") from error
    if dtype.kind != "O":
        raise ValueError(f"it must hold objects, got {dtype}")
    try:
        held = _Unpickler(file).load()
    except ValueError:
        raise
    except Exception as error:  # pickle raises whatever the bytes make it stumble on
        raise ValueError(f"its pickle cannot be read ({type(error).__name__})") from error
    return _Plain().of(held)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler and not the compiled one, which makes room for as much as a damaged file may ask for."""

    #: Without the one opcode that makes room before it reads.
    dispatch: ClassVar = {
        code: load for code, load in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module: str, name: str) -> Any:
        home = module.removeprefix("numpy").lstrip(".")
        if module.split(".")[0] == "numpy" and home in ("", "core.multiarray", "_core.multiarray"):
            stand_in = {"_reconstruct": _Array, "ndarray": "ndarray", "dtype": _Type, "scalar": _Scalar}.get(name)
            if stand_in is not None:
                return stand_in
        raise ValueError(f"its pickle names {module}.{name}, which is no plain value"[:200])

    def persistent_load(self, pid: Any) -> Any:
        raise ValueError("its pickle names something outside of the file")


class _Type:
    """Stands for a dtype: kind, size and byte order."""

    code, order = "", "<"

    def __init__(self, *words: Any) -> None:
        code = words[0] if words else None
        if not isinstance(code, str) or len(code) > 12:
            raise ValueError("a dtype must have a name")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("a dtype has no plain state")
        if state[3] is not None or state[4] is not None:
            raise ValueError("a dtype with fields is no plain value")
        self.order = state[1]

    def dtype(self) -> np.dtype[Any] | None:
        """The dtype; None for objects."""
        if self.code in ("O", "O8", "O4"):
            return None
        if self.code[:1] not in _KINDS or not self.code[1:].isdecimal() or int(self.code[1:]) > 4096:
            raise ValueError(f"arrays of {self.code!r} are no plain values")
        return np.dtype(self.code).newbyteorder(">" if self.order == ">" else "<")


class _Array:
    """Stands for an array until its state is set."""

    array: np.ndarray | None = None

    def __init__(self, *words: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Type):
            raise ValueError("an array has no plain state")
        _, shape, kind, is_fortran, values = state
        if not (isinstance(shape, tuple) and len(shape) <= 8 and all(type(n) is int and n >= 0 for n in shape)):
            raise ValueError("an array has no plain shape")
        count, dtype = math.prod(shape), kind.dtype()
        if count > _MOST_VALUES:
            raise ValueError(f"an array of {count} values is too large")
        if dtype is None:
            if not isinstance(values, list) or len(values) != count:
                raise ValueError("an array of objects must have a list of them")
            flat = np.empty(count, object)
            for k, value in enumerate(values):
                flat[k] = value
        else:
            if not isinstance(values, bytes) or len(values) != count * dtype.itemsize:
                raise ValueError("an array must have the bytes of its values")
            flat = np.frombuffer(values, dtype) if count else np.zeros(0, dtype)
        self.array = flat.reshape(shape, order="F" if is_fortran else "C")


class _Scalar:
    """Stands for what makes a number of its bytes."""

    def __new__(cls, kind: Any = None, data: Any = None) -> Any:
        dtype = kind.dtype() if isinstance(kind, _Type) else None
        if dtype is None or not isinstance(data, bytes) or len(data) != dtype.itemsize or not data:
            raise ValueError("a number has no plain state")
        return np.frombuffer(data, dtype)[0].item()

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a number has no plain state")


class _Plain:
    """Replaces the stand-ins in a value by what they stand for; parts that are met many times count each time."""

    def __init__(self) -> None:
        self._left = _MOST_PARTS

    def of(self, value: Any, depth: int = 0) -> Any:
        """The plain value."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise ValueError("its values are nested too deep, or too many")
        if isinstance(value, _Array):
            if value.array is None:
                raise ValueError("an array has no state")
            if value.array.dtype.kind != "O":
                return value.array
            out = np.empty(value.array.shape, object)
            for place in np.ndindex(value.array.shape):
                out[place] = self.of(value.array[place], depth + 1)
            return out
        if type(value) is dict:
            if not all(isinstance(key, str | int) for key in value):
                raise ValueError("keys of its tables must be texts or numbers")
            return {key: self.of(each, depth + 1) for key, each in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.of(each, depth + 1) for each in value)
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        raise ValueError(f"{type(value).__name__.lstrip('_')} is no plain value")
