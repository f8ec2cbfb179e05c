"""Which frames of stacks are images of a run, and their ids: ``clip#000123`` is frame 123 of clip, counted from 0."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain

from ..errors import InputError, PointLabelError
from .decode import one_sentence
from .images import FRAME, ImageFile, ImageList, Places, list_images, make_list
from .remote import is_uri
from .stacks import can_hold_frames, count_frames

#: Most frames of one file: a packed array of some kilobytes can claim as many as it likes.
MOST_FRAMES = 1_000_000


def list_inputs(where: Places, skip: Collection[str] = (), *, frames: bool = False) -> ImageList:
    """Find images as `list_images`, and the frames of stacks.

    A TIFF counts as its first page, and files of arrays, GIF and video do not count, unless `frames` asks for all of
    their frames. Where `where` is such a file, or holds no other image, their frames are the images. `named_frames`
    takes the frames that points name.

    Parameters
    ----------
    where, skip : as for `list_images`.
    frames : whether each frame of each file is an image.

    Raises
    ------
    InputError
        As `list_images`, where a file claims more than `MOST_FRAMES`, and where frames of a URI are asked for.
    """
    found = list_images(where, skip, stacks=True)
    if frames and is_uri(found.root):
        raise InputError(f"{found.root}: frames are taken out of files of this machine only; copy the files to a disk")
    if not frames and found.files:
        return found
    files = [*found.files, *(file for file in found.stacks if file.id not in found.ids)]
    every = [each for file in files for each in _frames_of(file)]
    return _listed(found, every, has_all_frames=frames)


def named_frames(found: ImageList, names: Iterable[str], frames: Iterable[str] = ()) -> ImageList | None:
    """The same images where points name frames of some: each such file is replaced by its named frames.

    Parameters
    ----------
    found : the images, with `ImageList.stacks`; where all frames were asked for, nothing is replaced.
    names : ids that points name, of images that were found or not.
    frames : ids that frames would have by their numbers alone: they count for a file that holds several, where not
        only its first is named.

    Returns
    -------
    None where they name no frame of any file that is there.
    """
    if found.has_all_frames:
        return None
    named, numbered = _by_file(names), _by_file(frames)
    numbered = {name: numbers for name, numbers in numbered.items() if max(numbers) > 0}
    stacks = {}
    for file in chain(found.stacks, found.files) if named or numbered else ():
        if file.id in numbered and _count(file) > 1:
            named.setdefault(file.id, set()).update(numbered[file.id])
        if file.id in named:
            stacks[file.id] = file
    if not stacks:
        return None
    rest = [file for file in found.files if file_of(file.id) not in stacks]
    return _listed(found, rest + [_frame(file, k) for name, file in stacks.items() for k in sorted(named[name])])


def _by_file(names: Iterable[str]) -> dict[str, set[int]]:
    """The frames of each file out of ids; those of other images are left out."""
    out: dict[str, set[int]] = {}
    for name in names:
        parts = FRAME.fullmatch(name)
        if parts is not None:
            out.setdefault(parts["file"], set()).add(int(parts["frame"]))
    return out


def file_of(name: str) -> str:
    """The id or path of a file by that of one of its frames; any other is its own."""
    parts = FRAME.fullmatch(name)
    return name if parts is None else parts["file"]


def _listed(found: ImageList, files: Iterable[ImageFile], *, has_all_frames: bool = False) -> ImageList:
    ordered = sorted(files, key=lambda file: file.id)
    return make_list(found.root, ordered, found.whole, found.stacks, has_all_frames=has_all_frames)


def _frames_of(file: ImageFile) -> list[ImageFile]:
    """All frames of a file; the file itself where it holds one."""
    n = _count(file)
    return [file] if n == 1 else [_frame(file, k) for k in range(n)]


def _count(file: ImageFile) -> int:
    """How many frames a file holds; 1 where it cannot be read, which the run then reports."""
    if file.rivals or not can_hold_frames(file.path):
        return 1
    try:
        with one_sentence(file.path):
            n = count_frames(file.path)
    except PointLabelError:
        return 1
    if n > MOST_FRAMES:
        raise InputError(f"{file.path}: {n:,} frames are more than the limit of {MOST_FRAMES:,}")
    return n


def _frame(file: ImageFile, k: int) -> ImageFile:
    end = f"#{k:06d}"
    return ImageFile(file.id + end, file.path + end, file.shown + end, tuple(f"{rival}{end}" for rival in file.rivals))
