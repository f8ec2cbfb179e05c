"""The seal of a PNG or NPZ that this program wrote, which shows whether somebody has changed the file since.

A sealed PNG carries, right after its header, a text with the hash of all its other bytes, a sealed archive of numpy
the same in its closing comment. A program that writes the file again drops the text, or keeps one that no longer fits.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from typing import Literal

SOFTWARE = "pointlabel"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = 33  # bytes of the signature and the header chunk
_TAG_WITHIN = 256  # bytes of a file in which its tag must lie
_KEYWORD = b"pointlabel-seal\0"
_DIGEST = 16  # bytes

#: What a path may hold.
#: "free": nothing, or nothing that could be lost. "ours": a whole file of this program, untouched. "stale": the same,
#: where other bytes are recorded. "damaged": a file of this program that was cut short or holds wrong bytes.
#: "changed": one that somebody else wrote again. "foreign": anything else, links and folders too.
State = Literal["free", "ours", "stale", "damaged", "changed", "foreign"]


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and its checksum."""
    check = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(content)), kind, content, struct.pack(">I", check)])


#: The chunk that says which program wrote a file.
TAG = png_chunk(b"tEXt", b"Software\0" + SOFTWARE.encode())


def seal(png: bytes) -> bytes:
    """The PNG with its seal."""
    return png[:_HEAD] + _seal_of(png) + png[_HEAD:]


#: Name of the first array of a sealed archive.
NPZ_TAG = "pointlabel"
_NPZ_START = b"PK\x03\x04"
_NPZ_NAME = f"{NPZ_TAG}.npy".encode()
_NPZ_HEAD = 30 + len(_NPZ_NAME)  # bytes of an archive in which the name of its first array ends
_COMMENT = b"pointlabel-seal "


def seal_npz(data: bytes) -> bytes:
    """The archive, which has no comment, with its seal; its first array is called `NPZ_TAG`."""
    comment = _COMMENT + hashlib.blake2b(data, digest_size=_DIGEST).hexdigest().encode()
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def state_of(path: str, recorded: str | None = None) -> State:
    """What is at `path`; `recorded` is the SHA-256 that a manifest has of the file, where it has one.

    A link is always foreign. Files of versions that wrote no seal are known by their tag, and by the recorded hash
    if there is one.
    """
    try:
        about = os.lstat(path)
    except OSError:
        return "free"
    if not stat.S_ISREG(about.st_mode):
        return "foreign"
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read()
    except OSError:
        return "foreign"
    return state_of_bytes(data, recorded)


def state_of_bytes(data: bytes, recorded: str | None = None) -> State:
    """As `state_of`, of the bytes of a file."""
    if data and data[: len(_NPZ_START)] == _NPZ_START[: len(data)]:
        return _state_of_npz(data, recorded)
    if not data.strip(b"\0") or _is_bare_start(data):
        return "free"
    mark = data[_HEAD : _HEAD + len(_seal_of(b""))]
    is_marked = mark[4 : 8 + len(_KEYWORD)] == b"tEXt" + _KEYWORD
    if not is_marked and TAG[4:-4] not in data[:_TAG_WITHIN]:
        return "foreign"
    if recorded is not None and hashlib.sha256(data).hexdigest() == recorded:
        return "ours"
    is_sealed = is_marked and mark == _seal_of(data[:_HEAD] + data[_HEAD + len(mark) :])
    if is_sealed or (not is_marked and recorded is None and _is_whole(data)):
        return "ours" if recorded is None else "stale"
    return "changed" if _is_whole(data) else "damaged"


def _state_of_npz(data: bytes, recorded: str | None) -> State:
    if data[30:_NPZ_HEAD] != _NPZ_NAME[: max(len(data) - 30, 0)]:
        return "foreign"
    if len(data) < _NPZ_HEAD:
        return "free"
    if recorded is not None and hashlib.sha256(data).hexdigest() == recorded:
        return "ours"
    size = len(_COMMENT) + 2 * _DIGEST
    if data[-size:] and seal_npz(data[: -size - 2] + b"\0\0") == data:
        return "ours" if recorded is None else "stale"
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or len(data) - end - 22 != int.from_bytes(data[end + 20 : end + 22], "little"):
        return "damaged"  # cut within the comment, which zipfile would not mind
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "damaged" if archive.testzip() else "changed"
    except Exception:  # damaged archives raise anything at all
        return "damaged"


def _seal_of(rest: bytes) -> bytes:
    """The chunk that seals a file whose other bytes are `rest`."""
    return png_chunk(b"tEXt", _KEYWORD + hashlib.blake2b(rest, digest_size=_DIGEST).hexdigest().encode())


def _is_bare_start(data: bytes) -> bool:
    """Whether a file was cut so early that it holds no tag and no pixel yet, and what is there begins like a PNG."""
    return len(data) < _TAG_WITHIN and SIGNATURE.startswith(data[: len(SIGNATURE)]) and b"IDAT" not in data


def _is_whole(data: bytes) -> bool:
    """Whether every chunk fits its checksum up to the last one, as in whatever a program for pictures has written."""
    at = len(SIGNATURE) if data.startswith(SIGNATURE) else len(data)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            return False
        kind = data[at + 4 : at + 8]
        if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return False
        if kind == b"IEND":
            return True
        at = end
    return False
