"""Samples of the first page of a TIFF file: strips and tiles through tifffile and imagecodecs, within limits."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .limits import MAX_PIECES, check_claim, check_cost, check_scans

# Compressions that are read: their names, and how many raw bytes one byte gives at most, None where there is no
# bound. What keeps its own width and height in the stream, which must not exceed those of the strip, is in _SIZES.
_COMPRESSIONS: dict[int, tuple[str, float | None]] = {
    1: ("none", 1),
    2: ("CCITT RLE", None),
    3: ("CCITT fax 3", None),
    4: ("CCITT fax 4", None),
    5: ("LZW", 2600),
    6: ("old JPEG", None),
    7: ("JPEG", None),
    8: ("Deflate", 1032),
    32773: ("PackBits", 64),
    32946: ("Deflate", 1032),
    33003: ("JPEG 2000", None),
    33005: ("JPEG 2000", None),
    34712: ("JPEG 2000", None),
    34887: ("LERC", None),
    34925: ("LZMA", None),
    34926: ("ZSTD", None),
    34927: ("WebP", None),
    34933: ("PNG", None),
    50000: ("ZSTD", None),
    50001: ("WebP", None),
}
_JPEGS = (6, 7)
# A directory that lists more values than this is damaged: even 100,000 tiles need two for each.
_MAX_VALUES = 1_000_000
# Tags that hold one whole number each, and types that tifffile makes such of: it multiplies whatever they hold.
_SIZE_TAGS = {256, 257, 259, 262, 266, 277, 278, 284, 317, 322, 323, 32997, 32998}
_WHOLE_TYPES = (3, 4, 16)
_TYPE_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


class FileSlices:
    """The bytes of an open file as slices, each read when it is asked for; it stands in for `bytes` in `read_samples`.

    Parameters
    ----------
    file : open for reading, unbuffered or not; its position is moved.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """The bytes of a slice without a step."""
        start, stop, _ = part.indices(self._size)
        self._file.seek(start)
        return self._file.read(max(stop - start, 0))


#: What `read_samples` slices.
Bytes = bytes | FileSlices


def directories(data: Bytes) -> Iterator[int]:
    """Places of the directories of a TIFF file, one for each page, in their order.

    Raises
    ------
    struct.error
        Where the chain leads out of the file.
    """
    order, head, count, counter, size = _header(data)
    (place,) = _unpack(order + count, data, head)
    seen = set()
    while place and place not in seen:
        seen.add(place)
        yield place
        (n_tags,) = _unpack(counter, data, place)
        (place,) = _unpack(order + count, data, place + struct.calcsize(counter) + n_tags * size)


def _header(data: Bytes) -> tuple[str, int, str, str, int]:
    """Byte order, place of the first directory's place, its type, that of the number of tags, bytes for each tag."""
    order = "<" if data[:2] == b"II" else ">"
    (version,) = _unpack(order + "H", data, 2)
    return (order, 4, "I", order + "H", 12) if version == 42 else (order, 8, "Q", order + "Q", 20)


def _unpack(form: str, data: Bytes, place: int) -> tuple[Any, ...]:
    return struct.unpack(form, data[place : place + struct.calcsize(form)])


def check_directory(data: Bytes, name: str, place: int | None = None) -> None:
    """Raise where a directory lists more numbers than an image needs, or sizes that are none; None is the first."""
    order, head, count, counter, size = _header(data)
    entry = "HHI" if size == 12 else "HHQ"
    if place is None:
        (place,) = _unpack(order + count, data, head)
    (n_tags,) = _unpack(counter, data, place)
    first = place + struct.calcsize(counter)
    tags = data[first : first + min(n_tags, 4096) * size]
    total = 0
    for k in range(min(n_tags, 4096)):
        tag, kind, number = struct.unpack_from(order + entry, tags, k * size)
        if tag in _SIZE_TAGS and (kind not in _WHOLE_TYPES or number != 1):
            raise InputError(f"{name}: the file is cut short or damaged (its tag {tag} holds no whole number)")
        total += number if kind in _TYPE_BYTES and number * _TYPE_BYTES[kind] <= len(data) else 0
    if total > _MAX_VALUES:
        raise InputError(f"{name}: the file is cut short or damaged (its first directory lists {total:,} numbers)")


def compression_name(code: int) -> str:
    """Name of a compression of TIFF, with its number."""
    from tifffile import COMPRESSION

    known = _COMPRESSIONS.get(code)
    names = {int(each): each.name for each in COMPRESSION}
    return f"{known[0] if known else names.get(code, 'unknown')} ({code})"


