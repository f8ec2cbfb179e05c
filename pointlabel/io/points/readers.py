"""The table of point readers: one per format, and the rule that chooses one by what a path holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from ...errors import InputError, name_hint
from ..manifest import LEDGER_NAME, holds_run
from ..walk import IMAGE_SUFFIXES, name_contents
from .base import PointSource
from .bestie import is_bestie, read_bestie
from .coco import is_coco, read_coco
from .cvat import is_cvat, read_cvat
from .datumaro import is_datumaro, read_datumaro
from .formats import FORMATS
from .given import Given
from .images import ImageFolder
from .label_studio import is_label_studio, read_label_studio
from .labelme import is_labelme, read_labelme
from .labelu import is_labelu, read_labelu
from .manifest import is_manifest, read_manifest_points
from .mclc import is_mclc, read_mclc
from .napari import is_napari, read_napari
from .sirst_xml import is_sirst_xml, read_sirst_xml
from .table import is_table, read_table
from .yolo import is_yolo, read_yolo


class PointReader(NamedTuple):
    """A format of points.

    Attributes
    ----------
    name : out of `FORMATS`.
    claims : whether what is given looks like this format.
    open : (given, origin) -> the points of all images; `origin` is "center" or "corner".
    names_images : whether its files name images, so that they can come from standard input or a URI.
    """

    name: str
    claims: Callable[[Given], bool]
    open: Callable[[Given, str], PointSource]
    names_images: bool = True


def _holds_images(given: Given) -> bool:
    paths = given.files if given.is_folder else [given.path]
    return any(path.lower().endswith(IMAGE_SUFFIXES) for path in paths)


def _open_images(given: Given, origin: str) -> ImageFolder:
    return ImageFolder(given.path)


#: The first that claims what is given gets it; in the order of `FORMATS`.
READERS = (
    PointReader("manifest", is_manifest, read_manifest_points),
    PointReader("labelme", is_labelme, read_labelme),
    PointReader("coco", is_coco, read_coco),
    PointReader("datumaro", is_datumaro, read_datumaro),
    PointReader("labelu", is_labelu, read_labelu),
    PointReader("label-studio", is_label_studio, read_label_studio),
    PointReader("cvat", is_cvat, read_cvat),
    PointReader("sirst-xml", is_sirst_xml, read_sirst_xml, False),
    PointReader("mclc", is_mclc, read_mclc, False),
    PointReader("napari", is_napari, read_napari),
    PointReader("yolo", is_yolo, read_yolo, False),
    PointReader("bestie", is_bestie, read_bestie, False),
    PointReader("csv", is_table, read_table),
    PointReader("one-pixel", _holds_images, _open_images, False),
)
#: Suffixes of files that may be the one of a folder that holds the points.
_WHOLE = (".json", ".jsonl", ".xml", ".csv")


def open_points(
    path: str | os.PathLike[str],
    origin: str = "center",
    *,
    points_format: str | None = None,
    allow_pickle: bool = False,
    beside_images: bool = False,
) -> PointSource:
    """Open the points at `path` with the first reader that claims what is there.

    Parameters
    ----------
    path : a file, a folder, the URI of a file, or ``-`` for standard input.
    origin : of the coordinates of formats without an origin of their own: "center" of the first pixel, or its "corner".
    points_format : a name out of `FORMATS`, in place of what the content says.
    allow_pickle : whether the pickled tables of MCLC may be read.
    beside_images : whether `path` is the folder of the images, which are then no one-pixel images.

    Raises
    ------
    InputError
        Where there is nothing, no reader claims it, or it cannot be read.
    """
    text = os.fspath(path)
    if points_format is not None and points_format not in FORMATS:
        raise InputError(f"points_format must be one of {', '.join(FORMATS)}; {name_hint(points_format, FORMATS)}")
    given = Given(text)
    reader = find_reader(given, beside_images=beside_images) if points_format is None else _named(points_format)
    if reader is None:
        one = None if points_format is not None else _one_file(given, beside_images)
        if one is not None:
            return open_points(one, origin, allow_pickle=allow_pickle)
        if beside_images:
            raise InputError(f"{text}: images and points are the same folder, which holds no points but images")
        titles = ", ".join(FORMATS.values())
        there = f"; the folder {name_contents(text)}" if given.is_folder else ""
        raise InputError(f"{given.path}: no points that can be read; they must be one of: {titles}{there}")
    if given.is_stream and not reader.names_images:
        raise InputError(
            f"{given.path}: points there must name their images, which {FORMATS[reader.name]} does not; use a table"
        )
    if reader.name == "mclc":
        return read_mclc(given, origin, allow_pickle)
    try:
        return reader.open(given, origin)
    except InputError as error:
        other = None if points_format is None else find_reader(given, beside_images=beside_images)
        if other is None or other is reader:
            raise
        raise InputError(f"{error}; points_format is {reader.name}, and the content that of {other.name}") from None


def find_reader(given: Given, *, beside_images: bool = False) -> PointReader | None:
    """The first reader that claims what is given, None where none does.

    A folder that holds one whole file of points and no images is left for that file.
    """
    for reader in READERS:
        if reader.name == "one-pixel" and (beside_images or _one_file(given, beside_images) is not None):
            return None
        if reader.claims(given):
            return reader
    return None


def has_own_points(place: str) -> bool:
    """Whether a folder of images holds points beside them, or a file beside an image is one of points."""
    given = Given(place)
    return find_reader(given, beside_images=True) is not None or _one_file(given, True) is not None


def _named(name: str) -> PointReader:
    return next(reader for reader in READERS if reader.name == name)


def _one_file(given: Given, beside_images: bool) -> str | None:
    """The one file of a folder that a reader of files claims; None in a folder of images, but for the run's own."""
    if not given.is_folder or (given.has_images and not beside_images):
        return None
    every = [path for path in given.files if path.lower().endswith(_WHOLE) and os.path.basename(path) != LEDGER_NAME]
    # Those in the folder itself go before what lies deeper; runs that lie deeper are others' and left out.
    paths = [path for path in every if os.path.relpath(path, given.path) == os.path.basename(path)]
    paths = paths or [path for path in every if not holds_run(os.path.dirname(path))]
    if len(paths) != 1:
        return None
    reader = find_reader(Given(paths[0]))
    return None if reader is None else paths[0]
