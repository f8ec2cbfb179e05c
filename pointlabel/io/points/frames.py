"""Which image of a run the number of a frame means."""

from __future__ import annotations

import re
from collections.abc import Collection

from ...errors import InputError

_LAST_NUMBER = re.compile(r"(\d{1,18})\D*$", re.ASCII)
#: Names that CVAT gives to the frames of a video.
_CVAT_NAME = re.compile(r"frame_\d{6}")


def last_number(name: str) -> int | None:
    """The last number in the last part of a name, None where there is none."""
    found = _LAST_NUMBER.search(name.rpartition("/")[2])
    return None if found is None else int(found[1])


class FrameFinder:
    """Finds images by the number of a frame, which counts from 0.

    The images of a sequence are those of its folder, or all images where it has no name. A frame is the image whose
    last number it is, where an image has the number 0 or the names are those of CVAT (``frame_000012``); else the image
    at that place in the order of the numbers, where the images are as many as the frames. Where neither holds it is not
    known which is which, and nothing is guessed.

    Parameters
    ----------
    ids : of the images.
    n_frames : of the sequence, None where it is not known.

    Attributes
    ----------
    of_files : ids that frames would have where the sequences that were asked for are files (`Bound.frames`).
    """

    def __init__(self, ids: Collection[str], n_frames: int | None) -> None:
        self._ids, self._n_frames = ids, n_frames
        self.of_files: set[str] = set()
        self._of: dict[str, dict[int, str] | str] = {}

    def id_of(self, file: str, sequence: str, frame: int) -> str | None:
        """Id of the image, None where there is none; `file` is for messages.

        Raises
        ------
        InputError
            Where it is not known which image is which frame.
        """
        name = sequence.strip("/")
        if name not in self._of:
            self._of[name] = self._numbered(name)
        numbered = self._of[name]
        if isinstance(numbered, str):
            raise InputError(f"{file}: {numbered}")
        return numbered.get(frame)

    def _numbered(self, sequence: str) -> dict[int, str] | str:
        """Images by frame, or a sentence that says why that is not known."""
        start = f"{sequence}/" if sequence else ""
        names = [each for each in self._ids if each.startswith(start) and "/" not in each[len(start) :]]
        if not names and not sequence:
            names = list(self._ids)  # all in one sub-folder
        out: dict[int, str] = {}
        for name in sorted(names):
            number = last_number(name)
            if number is None or number in out:
                return (
                    f"frames have numbers, and the image {name} has none of its own; rename the images, or take the "
                    "frames of a file by `frames`"
                )
            out[number] = name
        if not out or 0 in out or all(_CVAT_NAME.fullmatch(name.rpartition("/")[2]) for name in names):
            return out
        if self._n_frames == len(out):
            return dict(enumerate(out[number] for number in sorted(out)))
        frames = "" if self._n_frames is None else f" for {self._n_frames} frames"
        return (
            f"frames count from 0, and the numbers of the {len(out)} images{frames} from {min(out)}; rename the images "
            "so that they count from 0"
        )
