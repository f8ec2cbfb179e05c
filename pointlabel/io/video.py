"""Frames of GIF files, through Pillow, and of video, through PyAV."""

from __future__ import annotations

from typing import Any

from PIL import Image

from ..errors import InputError, MissingExtraError
from .limits import check_cost
from .pixels import Pixels, pillow_array


class GifFrames:
    """The pictures of a GIF file as they are shown, in grey where they are grey."""

    def __init__(self, path: str) -> None:
        self._name = path
        self._image: Any = Image.open(path, formats=("GIF",))

    def __len__(self) -> int:
        return int(self._image.n_frames)

    def read(self, frame: int) -> Pixels:
        """One picture; going back starts at the first again."""
        width, height = self._image.size
        check_cost(self._name, width, height, width * height * 3, width * height * 4)
        self._image.seek(frame)
        return Pixels(pillow_array(self._image, "RGB"))


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
