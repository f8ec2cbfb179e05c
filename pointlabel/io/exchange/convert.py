"""Masks of any format into any other: the function behind ``pointlabel convert``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ..._values import as_choice, as_path
from ...errors import InputError
from ..lock import hold_folder
from ..masks.read import MASK_THRESHOLD, check_threshold
from .base import ImageMasks, Images, Out
from .ledger import ExportFolder, OneFile
from .table import FORMATS, Format, detect, file_in, get_format

Path = str | os.PathLike[str]
PLACES = ("none", "link", "copy")


@dataclass(slots=True)
class Converted:
    """What was converted: format of the source, images, targets, and images that had none."""

    source: str
    n_images: int = 0
    n_targets: int = 0
    n_empty: int = 0


def convert(
    source: Path,
    out: Path,
    to: str,
    *,
    form: str | None = None,
    images: Path | None = None,
    place_images: str = "none",
    polygons: bool = False,
    mask_threshold: float = MASK_THRESHOLD,
    overwrite: bool = False,
) -> Converted:
    """Read masks in one format and write them in another.

    Parameters
    ----------
    source : a file or folder that holds masks.
    out : the folder to write; of a format that is one file, a name with its suffix is that file.
    to : name of the format to write, out of `table.FORMATS`.
    form : name of the format of `source`; None finds it out.
    images : folder of the images, for formats that do not say how large these are or what suffix they have; None takes
        the folder ``images`` of the source where it has one.
    place_images : "link" or "copy" puts the images beside the masks, where the format has a folder for them.
    polygons : whether coco, labelme, label-studio and cvat hold polygons in place of masks.
    mask_threshold : in [0, 255), grey level that the targets of pictures lie above.
    overwrite : whether what an earlier conversion wrote may be replaced.

    All of the source is read before anything is written.

    Raises
    ------
    InputError
        Where the source is damaged, a format is unknown, or a file would be replaced that this program did not write.
    OutputError
        Where a file cannot be written.
    """
    path, target = as_path(source, "source"), as_path(out, "out")
    writer = get_format(to)
    if writer.write is None:
        raise InputError(f"format {to} is only read; write {', '.join(n for n, f in FORMATS.items() if f.write)}")
    if polygons and not writer.has_polygons:
        raise InputError(f"format {to} has one way to hold masks; leave `polygons` out")
    as_choice(place_images, "place_images", PLACES)
    reader = get_format(detect(path) if form is None else form)
    if reader.read is None:
        raise InputError(f"format {reader.name} is only written; its file holds no masks")
    if place_images != "none" and (images is None or writer.images is None):
        need = "needs the folder of the images (`images`)" if images is None else f"is for other formats than {to}"
        raise InputError(f"`place_images={place_images}` {need}")
    if os.path.realpath(path) == os.path.realpath(target):
        raise InputError(f"{target}: the output must not be the source")
    beside = os.path.join(path, "images")  # of a data set
    known = Images(as_path(images, "images") if images is not None else beside if os.path.isdir(beside) else None)
    read = partial(reader.read, file_in(path, reader), known, check_threshold(mask_threshold))
    done = Converted(reader.name)
    found: Iterable[ImageMasks] = [replace(image, soft=None) for image in _counted(read(), done)]
    if place_images != "none":
        _refuse_missing(found, known)
    if to in ("soft", "npz"):  # whole maps, which may not all fit into memory; the masks alone do
        found = read()
    one_file = writer.one_file
    if one_file is not None and os.path.splitext(target)[1].lower() == os.path.splitext(one_file)[1]:
        if os.path.isdir(target) or (os.path.exists(target) and not overwrite):
            raise InputError(f"{target} is there already; `overwrite` replaces it")
        _write(found, OneFile(target), writer, polygons)
        return done
    with hold_folder(target, "convert", f"to {to}"):
        folder = ExportFolder(target)
        if folder.is_used and not overwrite:
            raise InputError(f"{target} holds masks that were converted before; `overwrite` replaces them")
        export(_placed(found, folder, writer, known, place_images), folder, writer, polygons=polygons)
    return done


def export(images: Iterable[ImageMasks], folder: ExportFolder, form: Format, *, polygons: bool = False) -> None:
    """Write images to a folder, and remove what an earlier export wrote there and this one did not."""
    folder.refuse_foreign()
    _write(images, folder, form, polygons)
    folder.end()


def _write(images: Iterable[ImageMasks], out: Out, form: Format, polygons: bool) -> None:
    assert form.write is not None
    if polygons:
        form.write(images, out, polygons=True)
    else:
        form.write(images, out)


def _counted(images: Iterable[ImageMasks], done: Converted) -> Iterator[ImageMasks]:
    seen: set[str] = set()
    for image in images:
        if image.id in seen:
            raise InputError(f"{image.id}: two images of the source have this id; rename one")
        seen.add(image.id)
        done.n_images += 1
        done.n_targets += len(image.targets)
        done.n_empty += not image.targets
        yield image


def _refuse_missing(images: Iterable[ImageMasks], known: Images) -> None:
    for image in images:
        if known.path(image.id) is None:
            raise InputError(f"{image.id}: there is no such image in the folder of the images")


def _placed(
    images: Iterable[ImageMasks], folder: ExportFolder, form: Format, known: Images, place: str
) -> Iterator[ImageMasks]:
    """The images, each put beside the masks on the way."""
    for image in images:
        source = known.path(image.id)
        if place != "none" and source is not None:
            if not os.path.isfile(source):
                raise InputError(f"{source}: a frame is no file of its own, and cannot be placed (`place_images`)")
            suffix = os.path.splitext(source)[1]
            path = f"{image.id}{suffix}"
            folder.link(f"{form.images}/{path}" if form.images else path, source, copy=place == "copy")
        yield image
