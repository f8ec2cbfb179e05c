"""Points out of files that name their images: all rows are read when the file is opened."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...errors import InputError
from ..images import FRAME, normal_id, strip_suffix
from ..messages import Note
from ..packed import Packed, SortedNames
from .base import Bound, PointEntry, PointRow, PointSet
from .frames import FrameFinder, last_number
from .names import NameFinder


class NamedImage(NamedTuple):
    """The points of one image in a file.

    Attributes
    ----------
    file : the file that has them.
    names : what it calls the image, the likeliest first.
    rows : the points.
    shape : (height, width) that the file gives the image, None where it gives none.
    place : where the image is named, for messages.
    in_shares : as in `PointSet`.
    frame : number of the image in the sequence or video that `names` name; None for an image with a name of its own.
    error : a sentence where the points cannot be read.
    """

    file: str
    names: tuple[str, ...]
    rows: tuple[PointRow, ...] = ()
    shape: tuple[int, int] | None = None
    place: str = ""
    in_shares: bool = False
    frame: int | None = None
    error: str | None = None


class PackedImages(Packed[NamedImage]):
    """Images that take little memory: without names of classes and of the file, which are longer than most values.

    Parameters
    ----------
    path : of the file that has most of them.
    images : the images.
    """

    def __init__(self, path: str, images: Iterable[NamedImage] = ()) -> None:
        self._path = path
        super().__init__(images, self._open)

    def append(self, item: NamedImage) -> None:
        """Put one at the end."""
        file, names, rows, *rest = item
        super().append((None if file == self._path else file, names, tuple(map(tuple, rows)), *rest))

    def _open(self, bare: tuple[Any, ...]) -> NamedImage:
        file, names, rows, *rest = bare
        return NamedImage(self._path if file is None else file, names, tuple(PointRow(*row) for row in rows), *rest)


@dataclass(frozen=True, slots=True)
class RowsEntry:
    """The rows of one image."""

    file: str
    rows: tuple[PointRow, ...]
    shape: tuple[int, int] | None = None
    in_shares: bool = False

    def load(self) -> PointSet:
        """Hash the rows. Their places in the file do not count, so other images' rows may come and go."""
        # What a row does not have leaves no trace, so that runs of versions that did not know it can be resumed.
        rows = [
            (row.row, row.column, row.tightness, row.label, row.id, *((row.polarity,) if row.polarity else ()))
            for row in self.rows
        ]
        text = repr(rows) if self.shape is None and not self.in_shares else repr((rows, self.shape, self.in_shares))
        return PointSet(self.file, self.rows, self.shape, hashlib.sha256(text.encode()).hexdigest(), self.in_shares)


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """Points that cannot be read; the image is an error with this sentence."""

    error: str

    def load(self) -> PointSet:
        """Raise the sentence."""
        raise InputError(self.error)


class NamedEntries(Mapping[str, PointEntry]):
    """Image id -> its points, each made when it is asked for.

    Parameters
    ----------
    ids : of the images.
    images : images of a file in its order, and the id of each; those with None are left out.
    entry_of : makes the points of one image out of its images in the file.
    """

    def __init__(
        self,
        ids: SortedNames,
        images: Sequence[NamedImage],
        id_of: Iterable[str | None],
        entry_of: Callable[[Sequence[NamedImage]], PointEntry],
    ) -> None:
        self._ids, self._images, self._entry_of = ids, images, entry_of
        self._first = array("q", [-1]) * len(ids)  # place in the ids -> place in the images
        self._more: dict[int, list[int]] = {}
        for k, image_id in enumerate(id_of):
            at = None if image_id is None else ids.position(image_id)
            if at is not None and self._first[at] < 0:
                self._first[at] = k
            elif at is not None:
                self._more.setdefault(at, []).append(k)
        self._n = len(ids) - self._first.count(-1)

    def __getitem__(self, image_id: str) -> PointEntry:
        at = self._ids.position(image_id)
        if at is None or self._first[at] < 0:
            raise KeyError(image_id)
        return self._entry_of([self._images[k] for k in (self._first[at], *self._more.get(at, ()))])

    def __contains__(self, image_id: object) -> bool:
        at = self._ids.position(image_id) if isinstance(image_id, str) else None
        return at is not None and self._first[at] >= 0

    def __iter__(self) -> Iterator[str]:
        return (self._ids[at] for at, k in enumerate(self._first) if k >= 0)

    def __len__(self) -> int:
        return self._n


