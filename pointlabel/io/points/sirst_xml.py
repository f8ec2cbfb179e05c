"""Centroids of SIRST-v2: a folder of XML, one file an image, under the name of the image.

Coordinates count from 1 at the centre of the first pixel; they are means weighted by brightness.
"""

from __future__ import annotations

from ...errors import InputError
from ..xml_files import parse_xml
from .base import PointRow
from .folder import FileFolder, Parsed
from .given import Given, head_of
from .values import as_size, at, parse_float


def is_sirst_xml(given: Given) -> bool:
    """Whether some XML file holds a ``centroid``."""
    return any(b"<centroid" in head_of(path) for path in given.some(".xml"))


def read_sirst_xml(given: Given, origin: str = "center") -> FileFolder:
    """List the XML files of a folder, or one; each is read when its image is.

    Raises
    ------
    InputError
        Where there is no such file.
    """
    files = given.with_suffix(".xml")
    if not files:
        raise InputError(f"{given.path}: there is no XML file of centroids")
    return FileFolder(given.path, files, parse_sirst_xml)


def parse_sirst_xml(path: str, data: bytes) -> Parsed:
    """Read the centroids of one image; a file without objects is an image without targets."""
    root = parse_xml(path, data)
    with at(path, "size"):
        shape = as_size(root.findtext("size/width"), root.findtext("size/height"))
    rows = []
    for k, item in enumerate(root.iter("object"), start=1):
        place = f"object {k}"
        with at(path, place):
            x, y = (parse_float(item.findtext(f"centroid/{name}"), name) for name in ("xc", "yc"))
            label = (item.findtext("name") or "").strip()
            rows.append(PointRow(y - 1, x - 1, place, f"(xc, yc) = ({x:g}, {y:g})", label=label))
    return Parsed(tuple(rows), shape)