def read_samples(data: Bytes, page: Any, name: str, *, nodata: float | None, extra_bytes: int) -> NDArray:
    """Decode all samples of a page.

    Parameters
    ----------
    data : the file's bytes.
    page : the page of tifffile.
    name : the file's name, for messages.
    nodata : value of tiles that the file leaves out, 0 where None.
    extra_bytes : bytes per pixel that are needed beside the samples later on.

    Returns
    -------
    (P, H, W, S) array in native byte order: P planes of S samples per pixel; P or S is 1.
    """
    _check_kind(page, name)
    planes, depth, height, width, samples = page.shaped
    if depth != 1:
        raise InputError(f"{name}: the page must hold one image, got axes {page.axes} of shape {page.shape}")
    swapped = page.dtype.itemsize > 1 and page.parent.byteorder != ("<" if np.little_endian else ">")
    n_bytes = prod(page.shaped) * page.dtype.itemsize
    if page.is_contiguous:
        check_cost(name, width, height, n_bytes, len(data) + height * width * extra_bytes)
        array = page.asarray(squeeze=False)[:, 0]
        return array.byteswap(inplace=True).view(array.dtype.newbyteorder("=")) if not array.dtype.isnative else array
    pieces = prod(page.chunked)
    if pieces > MAX_PIECES:
        raise InputError(f"{name}: {pieces:,} strips or tiles are more than the limit of {MAX_PIECES:,}")
    tile = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    tile_bytes = tile[0] * tile[1] * samples * page.dtype.itemsize * (2 if swapped else 1)
    packed = max(page.databytecounts, default=0)
    check_cost(name, width, height, n_bytes, len(data) + packed + tile_bytes + height * width * extra_bytes)
    check_cost(name, tile[1], tile[0], tile_bytes, 0)
    _check_pieces(data, page, pieces, name)
    whole = None if pieces == 1 and not page.is_tiled else np.empty((planes, height, width, samples), page.dtype)
    tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression in _JPEGS else {}
    for k in range(pieces):
        start, size = page.dataoffsets[k], page.databytecounts[k]
        packed_piece = data[start : start + size] if start and size else None
        if packed_piece is not None:
            _check_stream(int(page.compression), packed_piece, tile, name)
        piece, (plane, _, row, column, _), shape = page.decode(packed_piece, k, **tables)
        if whole is None and piece is not None:
            return piece.astype(page.dtype, copy=False).reshape(planes, height, width, samples)
        if whole is None:
            whole = np.empty((planes, height, width, samples), page.dtype)
        part = whole[plane, row : row + shape[1], column : column + shape[2]]
        part[...] = (nodata or 0) if piece is None else piece[0, : part.shape[0], : part.shape[1]]
    assert whole is not None
    return whole


def read_behind(data: Bytes, page: Any, name: str, frame: int, *, extra_bytes: int) -> NDArray:
    """Samples of a frame that lies behind the first one in the same page, as `read_samples`.

    Raises
    ------
    InputError
        Where the page is compressed or the file ends before the frame does.
    """
    _check_kind(page, name)
    planes, depth, height, width, samples = page.shaped
    if not page.is_contiguous or depth != 1 or int(page.compression) != 1:
        raise InputError(f"{name}: frames behind each other in one page are read without compression only")
    n_bytes = prod(page.shaped) * page.dtype.itemsize
    check_cost(name, width, height, n_bytes, height * width * extra_bytes)
    start = page.dataoffsets[0] + frame * n_bytes
    found = data[start : start + n_bytes]
    if len(found) < n_bytes:
        raise InputError(f"{name}: the file is cut short or damaged (frame {frame} lies beyond its end)")
    kind = page.dtype.newbyteorder("<" if page.parent.byteorder == "<" else ">")
    array = np.frombuffer(found, kind).reshape(planes, height, width, samples)
    return array.astype(page.dtype.newbyteorder("="))


def missing_pieces(page: Any) -> int:
    """Strips or tiles that the file leaves out on purpose."""
    if page.is_contiguous:
        return 0
    return sum(not start or not size for start, size in zip(page.dataoffsets, page.databytecounts, strict=False))


