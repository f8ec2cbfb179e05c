"""The table of layouts: a rule for each, which claims a folder by what it holds; the first that does gets it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from ..images import FilePattern
from .parts import Folder, IdList, Parts

#: Names of folders that are parts of a data set, by the part's usual name.
_PART_FOLDERS = ("train", "trainval", "training", "val", "valid", "test", "testing")
#: Folders of one-pixel images, by kind, in layouts that repeat them in several places.
_POINT_NAMES = {"centroid": "masks_centroid", "coarse": "masks_coarse"}


class Layout(NamedTuple):
    """A layout.

    Attributes
    ----------
    name : of the layout.
    used_by : data sets and programs that have it.
    shown_by : what claims a folder, in words.
    find : folder -> its parts, or None where it is another layout.
    """

    name: str
    used_by: str
    shown_by: str
    find: Callable[[Folder], Parts | None]


def find_layout(root: str | os.PathLike[str]) -> Parts:
    """Say how the folder `root` is laid out: the first layout of `LAYOUTS` that claims it.

    The last one, "flat", claims any folder. Only names are looked at; no file is read but the first bytes of exports.
    """
    folder = Folder(os.fspath(root))
    for layout in LAYOUTS:
        parts = layout.find(folder)
        if parts is not None:
            return parts
    raise AssertionError("the last layout claims any folder")


def image_place(where: str) -> str:
    """Where the images of a data set are; any other place is that of images itself."""
    if not os.path.isdir(where) or isinstance(where, FilePattern):
        return where
    parts = find_layout(where)
    return parts.images if parts.is_dataset else where


def _plain_images(folder: Folder, name: str, why: str, lists: tuple[IdList, ...], where: str, masks: str) -> Parts:
    """A layout with ``images/``, one folder of masks and lists in one folder."""
    points, export = folder.points(), _find_export(folder)
    if not points and export is not None:
        points = _export_points(folder, export)
    return Parts(name, why, folder.root, folder.path("images"), folder.first(f"{masks}/"), points, lists, where)


def _d2d(folder: Folder) -> Parts | None:
    for mode, masks in (("mode_bilevel", "full-supervised"), ("mode", "labels")):
        if folder.has("images/", f"{mode}/train.txt", f"{masks}/"):
            why = f"{mode}/train.txt and {masks}/"
            return _plain_images(folder, "D2D", why, folder.lists(mode), folder.path(mode), masks)
    return None


def _mclc(folder: Folder) -> Parts | None:
    if not folder.has("images/", "mode/train.txt", "masks/"):
        return None
    why = "mode/train.txt and masks/"
    return _plain_images(folder, "MCLC", why, folder.lists("mode"), folder.path("mode"), "masks")


def _basic_irstd(folder: Folder) -> Parts | None:
    lists, where, why = folder.lists("img_idx"), folder.path("img_idx"), "images/ and lists in img_idx/"
    if not lists:  # LESPS ships its lists one level up
        found = [name for name in folder.files if re.fullmatch(r"(train|test|val)_.+\.txt", name)]
        lists = tuple(IdList(name.removesuffix(".txt"), folder.path(name)) for name in found)
        where, why = folder.root, f"images/ and {found[0] if found else ''} beside it"
    if not lists:
        return None
    if folder.has("images/"):
        return _plain_images(folder, "BasicIRSTD", why, lists, where, "masks")
    if folder.has("IRSTD1k_Img/") or not folder.has("img_idx/"):
        return None
    return Parts("flat with lists", "images and lists in img_idx/", folder.root, folder.root, None, {}, lists, where)


def _dnanet(folder: Folder) -> Parts | None:
    found = [name for name in folder.folders if re.fullmatch(r"\d+_\d+", name) and folder.has(f"{name}/train.txt")]
    if not found or not folder.has("images/"):
        return None
    where = folder.path(found[0]) if len(found) == 1 else folder.root
    return _plain_images(folder, "DNANet", f"images/ and {found[0]}/train.txt", folder.lists(*found), where, "masks")


def _sirst_v1(folder: Folder) -> Parts | None:
    found = [name for name in folder.folders if re.fullmatch(r"idx_\d+", name)]
    if not found or not folder.has("images/"):
        return None
    where = folder.path(found[0]) if len(found) == 1 else folder.root
    return _plain_images(folder, "SIRST v1", f"images/ and {found[0]}/", folder.lists(*found), where, "masks")


def _sirst_v2(folder: Folder) -> Parts | None:
    lists = folder.lists("splits")
    if not lists or not folder.has("annotations/"):
        return None
    images = folder.path("images")
    if folder.has("images/targets/"):
        images = FilePattern(folder.root, r"images/(?:targets|backgrounds)/(.+)")
    elif folder.has("mixed/"):
        images = folder.path("mixed")
    elif not folder.has("images/"):
        return None
    masks = folder.first("annotations/masks/", "masks/")
    why = "lists in splits/, and annotations/"
    return Parts("SIRST v2", why, folder.root, images, masks, folder.points(), lists, folder.path("splits"))


def _irstd_1k(folder: Folder) -> Parts | None:
    if not folder.has("IRSTD1k_Img/", "IRSTD1k_Label/"):
        return None
    lists, where = folder.lists("img_idx"), folder.path("img_idx")
    if not lists:
        lists = _root_lists(folder)
        where = folder.root if lists else where
    images, masks = folder.path("IRSTD1k_Img"), folder.path("IRSTD1k_Label")
    why = "IRSTD1k_Img/ and IRSTD1k_Label/"
    return Parts("IRSTD-1k", why, folder.root, images, masks, folder.points(), lists, where)


def _root_lists(folder: Folder) -> tuple[IdList, ...]:
    names = [f"{part}.txt" for part in sorted(_PART_FOLDERS)]
    return tuple(IdList(name.removesuffix(".txt"), folder.path(name)) for name in names if name in folder.files)


def _mshnet(folder: Folder) -> Parts | None:
    lists = _root_lists(folder)
    if not folder.has("images/") or not {each.name for each in lists} & {"train", "trainval"}:
        return None
    why = f"images/ and {lists[-1].name}.txt beside it"
    return _plain_images(folder, "MSHNet", why, lists, folder.root, "masks")


def _pal(folder: Folder) -> Parts | None:
    if not folder.has("origin/img/", "origin/mask/"):
        return None
    parts = ["origin", *(["val"] if folder.has("val/img/") else [])]
    either = "|".join(parts)
    points = {
        kind: FilePattern(folder.root, rf"({either})/{name}/(.+)")
        for kind, name in _POINT_NAMES.items()
        if folder.has(f"origin/{name}/")
    }
    lists = (IdList("train", None, "origin"), *(IdList(each, None, each) for each in parts[1:]))
    images, masks = (FilePattern(folder.root, rf"({either})/{name}/(.+)") for name in ("img", "mask"))
    why = "origin/img/ and origin/mask/"
    return Parts("PAL", why, folder.root, images, masks, folder.points() | points, lists, folder.root)


def _by_folder(folder: Folder) -> Parts | None:
    parts = [name for name in _PART_FOLDERS if folder.has(f"{name}/images/")]
    if not parts or not any(folder.has(f"{name}/masks/") or folder.has(f"{name}/masks_centroid/") for name in parts):
        return None
    either = "|".join(parts)
    found = {
        name: FilePattern(folder.root, rf"({either})/{name}/(.+)")
        for name in ("images", "masks", "masks_centroid", "masks_coarse")
        if any(folder.has(f"{part}/{name}/") for part in parts)
    }
    points = folder.points() | {kind: found[name] for kind, name in _POINT_NAMES.items() if name in found}
    lists = tuple(IdList(name, None, name) for name in sorted(parts))
    why = " and ".join(f"{name}/images/" for name in parts)
    return Parts("SIRST-Aug", why, folder.root, found["images"], found.get("masks"), points, lists, folder.root)


def _mdvsfa(folder: Folder) -> Parts | None:
    if not folder.has("training/"):
        return None
    with os.scandir(folder.path("training")) as names:
        first = next((entry.name for entry in names if re.fullmatch(r"\d+_1\.\w+", entry.name)), None)
    if first is None:
        return None
    images = FilePattern(folder.root, r"(training)/(\d+)_1", r"(test)_org/(.+)")
    masks = FilePattern(folder.root, r"(training)/(\d+)_2", r"(test)_gt/(.+)")
    test = (IdList("test", None, "test"),) if folder.has("test_org/") else ()
    lists = (*test, IdList("train", None, "training"))
    why = f"training/{first}" if not test else "training/*_1.png and test_org/"
    return Parts("MDvsFA", why, folder.root, images, masks, folder.points(), lists, folder.root)


def _mirsdt(folder: Folder) -> Parts | None:
    first = next(
        (name for name in folder.folders if re.fullmatch(r"Sequence\d+", name) and folder.has(f"{name}/Mix/")), None
    )
    if first is None:
        return None
    sequence = r"(Sequence\d+)/"
    images = FilePattern(folder.root, sequence + r"Mix/(.+)", arrays=True)
    masks = FilePattern(folder.root, sequence + r"(?:masks|Mix_masks[^/]*)/(.+)")
    points = {
        kind: FilePattern(folder.root, sequence + f"{name}/(.+)")
        for kind, name in _POINT_NAMES.items()
        if folder.has(f"{first}/{name}/")
    }
    every, lists = folder.points() | points, _root_lists(folder)
    return Parts("NUDT-MIRSDT", f"{first}/Mix/", folder.root, images, masks, every, lists, folder.root)


def _images(folder: Folder) -> Parts | None:
    if not folder.has("images/"):
        return None
    points, masks = folder.points(), folder.first("masks/")
    export = _find_export(folder)
    if not points and export is not None:
        return None
    beside = [os.path.relpath(path, folder.root) for path in ([masks] if masks else []) + [*points.values()]]
    why = ", ".join(["images/", *(f"{name}/" if folder.has(f"{name}/") else name for name in beside)])
    # With nothing beside them, images/ is one folder of images among any others.
    return Parts("plain", why, folder.root, folder.path("images"), masks, points, is_dataset=bool(masks or points))


def _export(folder: Folder) -> Parts | None:
    found = _find_export(folder)
    if found is None:
        return None
    images = folder.first("images/", "data/") or folder.root
    points = _export_points(folder, found)
    return Parts("export", found, folder.root, images, folder.first("masks/"), points)


def _export_points(folder: Folder, found: str) -> dict[str, str]:
    return {"centroid": folder.root if found.endswith("beside images") else folder.path(found)}


def _find_export(folder: Folder) -> str | None:
    """The file of an annotation program that holds the points, or what sidecars there are."""
    for name, start in _EXPORTS.items():
        pattern = re.compile(name)
        places = [*folder.files, *(f"annotations/{each}" for each in _names(folder, "annotations"))]
        for place in places:
            if pattern.fullmatch(place.removeprefix("annotations/")) and _starts_with(folder.path(place), start):
                return place
    sidecar = folder.images_beside(".json")
    return None if sidecar is None else f"{sidecar} beside images"


#: Names of exports, and what must stand in their first bytes.
_EXPORTS = {
    r"annotations\.xml": b"<annotations",
    r"(instances|person_keypoints|.*_annotations\.coco|_annotations\.coco).*\.json": b'"images"',
    r"project-.*\.json": b"keypointlabels",
    r"default\.json": b'"items"',
    r"data\.ya?ml": b"kpt_shape",
}
_FIRST_BYTES = 1 << 16


def _names(folder: Folder, name: str) -> list[str]:
    return sorted(os.listdir(folder.path(name))) if folder.has(f"{name}/") else []


def _starts_with(path: str, word: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return word in file.read(_FIRST_BYTES)
    except OSError:
        return False


def _flat(folder: Folder) -> Parts:
    return Parts("flat", "none of the others", folder.root, folder.root, is_dataset=False)


#: The first that claims a folder gets it.
LAYOUTS = (
    Layout("D2D", "D2D", "`images/`, `mode/train.txt` and `labels/`, or `mode_bilevel/` and `full-supervised/`", _d2d),
    Layout("MCLC", "MCLC", "`images/`, `mode/train.txt` and `masks/`", _mclc),
    Layout(
        "BasicIRSTD",
        "BasicIRSTD, LESPS, EDGSP, SCTransNet, SIRST3",
        "`images/` and lists in `img_idx/`, or `train_NAME.txt` beside it",
        _basic_irstd,
    ),
    Layout("DNANet", "DNANet, NUST-SIRST", "`images/` and `50_50/train.txt` or the like", _dnanet),
    Layout("SIRST v1", "SIRST v1, ACM, COM", "`images/` and `idx_427/` or the like", _sirst_v1),
    Layout("SIRST v2", "SIRST v2", "lists in `splits/`, and `annotations/`", _sirst_v2),
    Layout("IRSTD-1k", "IRSTD-1k as published", "`IRSTD1k_Img/` and `IRSTD1k_Label/`", _irstd_1k),
    Layout("MSHNet", "MSHNet", "`images/` and `trainval.txt` or `train.txt` beside it", _mshnet),
    Layout("PAL", "PAL", "`origin/img/` and `origin/mask/`", _pal),
    Layout("SIRST-Aug", "SIRST-Aug, SPFormer", "`trainval/images/`, `test/images/` or the like", _by_folder),
    Layout("MDvsFA", "MDvsFA, NUST-SIRST as published", "`training/000000_1.png`", _mdvsfa),
    Layout("NUDT-MIRSDT", "NUDT-MIRSDT", "`Sequence1/Mix/`", _mirsdt),
    Layout("plain", "this program", "`images/` beside `masks/`, `masks_centroid/`, `clicks.csv` ...", _images),
    Layout("export", "annotation programs", "`annotations.xml`, `instances*.json`, sidecars, `data.yaml`", _export),
    Layout("flat", "-", "images alone", _flat),
)
