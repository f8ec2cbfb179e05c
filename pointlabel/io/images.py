"""Find images, and decode them without loss of depth."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection
from dataclasses import dataclass, field

from ..errors import InputError

#: Suffixes that mark a file of a folder as an image. What a file really holds is decided by its bytes.
IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image.

    Attributes
    ----------
    id : path below the root without suffix, parts joined by ``/``.
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
    files : one for each id.
    whole : True where `files` is all that the root holds, False for one file or a glob.
    """

    root: str
    files: tuple[ImageFile, ...]
    whole: bool
    ids: frozenset[str] = field(default=frozenset())


def strip_suffix(name: str) -> str:
    """Return `name` without its suffix where that is one of `IMAGE_SUFFIXES`."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def list_images(where: str | os.PathLike[str], skip: Collection[str] = ()) -> ImageList:
    """Find the images that `where` names.

    Parameters
    ----------
    where : a folder (searched with its sub-folders), one file, or a glob (``**`` for any sub-folders).
    skip : folders to leave out, for example the output folder inside the images' folder.

    Raises
    ------
    InputError
        Where there is nothing at `where`, or no image in it.
    """
    text = os.fspath(where)
    if os.path.isdir(text):
        root, found, whole = text, list(walk_images(text, skip)), True
    elif os.path.exists(text):
        root, found, whole = os.path.dirname(text) or ".", [text], False
    elif glob.has_magic(text):
        root, whole = _fixed_part(text), False
        found = [path for path in glob.glob(text, recursive=True) if _is_image_name(path) and os.path.isfile(path)]
    else:
        raise InputError(f"{text}: no such file or folder")
    if not found:
        kinds = " ".join(IMAGE_SUFFIXES)
        raise InputError(f"{text}: no image found (files with one of the suffixes {kinds})")
    groups: dict[str, list[tuple[str, str]]] = {}
    for path in found:
        shown = os.path.relpath(path, root).replace(os.sep, "/")
        groups.setdefault(os.path.splitext(shown)[0], []).append((shown, path))
    files = []
    for image_id in sorted(groups):
        (shown, path), *others = sorted(groups[image_id])
        files.append(ImageFile(image_id, path, shown, tuple(rival for rival, _ in others)))
    return ImageList(root, tuple(files), whole, frozenset(groups))


def walk_images(folder: str, skip: Collection[str] = ()) -> list[str]:
    """Paths of the images below `folder`, without hidden files and without the folders in `skip`."""
    left_out = {os.path.realpath(path) for path in skip}
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not (left_out and os.path.realpath(os.path.join(parent, name)) in left_out)
        ]
        found += [os.path.join(parent, name) for name in names if _is_image_name(name)]
    return found


def _is_image_name(path: str) -> bool:
    name = os.path.basename(path)
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def _fixed_part(pattern: str) -> str:
    """Leading folders of a glob that hold no wildcard."""
    head = os.path.dirname(pattern)
    while glob.has_magic(head):
        head = os.path.dirname(head)
    return head or "."
