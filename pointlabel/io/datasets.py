"""Data sets as folders: images with points, true masks and lists of ids, laid out as `layouts` knows them.

What a data set holds is listed once (`open_dataset`, `open_images`); the process that needs an image reads it
(`samples.read_sample`).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from .frames import list_inputs, named_frames
from .images import ImageFile, ImageList
from .layouts.lists import choose_list, no_such_list, read_list
from .layouts.parts import Parts
from .layouts.rules import find_layout
from .masks.pairs import list_masks
from .points.base import PointEntry
from .points.match import match_points
from .points.readers import has_own_points
from .remote import is_uri
from .samples import Entry

#: Kinds of points, and the folder of one-pixel images that holds each.
POINT_FOLDERS = {"centroid": "masks_centroid", "coarse": "masks_coarse"}
#: Folder of the lists of ids.
SPLIT_FOLDER = "img_idx"


@dataclass(frozen=True, slots=True)
class Dataset:
    """The images of a data set in the order of their ids, or of the list that chose them.

    Attributes
    ----------
    name : name of the folder.
    folder : its path.
    entries : one per image.
    """

    name: str
    folder: str
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def sample(self, n: int) -> Dataset:
        """The same data set with `n` of its images, spread evenly over all."""
        total = len(self.entries)
        return replace(self, entries=tuple(self.entries[k * total // n] for k in range(n))) if n < total else self


def open_dataset(
    folder: str | os.PathLike[str], *, points: str | None = "centroid", masks: bool = True, split: str | None = None
) -> Dataset:
    """List a data set, in any layout that `layouts.rules.LAYOUTS` knows.

    Files belong together by their path without suffix, see `images.normal_id`.

    Parameters
    ----------
    folder : the data set.
    points : a name out of `POINT_FOLDERS`; None leaves points out.
    masks : whether every image needs a true mask.
    split : name of a list of ids, see `layouts.lists.choose_list`; None takes all images.

    Raises
    ------
    InputError
        Where a folder, a true mask or an image of the list is missing, or two images have one id.
    """
    root = os.fspath(folder)
    if points is not None and points not in POINT_FOLDERS:
        raise InputError(f"points must be one of {', '.join(POINT_FOLDERS)}, got {points!r}")
    if not os.path.isdir(root):
        raise InputError(f"{root}: no such folder; a data set is a folder with images/, masks/ and masks_centroid/")
    parts = find_layout(root)
    found = list_inputs(_images_of(parts))
    point_folder = None if points is None else _points_of(parts, points)
    if split is not None:
        found = _chosen(found, _read_split(parts, split, [file.id for file in found.files]), root, split)
    given: Mapping[str, PointEntry] = {}
    if point_folder is not None:
        found, _, bound = match_points(found, point_folder)
        given = bound.entries
    _check_rivals(found.files)
    entries = tuple(Entry(file.id, file.path, given.get(file.id), None) for file in found.files)
    out = Dataset(os.path.basename(os.path.abspath(root)), root, entries)
    return with_masks(out) if masks else out


def locate_parts(
    images: str | os.PathLike[str], points: str | os.PathLike[str] | None, masks: str | os.PathLike[str] | None = None
) -> tuple[str, str, str | None]:
    """Where images, points and masks lie: as they are given, or in the folder of a data set.

    Parameters
    ----------
    images : a data set where `points` is None or a name out of `POINT_FOLDERS`; else what `open_images` takes.
    points, masks : paths; masks that are not given are those of the data set, where it holds any.

    Raises
    ------
    InputError
        Where no points are given, and `images` is no data set with points, nor holds points beside the images.
    """
    root, kind = os.fspath(images), "centroid" if points is None else os.fspath(points)
    parts = find_layout(root) if os.path.isdir(root) else None
    has_images = parts is not None and parts.layout != "flat"
    if points is not None and (kind not in POINT_FOLDERS or os.path.exists(kind) or not has_images):
        where = parts.images if parts is not None and parts.is_dataset else root
        return where, kind, None if masks is None else os.fspath(masks)
    if parts is None or not has_images:
        beside = root if os.path.isdir(root) else f"{os.path.splitext(root)[0]}.json"
        if points is None and os.path.exists(beside) and has_own_points(beside):
            return root, beside, None if masks is None else os.fspath(masks)
        if not (os.path.exists(root) or is_uri(root) or glob.has_magic(root)):
            raise InputError(f"{root}: no such file or folder")
        raise InputError(f"{root}: not a data set, which holds the folder images/; for other images give `points`")
    own = parts.masks if masks is None else os.fspath(masks)
    return parts.images, _points_of(parts, kind), own


def locate_beside(places: Sequence[str | os.PathLike[str]]) -> str:
    """The folder around images that holds points beside them.

    Parameters
    ----------
    places : images, or folders of images.

    Raises
    ------
    InputError
        Where it holds no points.
    """
    roots = [os.path.abspath(each if os.path.isdir(each) else os.path.dirname(each) or ".") for each in places]
    folder = os.path.relpath(os.path.commonpath(roots))
    if not os.path.isdir(folder) or not has_own_points(folder):
        raise InputError(f"{folder}: no points lie beside these images; give `points`")
    return folder


def open_data(
    images: str | os.PathLike[str],
    points: str = "centroid",
    masks: str | os.PathLike[str] | None = None,
    *,
    needs_masks: bool = True,
    split: str | None = None,
    points_format: str | None = None,
    allow_pickle: bool = False,
) -> Dataset:
    """List a data set (`open_dataset`), or images with points and masks from anywhere (`open_images`).

    Parameters
    ----------
    images : a data set where `points` is a name out of `POINT_FOLDERS`, else images.
    points : a name, or a path.
    masks : folder of true masks; None for that of the data set.
    needs_masks : whether every image needs a true mask.
    split : as for `open_dataset`.
    points_format, allow_pickle : of points from elsewhere, as for `points.readers.open_points`.

    Raises
    ------
    InputError
        Where something is missing, or a split is asked of images that are no data set.
    """
    if points in POINT_FOLDERS:
        dataset = open_dataset(images, points=points, masks=needs_masks and masks is None, split=split)
    elif split is not None:
        raise InputError("`split` chooses images of a data set; with points from elsewhere leave it out")
    elif needs_masks and masks is None:
        raise InputError("images with points from elsewhere need their true masks: `masks`")
    else:
        dataset = open_images(images, points, points_format=points_format, allow_pickle=allow_pickle)
    return dataset if masks is None else with_masks(dataset, folder=os.fspath(masks))


def with_masks(dataset: Dataset, *, what: str = "a data set", folder: str | None = None) -> Dataset:
    """The same images with their true masks.

    Parameters
    ----------
    dataset : each of its images needs a mask.
    what : who needs the masks, for the message where there is no such folder.
    folder : where they lie; None for those of the data set.

    Raises
    ------
    InputError
        Where the folder or the mask of an image is missing.
    """
    own = folder or find_layout(dataset.folder).masks
    paths = list_masks(_missing_part(dataset.folder, "masks", what) if own is None else own)
    missing = [entry.id for entry in dataset.entries if entry.id not in paths]
    if missing:
        where = folder or ("it" if own is None or own == dataset.folder else f"{os.path.relpath(own, dataset.folder)}/")
        raise InputError(f"{dataset.folder}: no true mask in {where} for {_few(missing)}")
    return replace(dataset, entries=tuple(replace(entry, mask=paths[entry.id]) for entry in dataset.entries))


def open_images(
    images: str | os.PathLike[str],
    points: str | os.PathLike[str],
    *,
    origin: str = "center",
    points_format: str | None = None,
    allow_pickle: bool = False,
) -> Dataset:
    """List images with points from anywhere, without masks, as ``annotate`` takes them.

    Parameters
    ----------
    images : a folder with its sub-folders, one file, or a glob.
    points : a file or folder of any format of `points.formats.FORMATS`.
    origin, points_format, allow_pickle : as for `points.readers.open_points`.

    Raises
    ------
    InputError
        Where nothing is found, two images have one id, or no image has points.
    """
    found = list_inputs(images, skip=[os.fspath(points)])
    found, _, bound = match_points(found, points, origin, points_format=points_format, allow_pickle=allow_pickle)
    _check_rivals(found.files)
    entries = tuple(Entry(file.id, file.path, bound.entries.get(file.id), None) for file in found.files)
    return Dataset(os.path.basename(os.path.abspath(found.root)), found.root, entries)


def read_split(folder: str | os.PathLike[str], name: str) -> list[str]:
    """Ids of a list of a data set in the order of the file, each once.

    Blank lines are left out; ids may carry the suffix of an image and a leading ``/``.

    Raises
    ------
    InputError
        Where there is no such list, or it holds no id.
    """
    parts = find_layout(folder)
    needs_ids = any(each.path is None for each in parts.lists)
    return _read_split(parts, name, [file.id for file in list_inputs(parts.images).files] if needs_ids else [])


def _read_split(parts: Parts, name: str, ids: Sequence[str]) -> list[str]:
    if not parts.lists:
        _missing_part(parts.root, SPLIT_FOLDER, f"split {name}")
    chosen = choose_list(parts, name)
    if chosen is None:
        raise no_such_list(parts, name)
    return read_list(parts, chosen, ids)


def _images_of(parts: Parts) -> str:
    """Where a data set has its images."""
    return _missing_part(parts.root, "images") if parts.layout == "flat" else parts.images


def _points_of(parts: Parts, kind: str) -> str:
    """Where a data set has the points of a kind out of `POINT_FOLDERS`."""
    return parts.points.get(kind) or _missing_part(parts.root, POINT_FOLDERS[kind], f"`points={kind}`")


def _missing_part(root: str, name: str, what: str = "a data set") -> str:
    there = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    raise InputError(f"{root}: {what} needs the folder {name}/; it holds {', '.join(there) or 'no folder'}")


def _chosen(found: ImageList, ids: list[str], root: str, split: str) -> ImageList:
    found = named_frames(found, ids) or found
    by_id = {file.id: file for file in found.files}
    missing = [name for name in ids if name not in by_id]
    if missing:
        raise InputError(f"{root}: split {split} names images that images/ does not hold: {_few(missing)}")
    return replace(found, files=tuple(by_id[name] for name in ids), ids=frozenset(ids), stacks=())


def _check_rivals(files: Sequence[ImageFile]) -> None:
    for file in files:
        if file.rivals:
            both = ", ".join((file.shown, *file.rivals))
            raise InputError(f"{both}: images with the same id {file.id}; rename one")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