def _check_kind(page: Any, name: str) -> None:
    if page.compression not in _COMPRESSIONS:
        raise InputError(
            f"{name}: TIFF compression {compression_name(int(page.compression))} is not read; save it with LZW, "
            "Deflate, ZSTD or none"
        )
    if page.dtype is None:
        kinds = {1: "unsigned", 2: "signed", 3: "floating point", 5: "complex", 6: "complex"}
        kind = kinds.get(page.sampleformat, f"format {page.sampleformat}")
        raise InputError(f"{name}: TIFF samples of {page.bitspersample} bits ({kind}) are not read")
    if page.dtype.kind not in "uifb":
        raise InputError(f"{name}: pixels must be real numbers, got {page.dtype}")
    if 0 in page.shaped:
        raise InputError(f"{name}: the image has no pixels")
    if page.is_subsampled and page.compression not in _JPEGS:
        raise InputError(f"{name}: subsampled colour in TIFF is read with JPEG compression only")


def _check_pieces(data: Bytes, page: Any, pieces: int, name: str) -> None:
    """Raise where strips are missing, lie outside the file, or are too small for what the page claims to hold."""
    starts, sizes = page.dataoffsets, page.databytecounts
    if len(starts) != pieces or len(sizes) != pieces:
        raise InputError(
            f"{name}: the file is cut short or damaged ({min(len(starts), len(sizes))} of {pieces} strips or tiles)"
        )
    there = [(start, size) for start, size in zip(starts, sizes, strict=True) if start and size]
    if any(start + size > len(data) for start, size in there):
        raise InputError(f"{name}: the file is cut short or damaged (strips or tiles lie beyond its end)")
    ratio = _COMPRESSIONS[int(page.compression)][1]
    if ratio is not None:
        _, _, height, width, _ = page.shaped
        raw = prod(page.shaped) * page.bitspersample // 8 * len(there) // pieces
        check_claim(name, width, height, raw, sum(size for _, size in there), ratio)


def _check_stream(compression: int, piece: bytes, tile: tuple[int, int], name: str) -> None:
    """Raise where a stream with a size of its own claims to hold more than its strip or tile, or ends early."""
    if compression in _JPEGS:
        check_scans(name, piece)
    if compression == 7 and b"\xff\xd9" not in piece[-64:]:
        raise InputError(f"{name}: the file is cut short or damaged (a JPEG strip or tile has no end)")
    measure = _SIZES.get(compression)
    if measure is None:
        return
    rows, columns = measure(piece)
    if rows * columns > 4 * tile[0] * tile[1] + 65536:
        raise InputError(
            f"{name}: the file is cut short or damaged (a strip or tile of {tile[1]} x {tile[0]} pixels claims to hold "
            f"{columns} x {rows})"
        )


def _jpeg_size(piece: bytes) -> tuple[int, int]:
    largest = (0, 0)
    place = piece.find(b"\xff\xd8") + 2
    while 2 <= place <= len(piece) - 9:
        if piece[place] != 0xFF:
            place = piece.find(b"\xff", place)
            continue
        kind = piece[place + 1]
        if kind in (0xFF, 0x00, 0x01) or 0xD0 <= kind <= 0xD9:
            place += 1 if kind == 0xFF else 2
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack_from(">HH", piece, place + 5)
            largest = max(largest, (size[0], size[1]), key=prod)
        if kind == 0xDA:
            break
        place += 2 + struct.unpack_from(">H", piece, place + 2)[0]
    return largest


def _jpeg2000_size(piece: bytes) -> tuple[int, int]:
    place = piece.find(b"\xff\x4f\xff\x51")
    if place < 0:
        return 0, 0
    columns, rows = struct.unpack_from(">II", piece, place + 8)
    return rows, columns


def _lerc_size(piece: bytes) -> tuple[int, int]:
    if piece[:6] != b"Lerc2 ":
        return 0, 0
    (version,) = struct.unpack_from("<i", piece, 6)
    rows, columns = struct.unpack_from("<ii", piece, 14 if version >= 3 else 10)
    return abs(rows), abs(columns)


def _webp_size(piece: bytes) -> tuple[int, int]:
    kind = piece[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(piece[27:30], "little"), 1 + int.from_bytes(piece[24:27], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(piece[21:25], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    return int.from_bytes(piece[28:30], "little") & 0x3FFF, int.from_bytes(piece[26:28], "little") & 0x3FFF


def _png_size(piece: bytes) -> tuple[int, int]:
    columns, rows = struct.unpack_from(">II", piece, 16)
    return rows, columns


_SIZES = {
    6: _jpeg_size,
    7: _jpeg_size,
    33003: _jpeg2000_size,
    33005: _jpeg2000_size,
    34712: _jpeg2000_size,
    34887: _lerc_size,
    34927: _webp_size,
    34933: _png_size,
    50001: _webp_size,
}
