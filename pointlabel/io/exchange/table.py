"""The table of formats: what reads and what writes each. A new format is one line here."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from ...errors import InputError, name_hint
from ..manifest import MANIFEST_NAME
from ..shards import refuse_shards
from ..walk import IMAGE_SUFFIXES, walk_files
from . import coco, csv_tables, cvat, label_studio, labelme, parquet, pictures, run, voc, yolo
from .base import ImageMasks, Images, read_json_of

Read = Callable[[str, Images, float], Iterator[ImageMasks]]


class Format(NamedTuple):
    """A format of masks.

    Attributes
    ----------
    name : of the option.
    write : (images, out) -> None; None where it is only read.
    read : (path, images, threshold) -> images one by one; None where it is only written.
    files : paths of what is written, where the sign @ stands for the id of an image.
    images : folder for the images beside what is written; None where they do not belong to it.
    has_polygons : whether `write` takes ``polygons=True``, for polygons in place of masks.
    """

    name: str
    write: Callable[..., None] | None
    read: Read | None
    files: tuple[str, ...]
    images: str | None = None
    has_polygons: bool = False

    @property
    def one_file(self) -> str | None:
        """Name of the file where there is only one."""
        return None if len(self.files) > 1 or "@" in self.files[0] else self.files[0]

    def paths(self, ids: Collection[str]) -> list[str]:
        """Paths of what is written for images of these ids."""
        return [path.replace("@", name) for path in self.files for name in (ids if "@" in path else ("",))]


_YOLO = (yolo.CONFIG, f"{yolo.LABELS}/@.txt")
_VOC = (voc.LABELMAP, *voc.LISTS, f"{voc.BOXES}/@.xml", f"{voc.CLASSES}/@.png", f"{voc.OBJECTS}/@.png")
_PARQUET = tuple(parquet.file_name(table, 0) for table in parquet.COLUMNS)
FORMATS = {
    each.name: each
    for each in (
        Format("png", pictures.write_masks, pictures.read_masks, ("@.png",)),
        Format("soft", pictures.write_soft, pictures.read_soft, ("@.png",)),
        Format("instances", pictures.write_instances, pictures.read_instances, ("@.png",)),
        Format("npz", pictures.write_npz, pictures.read_npz, ("@.npz",)),
        Format("coco", coco.write_coco, coco.read_coco, (coco.FILE,), "images", has_polygons=True),
        Format("yolo", yolo.write_yolo, yolo.read_yolo, _YOLO, yolo.IMAGES),
        Format("yolo-seg", yolo.write_yolo_seg, yolo.read_yolo, _YOLO, yolo.IMAGES),
        Format("voc", voc.write_voc, voc.read_voc, _VOC, "JPEGImages"),
        Format("labelme", labelme.write_labelme, labelme.read_labelme, ("@.json",), "", has_polygons=True),
        Format(
            "label-studio",
            label_studio.write_label_studio,
            label_studio.read_label_studio,
            (label_studio.FILE,),
            has_polygons=True,
        ),
        Format("cvat", cvat.write_cvat, cvat.read_cvat, (cvat.FILE,), "images", has_polygons=True),
        Format("parquet", parquet.write_parquet, parquet.read_parquet, _PARQUET),
        Format("boxes", csv_tables.write_boxes, None, (csv_tables.BOXES_FILE,)),
        Format("points", csv_tables.write_points, None, (csv_tables.POINTS_FILE,)),
        Format("run", None, run.read_run, (MANIFEST_NAME,)),
    )
}


def get_format(name: str) -> Format:
    """The format of that name; raise `InputError` where there is none."""
    if name not in FORMATS:
        raise InputError(f"there is no format {name!r}; {name_hint(name, FORMATS)}")
    return FORMATS[name]


def detect(path: str) -> str:
    """The name of the format of a file or folder, by what it holds.

    Raises
    ------
    InputError
        Where there is nothing at `path`, or it looks like none of them.
    """
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file or folder")
    found = _of_folder(path) if os.path.isdir(path) else _of_file(path)
    if found is None:
        known = ", ".join(name for name, each in FORMATS.items() if each.read is not None)
        raise InputError(f"{path}: no masks of a format that is read: {known}; name it (`form`)")
    return found


def file_in(path: str, form: Format) -> str:
    """The file that a format with only one reads, where `path` is the folder it lies in."""
    if form.one_file is None or not os.path.isdir(path):
        return path
    own = os.path.join(path, form.one_file)
    if os.path.isfile(own):
        return own
    suffix = os.path.splitext(form.one_file)[1]
    files = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(suffix)]
    if len(files) != 1:
        raise InputError(f"{path}: {len(files)} files {suffix}; name the one to read")
    return files[0]


def _of_folder(path: str) -> str | None:
    names = sorted(os.listdir(path))
    has = set(names)
    if MANIFEST_NAME in has:
        return "run"
    refuse_shards(path)
    if any(name.endswith(parquet.SUFFIX) for name in names):
        return "parquet"
    if {voc.CLASSES, voc.OBJECTS, voc.BOXES} & has:
        return "voc"
    if "labels" in has and any(name.endswith((".yaml", ".yml", "classes.txt")) for name in names):
        return "yolo"
    if cvat.FILE in has:
        return "cvat"
    suffixes = {os.path.splitext(file)[1].lower() for file in walk_files(path)}
    json_names = [name for name in names if name.endswith(".json")]
    if ".json" in suffixes:
        first = labelme.json_files(path)[0][1]
        kind = _of_file(first)
        if kind == "labelme" or (kind is not None and len(json_names) == 1):
            return kind
    if ".npz" in suffixes:
        return "npz"
    if suffixes & set(IMAGE_SUFFIXES):
        return pictures.picture_kind(path)
    return "yolo" if ".txt" in suffixes else None


def _of_file(path: str) -> str | None:
    name = path.lower()
    if os.path.basename(path) == MANIFEST_NAME:
        return "run"
    if name.endswith(".xml"):
        return "cvat"
    if name.endswith(parquet.SUFFIX):
        return "parquet"
    if name.endswith((".yaml", ".yml")):
        return "yolo"
    if name.endswith(IMAGE_SUFFIXES):
        return pictures.picture_kind(path)
    if not name.endswith(".json"):
        return None
    data = read_json_of(path)
    if isinstance(data, list):
        return "label-studio"
    if isinstance(data, dict) and "shapes" in data:
        return "labelme"
    return "coco" if isinstance(data, dict) and "annotations" in data else None
