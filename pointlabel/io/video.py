"""Frames of GIF files, through Pillow, and of video, through PyAV."""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image

from ..errors import InputError, MissingExtraError
from .files import read_bytes
from .limits import check_cost
from .pixels import Pixels, pillow_array

#: What blocks of a GIF file start with: a picture, what is said about one, the end.
_PICTURE, _END = 0x2C, 0x3B
_BLOCKS = (_PICTURE, 0x21)
#: A few bytes can claim any size, and Pillow makes room for it several times.
_MAX_GIF_PX = 1 << 24


class GifFrames:
    """The pictures of a GIF file as they are shown, in grey where they are grey."""

    def __init__(self, path: str) -> None:
        self._name = path
        width, height = _extent_of(read_bytes(path))
        if width * height > _MAX_GIF_PX:
            raise InputError(
                f"{path}: a GIF is read up to {_MAX_GIF_PX:,} pixels, got {width} x {height}; save it as TIFF"
            )
        self._image: Any = Image.open(path, formats=("GIF",))

    def __len__(self) -> int:
        return int(self._image.n_frames)

    def read(self, frame: int) -> Pixels:
        """One picture; going back starts at the first again."""
        width, height = self._image.size
        check_cost(self._name, width, height, width * height * 3, width * height * 4)
        self._image.seek(frame)
        return Pixels(pillow_array(self._image, "RGB"))


def _extent_of(data: bytes) -> tuple[int, int]:
    """Width and height that a GIF file grows to: its screen, and pictures that lie beyond it, which Pillow adds."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    while at < len(data) and data[at] != _END:
        if data[at] not in _BLOCKS:  # which Pillow passes over too
            at += 1
            continue
        if data[at] == _PICTURE:
            left, top, columns, rows, flags = struct.unpack_from("<4HB", data, at + 1)
            width, height = max(width, left + columns), max(height, top + rows)
            at += 11 + (3 << (flags & 7) + 1 if flags & 128 else 0)
        else:
            at += 2
        while at < len(data) and data[at]:  # pieces of up to 255 bytes
            at += 1 + data[at]
        at += 1
    return width, height


class VideoFrames:
    """The frames of a video's first picture track, in grey: 8 bits, or 16 where the video has more.

    Frames are decoded in their order, and the place in the file is kept: to read them in order costs one pass. Going
    back starts at the first again. Their number is found by one pass over the packets, without decoding.
    """

    def __init__(self, path: str) -> None:
        try:
            import av
        except ModuleNotFoundError as error:
            raise MissingExtraError("video is read with av: pip install 'pointlabel[video]'") from error
        self._name, self._open = path, av.open
        self._n: int | None = None
        self._next = 0
        self._frames: Any = None

    def __len__(self) -> int:
        if self._n is None:
            with self._open(self._name) as container:
                self._check(container)
                self._n = sum(packet.size > 0 for packet in container.demux(video=0))
        return self._n

    def read(self, frame: int) -> Pixels:
        """One frame."""
        if self._frames is None or frame < self._next:
            self._container = self._open(self._name)
            self._check(self._container)
            self._frames, self._next = self._container.decode(video=0), 0
        found: Any = None
        while self._next <= frame:
            found = next(self._frames, None)
            if found is None:
                raise InputError(f"{self._name}: the file is cut short or damaged (it ends at frame {self._next})")
            self._next += 1
        check_cost(self._name, found.width, found.height, found.width * found.height * 2, 0)
        deep = any(part.bits > 8 for part in found.format.components)
        return Pixels(found.to_ndarray(format="gray16le" if deep else "gray"))

    def _check(self, container: Any) -> None:
        if not container.streams.video:
            raise InputError(f"{self._name}: it holds no video")
