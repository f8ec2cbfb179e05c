"""The packed runs of Label Studio's brush, which are those of thi.ng/rle-pack over red, green, blue and alpha.

A stream of bits: the number of values in 32, the bits of a value less one in 5, four sizes less one in 4 each; then
runs, each a bit that says whether one value is repeated, two bits that choose a size, the length less one in that
size, and the value, or as many values as the length. Values go row by row, four for each pixel, all equal in a mask.
Specification: the documentation of thi.ng/rle-pack; not to be mixed up with the run lengths of COCO.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from . import rle

_SIZES = (3, 4, 8, 16)
_CHANNELS, _WORD = 4, 8
_DIGITS = bytes(48 + (value & 1) for value in range(256))


def pack(mask: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, int]) -> list[int]:
    """Pack a mask, 255 in all channels of its pixels, as Label Studio's own encoder does.

    Parameters
    ----------
    mask : (h, w) bool, a window of the image.
    origin : (row, column) of its first pixel.
    shape : (H, W) of the image.
    """
    counts = rle.count_rows(mask, origin, shape)
    bits = [f"{sum(counts) * _CHANNELS:032b}{_WORD - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for number, count in enumerate(counts):
        value, left = 255 * (number % 2), count * _CHANNELS
        while left:
            length = min(left, 1 << _SIZES[-1])
            which = next(place for place, size in enumerate(_SIZES) if length <= 1 << size)
            bits.append(f"1{which:02b}{length - 1:0{_SIZES[which]}b}{value:08b}")
            left -= length
    text = "".join(bits)
    text += "0" * (8 - len(text) % 8)  # a byte of zeros even where the last one is full, as that encoder has it
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def unpack(packed: list[int], shape: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """The mask of packed runs, (H, W) bool: the pixels whose alpha is above 127.

    Raises
    ------
    InputError
        Where they are no such runs, or do not fill an image of `shape`.
    """
    n = shape[0] * shape[1] * _CHANNELS
    if not all(isinstance(each, int) and 0 <= each < 256 for each in packed):
        raise InputError(f"{where}: rle must be a list of bytes")
    bits = np.unpackbits(np.asarray(packed, np.uint8)).tobytes().translate(_DIGITS).decode("ascii")
    out = np.zeros(n, np.uint8)
    try:
        if int(bits[:32], 2) != n or int(bits[32:37], 2) != _WORD - 1:
            raise InputError(f"{where}: rle does not hold {shape[1]} x {shape[0]} pixels in colour with alpha")
        sizes = [int(bits[at : at + 4], 2) + 1 for at in range(37, 53, 4)]
        at, place = 53, 0
        while place < n:
            size = sizes[int(bits[at + 1 : at + 3], 2)]
            length = int(bits[at + 3 : at + 3 + size], 2) + 1
            start, end = at + 3 + size, place + length
            at = start + _WORD * (1 if bits[at] == "1" else length)
            if end > n or at > len(bits):
                raise InputError(f"{where}: rle is cut short or damaged")
            if at - start == _WORD:
                out[place:end] = int(bits[start:at], 2)
            else:
                values = np.frombuffer(bits[start:at].encode("ascii"), np.uint8) - ord("0")
                out[place:end] = np.packbits(values)
            place = end
    except InputError:
        raise
    except (ValueError, IndexError):
        raise InputError(f"{where}: rle is cut short or damaged") from None
    return out[_CHANNELS - 1 :: _CHANNELS].reshape(shape) > 127
