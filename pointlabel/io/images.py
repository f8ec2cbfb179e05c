"""Find images, and decode them without loss of depth."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from ..errors import InputError
from .manifest import holds_run
from .packed import Packed, SortedNames
from .remote import fixed_part, is_uri, list_uri
from .walk import ARRAY_SUFFIXES, IMAGE_SUFFIXES, STACK_SUFFIXES, glob_images, has_suffix, name_contents, walk

#: One place where images are, or several.
Places = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
#: A frame's number at the end of its id and of its path: ``clip#000123``, ``clip.avi#000123``, counted from 0.
FRAME = re.compile(r"(?P<file>.+)#(?P<frame>\d{6,})", re.DOTALL)
#: What SIRST-v1 adds to the name of an image to name its mask; it is no part of an id.
_MASK_ENDING = "_pixels0"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image.

    Attributes
    ----------
    id : path below the root without suffix, parts joined by ``/``, as `normal_id` has it.
    path : where to read it.
    shown : path below the root with suffix, parts joined by ``/``.
    rivals : the other files that have the same id, as `shown`.
    """

    id: str
    path: str
    shown: str
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageList:
    """Images in the order of their ids.

    Attributes
    ----------
    root : the folder that ids are relative to.
    files : one per id, made anew each time one is asked for: there may be millions.
    whole : True where `files` is all that the root holds, False for one file or a glob.
    ids : of the files.
    stacks : files of arrays or frames in the folder, which are no images unless asked for; see `frames`.
    has_all_frames : whether every frame of every file was asked for.
    """

    root: str
    files: Sequence[ImageFile]
    whole: bool
    ids: Set[str]
    stacks: Sequence[ImageFile] = ()
    has_all_frames: bool = False


def make_list(
    root: str,
    files: Iterable[ImageFile],
    whole: bool = False,
    stacks: Sequence[ImageFile] = (),
    *,
    has_all_frames: bool = False,
) -> ImageList:
    """An `ImageList` of files in the order of their ids."""
    packed = Packed((_pack(file, root) for file in files), partial(_unpack, root))
    return ImageList(root, packed, whole, SortedNames(file.id for file in packed), stacks, has_all_frames)


def _pack(file: ImageFile, root: str) -> object:
    """What a file is made of: its name below the root, where all else follows from that."""
    return file.shown if file == _unpack(root, file.shown) else (file.id, file.path, file.shown, file.rivals)


def _unpack(root: str, packed: str | tuple[str, str, str, tuple[str, ...]]) -> ImageFile:
    if isinstance(packed, str):
        return ImageFile(_id_below(packed, root) or "", os.path.join(root, packed), packed)
    return ImageFile(*packed)


class FilePattern(str):
    """Path of a folder of which some files count only: those of a data set without a folder of their own.

    It is the path of that folder, so that it goes wherever a path does; what lists files asks `id_of` for each.

    Parameters
    ----------
    root : the folder.
    patterns : regular expressions of the paths below it, whole, without suffix, parts joined by ``/``. Their groups,
        joined by ``/``, are the id.
    arrays : whether files of arrays (`ARRAY_SUFFIXES`) are images.
    """

    patterns: tuple[re.Pattern[str], ...]
    arrays: bool

    def __new__(cls, root: str, *patterns: str, arrays: bool = False) -> FilePattern:
        """Make one."""
        out = super().__new__(cls, root)
        out.patterns = tuple(re.compile(each, re.DOTALL) for each in patterns)
        out.arrays = arrays
        return out

    def __reduce__(self) -> tuple[object, ...]:
        """How it is pickled."""
        return _open_pattern, (str(self), tuple(each.pattern for each in self.patterns), self.arrays)

    def id_of(self, path: str) -> str | None:
        """Id of the file at `path` below the folder, without suffix; None where it does not count."""
        found = next(filter(None, (each.fullmatch(path) for each in self.patterns)), None)
        return None if found is None else normal_id("/".join(found.groups()))


def _open_pattern(root: str, patterns: tuple[str, ...], arrays: bool) -> FilePattern:
    return FilePattern(root, *patterns, arrays=arrays)


def normal_id(name: str) -> str:
    """Return the one form of an id by which images, points, masks and lists belong together.

    Composed and decomposed letters are one (Unicode's form C), and the ending ``_pixels0`` is left out.

    Parameters
    ----------
    name : a path without suffix, parts joined by ``/``.
    """
    composed = name if name.isascii() else unicodedata.normalize("NFC", name)
    stem = composed.removesuffix(_MASK_ENDING)
    return stem if stem and not stem.endswith("/") else composed


def path_below(path: str, root: str) -> str:
    """The path of a file below a folder, parts joined by ``/``."""
    start = os.path.join(root, "")
    below = path[len(start) :]
    # `relpath` asks for the current folder each time; what lies plainly below needs no such thing.
    if not path.startswith(start) or "//" in f"/{below}/" or "/." in f"/{below}":
        below = os.path.relpath(path, root)
    return below.replace(os.sep, "/")


def stem_below(path: str, root: str) -> str:
    """The path of a file below a folder, without suffix, parts joined by ``/``."""
    return os.path.splitext(path_below(path, root))[0]


