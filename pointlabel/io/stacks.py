"""Files of many frames, read a frame at a time: TIFF, arrays, GIF, video."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Protocol

from ..errors import InputError
from .arrays import ArrayFrames
from .files import check_regular
from .images import FRAME
from .messages import Note
from .pixels import Pixels
from .tiff import TiffFrames
from .walk import ARRAY_SUFFIXES, IMAGE_SUFFIXES, STACK_SUFFIXES

#: Open files that a process keeps, for the next frame of each.
_KEPT = 2
_TIFF_SUFFIXES = (".tif", ".tiff")
_LOCK = threading.Lock()  # the open files have one place each


class Frames(Protocol):
    """The frames of one file."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, frame: int) -> Pixels:
        """One of them, counted from 0."""


def split_frame(path: str) -> tuple[str, int | None] | None:
    """The file and the number of the frame that a path names; None for a path of a plain image.

    The number is None for a file of arrays or frames as a whole, which stands for its first frame. A file whose own
    name ends like a frame's is that file.
    """
    if path.lower().endswith(STACK_SUFFIXES):
        return path, None
    found = FRAME.fullmatch(path) if "#" in path else None
    if found is None or os.path.lexists(path) or not os.path.isfile(found["file"]):
        return None
    return found["file"], int(found["frame"])


def can_hold_frames(path: str) -> bool:
    """Whether a file may hold more than one frame, by its suffix."""
    return path.lower().endswith(STACK_SUFFIXES + _TIFF_SUFFIXES)


def count_frames(path: str) -> int:
    """How many frames a file holds."""
    with _LOCK:
        return len(_opened(path)) if can_hold_frames(path) else 1


def read_frame(path: str, frame: int | None) -> Pixels:
    """Decode one frame of a file; None is the first, with a note where there are others.

    Raises
    ------
    InputError
        Where there is no such frame.
    """
    if path.lower().endswith(IMAGE_SUFFIXES) and not can_hold_frames(path):
        raise InputError(f"{path}: a file of this kind holds one image and no frame {frame}")
    with _LOCK:
        frames = _opened(path)
        if (frame or 0) >= len(frames):
            raise InputError(f"{path}: it holds {len(frames)} frames, counted from 0, and no frame {frame}")
        pixels = frames.read(frame or 0)
    if frame is None and len(frames) > 1:
        note = Note("pages", f"{path}: it holds {len(frames)} frames; the first is used")
        return pixels._replace(notes=(note, *pixels.notes))
    return pixels


def _opened(path: str) -> Frames:
    about = check_regular(path)
    return _open(path, about.st_size, about.st_mtime_ns, os.getpid())


@lru_cache(maxsize=_KEPT)
def _open(path: str, size: int, changed: int, process: int) -> Frames:
    """Open a file; size and time of its last change say whether the one that is open is still the same.

    Each process opens its own: one that is forked would share the place in the file.
    """
    lower = path.lower()
    if lower.endswith(_TIFF_SUFFIXES):
        return TiffFrames(path)
    if lower.endswith(ARRAY_SUFFIXES):
        return ArrayFrames(path)
    from .video import GifFrames, VideoFrames

    return GifFrames(path) if lower.endswith(".gif") else VideoFrames(path)
