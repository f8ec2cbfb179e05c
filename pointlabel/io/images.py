"""Find images, and decode them without loss of depth."""

from __future__ import annotations

import glob
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import InputError

#: Suffixes that mark a file of a folder as an image. What a file really holds is decided by its bytes.
IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
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
    files : one per id.
    whole : True where `files` is all that the root holds, False for one file or a glob.
    """

    root: str
    files: tuple[ImageFile, ...]
    whole: bool
    ids: frozenset[str] = field(default=frozenset())


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


def file_id(path: str, root: str) -> str:
    """Id of the file at `path` among the files below `root`."""
    return normal_id(os.path.splitext(os.path.relpath(path, root))[0].replace(os.sep, "/"))


def strip_suffix(name: str) -> str:
    """Return `name` without its suffix where that is one of `IMAGE_SUFFIXES`."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def list_images(
    where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], skip: Collection[str] = ()
) -> ImageList:
    """Find the images that `where` names.

    Parameters
    ----------
    where : a folder (searched with its sub-folders), one file, or a glob (``**`` for any sub-folders); or several of
        these, whose ids are then relative to the folder around all of them.
    skip : folders to leave out, for example the output folder inside the images' folder.

    Raises
    ------
    InputError
        Where there is nothing at `where`, or no image in it.
    """
    if not isinstance(where, str | os.PathLike):
        return _list_several([list_images(each, skip) for each in where])
    text = os.fspath(where)
    if os.path.isdir(text):
        root, found, whole = text, list(walk_images(text, skip)), True
    elif os.path.exists(text):
        root, found, whole = os.path.dirname(text) or ".", [text], False
    elif glob.has_magic(text):
        root, whole = _fixed_part(text), False
        found = _globbed(text)
    else:
        raise InputError(f"{text}: no such file or folder")
    if not found:
        kinds = " ".join(IMAGE_SUFFIXES)
        there = f"; it {name_contents(text)}" if whole else ""
        raise InputError(f"{text}: no image found (files with one of the suffixes {kinds}){there}")
    return _grouped(root, found, whole)


def _list_several(parts: Sequence[ImageList]) -> ImageList:
    """Images of several places, each file once."""
    if not parts:
        raise InputError("no images are given")
    root = os.path.commonpath([os.path.abspath(part.root) for part in parts])
    shown = os.path.relpath(root)
    paths: dict[str, str] = {}
    for part in parts:
        for file in part.files:
            for name in (file.shown, *file.rivals):
                path = os.path.join(part.root, name)
                paths.setdefault(os.path.realpath(path), path)
    return _grouped(root if shown.startswith("..") else shown, [*paths.values()], False)


def _grouped(root: str, found: Collection[str], whole: bool) -> ImageList:
    """The list of the images at these paths."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for path in found:
        shown = os.path.relpath(path, root).replace(os.sep, "/")
        groups.setdefault(normal_id(os.path.splitext(shown)[0]), []).append((shown, path))
    files = []
    for image_id in sorted(groups):
        (shown, path), *others = sorted(groups[image_id])
        files.append(ImageFile(image_id, path, shown, tuple(rival for rival, _ in others)))
    return ImageList(root, tuple(files), whole, frozenset(groups))


def walk_images(folder: str, skip: Collection[str] = ()) -> list[str]:
    """Paths of the images below `folder`, without hidden files and without the folders in `skip`.

    Links to folders are followed. A folder that can be reached in several ways is searched once, without a link where
    that is possible, and a link that leads to a folder around `folder` is ignored.
    """
    return [path for path in _walk(folder, skip) if _is_image_name(path)]


def walk_files(folder: str) -> list[str]:
    """Paths of all files below `folder` in the order of their names, found as `walk_images` finds images."""
    return sorted(_walk(folder))


def name_contents(folder: str) -> str:
    """What is in a folder in place of images: ``holds 12 .json and no image``."""
    counts = Counter(os.path.splitext(path)[1].lower() or "without suffix" for path in _walk(folder))
    if not counts:
        return "holds no file"
    most = [f"{count} {suffix}" for suffix, count in counts.most_common(3) if not suffix.endswith(IMAGE_SUFFIXES)]
    return f"holds {', '.join(most)} and no image" if most else "holds no image"


def _walk(folder: str, skip: Collection[str] = ()) -> Iterator[str]:
    """Paths of the files below `folder` that are not hidden; see `walk_images`."""
    seen = {os.path.realpath(path) for path in skip}
    home = os.path.join(os.path.realpath(folder), "")
    waiting = [folder]  # links come last, so that a folder is met under its own name where it has one here
    while waiting:
        start = waiting.pop(0)
        place = os.path.realpath(start)
        if start != folder and (place in seen or home.startswith(os.path.join(place, ""))):
            continue
        for parent, folders, names in os.walk(start):
            place = os.path.realpath(parent)
            if place in seen and parent != folder:
                folders.clear()
                continue
            seen.add(place)
            shown = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in shown if os.path.islink(os.path.join(parent, name))]
            waiting += [os.path.join(parent, name) for name in links]
            folders[:] = [name for name in shown if name not in links]
            yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _globbed(pattern: str) -> list[str]:
    """Images that a glob names, each real folder once: ``**`` follows links, and runs in circles where they do."""
    homes: dict[str, str] = {}
    found = []
    for path in sorted(glob.glob(pattern, recursive=True), key=lambda path: (path.count(os.sep), path)):
        parent = os.path.dirname(path)
        if homes.setdefault(os.path.realpath(parent), parent) == parent and _is_image_name(path):
            found.append(path)
    return [path for path in found if os.path.isfile(path)]


def _is_image_name(path: str) -> bool:
    name = os.path.basename(path)
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def _fixed_part(pattern: str) -> str:
    """Leading folders of a glob that hold no wildcard."""
    head = os.path.dirname(pattern)
    while glob.has_magic(head):
        head = os.path.dirname(head)
    return head or "."
