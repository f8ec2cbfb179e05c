"""Walk through a folder: its files without the hidden ones, each real folder once, and which of them are images."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator

#: Suffixes that mark a file of a folder as an image. What a file really holds is decided by its bytes.
IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
#: Suffixes of files that hold arrays or frames, and are images where nothing else is meant (`frames`).
ARRAY_SUFFIXES = (".npy", ".npz", ".mat")
STACK_SUFFIXES = (*ARRAY_SUFFIXES, ".gif", ".avi", ".mp4", ".mkv", ".mov", ".wmv", ".webm")


def walk_images(folder: str, skip: Collection[str] = ()) -> list[str]:
    """Paths of the images below `folder`, without hidden files and without the folders in `skip`.

    Links to folders are followed. A folder that can be reached in several ways is searched once, without a link where
    that is possible, and a link that leads to a folder around `folder` is ignored.
    """
    return [path for path in walk(folder, skip) if has_suffix(path, IMAGE_SUFFIXES)]


def walk_files(folder: str) -> list[str]:
    """Paths of all files below `folder` in the order of their names, found as `walk_images` finds images."""
    return sorted(walk(folder))


def name_contents(folder: str) -> str:
    """What is in a folder in place of images: ``holds 12 .json and no image``."""
    counts = Counter(os.path.splitext(path)[1].lower() or "without suffix" for path in walk(folder))
    if not counts:
        return "holds no file"
    most = [f"{count} {suffix}" for suffix, count in counts.most_common(3) if not suffix.endswith(IMAGE_SUFFIXES)]
    return f"holds {', '.join(most)} and no image" if most else "holds no image"


def walk(
    folder: str, skip: Collection[str] = (), is_left_out: Callable[[str], bool] = lambda path: False
) -> Iterator[str]:
    """Paths of the files below `folder` that are not hidden; see `walk_images`. Sub-folders may be left out."""
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
            if parent != folder and (place in seen or is_left_out(parent)):
                folders.clear()
                continue
            seen.add(place)
            shown = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in shown if os.path.islink(os.path.join(parent, name))]
            waiting += [os.path.join(parent, name) for name in links]
            folders[:] = [name for name in shown if name not in links]
            yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def glob_images(pattern: str) -> list[str]:
    """Images that a glob names, each real folder once: ``**`` follows links, and runs in circles where they do."""
    homes: dict[str, str] = {}
    found = []
    for path in sorted(glob.glob(pattern, recursive=True), key=lambda path: (path.count(os.sep), path)):
        parent = os.path.dirname(path)
        if homes.setdefault(os.path.realpath(parent), parent) == parent and has_suffix(
            path, IMAGE_SUFFIXES + STACK_SUFFIXES
        ):
            found.append(path)
    return [path for path in found if os.path.isfile(path)]


def has_suffix(path: str, suffixes: tuple[str, ...]) -> bool:
    name = os.path.basename(path)
    return not name.startswith(".") and name.lower().endswith(suffixes)
