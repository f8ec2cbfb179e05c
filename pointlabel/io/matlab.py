"""Numeric arrays of MATLAB's files of version 5 (``save -v6`` and ``-v7``), by "MAT-File Format" of MathWorks.

A reader of its own, since that of SciPy ends the process on some damaged files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_MATRIX, _PACKED = 14, 15
#: Kinds of numbers that values are stored as.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: Bytes of a number by the class of its array, double to uint64; the others are cells, structs, texts and sparse.
_BYTES = {6: 8, 7: 4, 8: 1, 9: 1, 10: 2, 11: 2, 12: 4, 13: 4, 14: 8, 15: 8}
_COMPLEX = 0x0800
_HEAD_BYTES = 1 << 12  # more than flags, sizes and name of an array take


class Variable(NamedTuple):
    """An array of a file: its name, its shape, the most bytes of its values, and where they are."""

    name: str
    shape: tuple[int, ...]
    n_bytes: int
    body: memoryview
    is_packed: bool
    order: str


def is_version_5(data: bytes) -> bool:
    """Whether the first bytes of a file are those of the version."""
    return data[126:128] in (b"IM", b"MI") and data[124:126] in (b"\0\1", b"\1\0")


def list_arrays(data: bytes) -> Iterator[Variable]:
    """The numeric arrays of a file; only their heads are read.

    Raises
    ------
    ValueError, struct.error, zlib.error
        Where it is damaged.
    """
    order = "<" if data[126:128] == b"IM" else ">"
    view, at = memoryview(data), 128
    while at + 8 <= len(data):
        kind, body, _ = _element(view, at, order)
        at += 8 + len(body)
        if kind == _PACKED:
            head = memoryview(zlib.decompressobj().decompress(body, _HEAD_BYTES))
            kind = struct.unpack_from(f"{order}I", head)[0]
            variable = _head(head[8:], body, True, order) if kind == _MATRIX else None
        else:
            variable = _head(body, body, False, order) if kind == _MATRIX else None
        if variable is not None:
            yield variable


def read_array(variable: Variable) -> NDArray:
    """The values of an array in the type that they are stored in.

    Raises
    ------
    InputError
        Where they are complex.
    ValueError, struct.error, zlib.error
        Where it is damaged.
    """
    n, body = prod(variable.shape), variable.body
    if variable.is_packed:
        body = memoryview(zlib.decompressobj().decompress(body, _HEAD_BYTES + variable.n_bytes))[8:]
    _, flags, at = _element(body, 0, variable.order)
    if struct.unpack_from(f"{variable.order}I", flags)[0] & _COMPLEX:
        raise InputError(f"{variable.name}: pixels must be real numbers, got complex ones")
    for _ in ("sizes", "name"):
        _, _, at = _element(body, at, variable.order)
    kind, values, _ = _element(body, at, variable.order)
    if kind not in _STORED:
        raise ValueError(f"numbers of an unknown kind {kind}")
    stored = np.dtype(f"{variable.order}{_STORED[kind]}")
    if len(values) != n * stored.itemsize:
        raise ValueError(f"{len(values)} bytes for {n} values of {stored.itemsize}")
    return np.frombuffer(values, stored).reshape(variable.shape, order="F").astype(stored.newbyteorder("="))


def _head(head: memoryview, body: memoryview, is_packed: bool, order: str) -> Variable | None:
    """Flags, sizes and name of a matrix; None where it holds no numbers."""
    _, flags, at = _element(head, 0, order)
    itemsize = _BYTES.get(struct.unpack_from(f"{order}I", flags)[0] & 0xFF)
    if itemsize is None:
        return None
    _, sizes, at = _element(head, at, order)
    _, name, _ = _element(head, at, order)
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of the sizes {shape}")
    return Variable(bytes(name).decode("utf-8", "replace"), shape, prod(shape) * itemsize, body, is_packed, order)


def _element(data: memoryview, at: int, order: str) -> tuple[int, memoryview, int]:
    """Kind and content of the element at a place, and where the next one starts."""
    (kind,) = struct.unpack_from(f"{order}I", data, at)
    if kind >> 16:  # up to four bytes in the place of their number
        size, start, after = kind >> 16, at + 4, at + 8
        kind &= 0xFFFF
    else:
        (size,) = struct.unpack_from(f"{order}I", data, at + 4)
        start, after = at + 8, at + 8 + size + -size % 8
    if start + size > len(data):
        raise ValueError("an element is cut short")
    return kind, data[start : start + size], after