class NamedPoints:
    """Points of many images, each under the name that the file has for it.

    Parameters
    ----------
    path : the file or folder, for messages and as the place that names are relative to.
    images : what it holds.
    names_images, notes : as in `PointSource`.
    n_frames : images in the sequence that frames count, None where it is not known.
    by_end : whether a name may match by its last part alone (`NameFinder.id_by_end`).
    merges : whether points of one image under several names belong together; else only one of them may have any.
    is_single : whether the file is of one image and its name need not be that of the image, where there is only one.
    """

    def __init__(
        self,
        path: str,
        images: Iterable[NamedImage],
        *,
        names_images: bool = False,
        notes: Sequence[Note] = (),
        n_frames: int | None = None,
        by_end: bool = False,
        merges: bool = True,
        is_single: bool = False,
        what: str = "names",
    ) -> None:
        self._path = path
        self._images = images if isinstance(images, PackedImages) else PackedImages(path, images)
        self._n_frames, self._by_end, self._merges, self._is_single = n_frames, by_end, merges, is_single
        self.names_images, self.what = names_images, what
        self.notes: tuple[Note, ...] = tuple(notes)
        self.has_tightness = any(row.tightness is not None for image in self._images for row in image.rows)

    def bind(self, ids: Collection[str], root: str | None = None) -> Bound:
        """Match the names with image ids.

        A name is the path of an image below `root`, with or without suffix. Where it is none, it may be a path that
        leads to one: from the root of the file system, from the current folder, from the folder of the file, or from
        a folder around `root`.
        """
        if self._is_single and len(ids) == len(self._images) == 1 and self._images[0].frame is None:
            return Bound({next(iter(ids)): self._entry(self._images)}, [])
        names = SortedNames.of(ids)
        unknown: list[tuple[str, str]] = []
        finder = NameFinder(self._path, names, root)
        frames = FrameFinder(names, self._n_frames)

        def id_of(image: NamedImage) -> str | None:
            image_id = self._id_of(image, finder, frames)
            if image_id is None and image.frame is None:
                own = (normal_id(strip_suffix(name)) for name in image.names)
                frames.of_files.update(name for name in own if FRAME.fullmatch(name))
            if image_id is None and (image.rows or image.error or self.names_images):
                unknown.append(self._unknown(image))
            return image_id

        entries = NamedEntries(names, self._images, map(id_of, self._images), self._entry)
        return Bound(entries, unknown, frames.of_files)

    def _id_of(self, image: NamedImage, finder: NameFinder, frames: FrameFinder) -> str | None:
        if image.frame is not None:
            sequence = image.names[0]
            inside = finder.id_of(f"{sequence}#{image.frame:06d}") if sequence else None
            if inside is not None:
                return inside
            own = finder.id_of(sequence) if sequence else None
            found = own or frames.id_of(image.file, sequence, image.frame)
            if found is not None and (own is None or last_number(own) == image.frame):
                return found
            if sequence:
                frames.of_files.add(f"{own or normal_id(strip_suffix(sequence))}#{image.frame:06d}")
            # Of several frames in one TIFF the first is read; beside the name of another image the number says nothing.
            is_first = image.frame == 0 or not sequence.lower().endswith((".tif", ".tiff"))
            return own if is_first else None
        for name in image.names:
            found = finder.id_of(name)
            if found is not None:
                return found
        if self._by_end:
            return next((found for name in image.names if (found := finder.id_by_end(name)) is not None), None)
        return None

    def _unknown(self, image: NamedImage) -> tuple[str, str]:
        where = f"{image.file}, {image.place}" if image.place else image.file
        name = image.names[0] if image.names else ""
        if image.frame is not None:
            name = f"{name or 'frame'}, frame {image.frame}" if name else f"frame {image.frame}"
        bare = name.lstrip("/")
        if self.names_images and ".." in bare.split("/"):
            raise InputError(f"{where}: {name} leads to no image of the run")
        return normal_id(strip_suffix(bare)), image.error or f"{where}: there is no image {name}"

    def _entry(self, images: Sequence[NamedImage]) -> PointEntry:
        first = images[0]
        error = next((image.error for image in images if image.error), None)
        if error is not None:
            return FailedEntry(error)
        files = list(dict.fromkeys(image.file for image in images))
        if len(images) > 1 and not self._merges:
            return FailedEntry(f"{', '.join(files)}: points of the same image; keep one")
        if len({(image.shape, image.in_shares) for image in images}) > 1:
            sizes = ", ".join(f"{s[1]} x {s[0]}" if s else "no size" for s in (image.shape for image in images[:3]))
            return FailedEntry(f"{first.file}: gives the image {first.names[0]} several sizes: {sizes}")
        rows = first.rows if len(images) == 1 else tuple(row for image in images for row in image.rows)
        return RowsEntry(first.file, rows, first.shape, first.in_shares)