def file_id(path: str, root: str) -> str | None:
    """Id of the file at `path` among the files below `root`; None where it does not count (`FilePattern`)."""
    return _id_below(path_below(path, root), root)


def _id_below(below: str, root: str) -> str | None:
    stem = os.path.splitext(below)[0]
    return root.id_of(stem) if isinstance(root, FilePattern) else normal_id(stem)


def strip_suffix(name: str) -> str:
    """Return `name` without its suffix where that is one of an image; ``clip.avi#000123`` becomes ``clip#000123``."""
    frame = FRAME.fullmatch(name)
    file = name if frame is None else frame["file"]
    stem, suffix = os.path.splitext(file)
    known = suffix.lower() in IMAGE_SUFFIXES + STACK_SUFFIXES
    return name if not known else stem if frame is None else f"{stem}#{frame['frame']}"


def list_images(where: Places, skip: Collection[str] = (), *, stacks: bool = False) -> ImageList:
    """Find the images that `where` names.

    Parameters
    ----------
    where : a folder (searched with its sub-folders, but for those that hold a run of ``annotate``), one file, or a
        glob (``**`` for any sub-folders), each of them also as a URI (`remote`); or several of these on this machine,
        whose ids are then relative to the folder around all of them.
    skip : folders to leave out, for example the output folder inside the images' folder.
    stacks : whether files of arrays or frames are listed too, as `ImageList.stacks`.

    Raises
    ------
    InputError
        Where there is nothing at `where`, or no image in it (with `stacks`: nor a stack).
    """
    if not isinstance(where, str | os.PathLike):
        return _list_several([list_images(each, skip, stacks=stacks) for each in where])
    text = os.fspath(where)
    beside: list[str] = []
    if is_uri(text):
        root, whole, every = list_uri(text)
        is_file = not whole and not glob.has_magic(text)
        found = every if is_file else [path for path in every if has_suffix(path, IMAGE_SUFFIXES)]
    elif os.path.isdir(text):
        every = list(walk(text, skip, holds_run))
        root, whole = text, True
        found = [path for path in every if has_suffix(path, IMAGE_SUFFIXES)]
        beside = [path for path in every if has_suffix(path, STACK_SUFFIXES)]
    elif os.path.exists(text):
        root, whole = os.path.dirname(text) or ".", False
        found, beside = ([], [text]) if stacks and has_suffix(text, STACK_SUFFIXES) else ([text], [])
    elif glob.has_magic(text):
        root, whole = fixed_part(text) or ".", False
        globbed = glob_images(text)
        found = [path for path in globbed if has_suffix(path, IMAGE_SUFFIXES)]
        beside = [path for path in globbed if not has_suffix(path, IMAGE_SUFFIXES)]
    else:
        raise InputError(f"{text}: no such file or folder")
    out = make_list(root, _files_of(found, root), whole, tuple(_files_of(beside, root)))
    if isinstance(text, FilePattern) and text.arrays:
        arrays = [file for file in out.stacks if has_suffix(file.path, ARRAY_SUFFIXES) and file.id not in out.ids]
        out = make_list(root, sorted((*out.files, *arrays), key=lambda file: file.id), whole, out.stacks)
    if not out.files and not (stacks and out.stacks):
        kinds = " ".join(IMAGE_SUFFIXES)
        there = f"; it {name_contents(text)}" if whole and not is_uri(text) else ""
        raise InputError(f"{text}: no image found (files with one of the suffixes {kinds}){there}")
    return out if stacks else replace(out, stacks=())


def _list_several(parts: Sequence[ImageList]) -> ImageList:
    """Images of several places, each file once."""
    if not parts:
        raise InputError("no images are given")
    uri = next((part.root for part in parts if is_uri(part.root)), None)
    if uri is not None:
        raise InputError(f"{uri}: a URI must be the one place of images, but {len(parts)} places are given")
    root = os.path.commonpath([os.path.abspath(part.root) for part in parts])
    shown = os.path.relpath(root)
    root = root if shown.startswith("..") else shown

    def gathered(lists: Iterable[tuple[str, Sequence[ImageFile]]]) -> Iterator[ImageFile]:
        paths = [
            os.path.join(place, name) for place, files in lists for file in files for name in (file.shown, *file.rivals)
        ]
        return _files_of({os.path.realpath(path): path for path in reversed(paths)}.values(), root)

    stacks = tuple(gathered((part.root, part.stacks) for part in parts))
    return make_list(root, gathered((part.root, part.files) for part in parts), False, stacks)


def _files_of(found: Iterable[str], root: str) -> Iterator[ImageFile]:
    """One file for each id, in their order."""
    keys = []
    for path in found:
        shown = path_below(path, root)
        image_id = _id_below(shown, root)
        if image_id is not None:  # one text each, which takes a third of a tuple; no name holds a NUL
            keys.append(f"{image_id}\0{shown}\0{'' if path == os.path.join(root, shown) else path}")
    keys.sort()
    for image_id, group in groupby((key.split("\0") for key in keys), key=lambda names: names[0]):
        (_, shown, path), *others = group
        yield ImageFile(image_id, path or os.path.join(root, shown), shown, tuple(rival for _, rival, _ in others))
