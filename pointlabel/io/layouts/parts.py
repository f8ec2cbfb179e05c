"""What a layout says of a folder: where its images, masks, points and lists of ids are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ...errors import InputError
from ..walk import IMAGE_SUFFIXES

#: Folders and tables that may hold points of a kind beside images, the most usual first. What is in them decides how
#: they are read.
POINT_PLACES = {
    "centroid": ("masks_centroid/", "clicks.csv", "image_info_centroid/", "image_info/", "annotations/centroids/"),
    "coarse": ("masks_coarse/", "image_info_coarse/"),
}


@dataclass(frozen=True, slots=True)
class IdList:
    """One list of ids, a part of a data set.

    Attributes
    ----------
    name : its path below the folder of the lists, without ``.txt``; the folder's name where a folder is the part.
    path : of the text file with an id a line; None where a folder is the part.
    folder : the ids that start with it are the part, where there is no file.
    """

    name: str
    path: str | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a folder has what.

    Attributes
    ----------
    layout : name of the layout.
    why : what the folder holds that shows it.
    root : the folder.
    images : the folder of the images, or a `FilePattern`.
    masks : the same of the true masks, None where there are none.
    points : folder or file by kind, out of `POINT_PLACES`.
    lists : the lists of ids, sorted by name.
    list_folder : where they lie.
    is_dataset : False for images alone, which commands take as a folder of images.
    """

    layout: str
    why: str
    root: str
    images: str
    masks: str | None = None
    points: dict[str, str] = field(default_factory=dict)
    lists: tuple[IdList, ...] = ()
    list_folder: str = ""
    is_dataset: bool = True


class Folder:
    """The names in a folder, read once, for the rules."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.folders: list[str] = []
        self.files: list[str] = []
        try:
            entries = sorted(os.scandir(root), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"{root}: the folder cannot be read ({error.strerror})") from error
        for entry in entries:
            if not entry.name.startswith("."):
                (self.folders if entry.is_dir() else self.files).append(entry.name)

    def path(self, *parts: str) -> str:
        """Path of something below the folder."""
        return os.path.join(self.root, *parts)

    def has(self, *names: str) -> bool:
        """Whether all of these are there; a name that ends with ``/`` is a folder's."""
        return all(
            os.path.isdir(self.path(name)) if name.endswith("/") else os.path.isfile(self.path(name)) for name in names
        )

    def first(self, *names: str) -> str | None:
        """Path of the first of these that is there."""
        return next((self.path(name).rstrip("/") for name in names if self.has(name)), None)

    def lists(self, *folders: str) -> tuple[IdList, ...]:
        """The text files of folders below; where there are several folders, each is part of the names."""
        found = []
        for folder in folders:
            for name in sorted(os.listdir(self.path(folder))) if self.has(f"{folder}/") else ():
                if name.endswith(".txt") and not name.startswith("."):
                    stem = name.removesuffix(".txt")
                    full = f"{folder}/{stem}" if len(folders) > 1 else stem
                    found.append(IdList(full, self.path(folder, name)))
        return tuple(found)

    def points(self) -> dict[str, str]:
        """Where the points of each kind are, for layouts with one folder of images."""
        found = {kind: self.first(*places) for kind, places in POINT_PLACES.items()}
        return {kind: path for kind, path in found.items() if path is not None}

    def images_beside(self, suffix: str) -> str | None:
        """The first file with this suffix that has an image of the same stem beside it."""
        names = {name.lower() for name in self.files}
        for name in self.files:
            stem, own = os.path.splitext(name.lower())
            if own == suffix and any(stem + each in names for each in IMAGE_SUFFIXES):
                return name
        return None
