"""CVAT for images 1.1: one XML, masks as runs inside their box, row by row; polygons and boxes are read too."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator

from ...errors import InputError
from ..files import read_bytes
from ..xml_files import parse_xml
from . import rings, rle
from .base import TARGET, ImageMasks, Images, MaskTarget, Out, check_shape, id_of, make_target, plain_file
from .labelme import placed

FILE = "annotations.xml"


def write_cvat(images: Iterable[ImageMasks], out: Out, *, polygons: bool = False) -> None:
    """Write ``annotations.xml``."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    labels = ElementTree.SubElement(ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task"), "labels")
    seen: set[str] = set()
    for number, image in enumerate(images):
        about = {
            "id": str(number),
            "name": image.file_name,
            "width": str(image.shape[1]),
            "height": str(image.shape[0]),
        }
        parent = ElementTree.SubElement(root, "image", about)
        for target in image.targets:
            if target.label not in seen:
                seen.add(target.label)
                ElementTree.SubElement(ElementTree.SubElement(labels, "label"), "name").text = target.label
            entry = {"label": target.label, "source": "auto", "occluded": "0"}
            if polygons:
                ring = rings.join(rings.trace(target.mask, target.origin))
                entry["points"] = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
            else:
                left, top, width, height = target.box
                counts = rle.count_rows(target.mask, (0, 0), target.mask.shape)
                entry["rle"] = ", ".join(map(str, counts))
                entry |= {"left": str(left), "top": str(top), "width": str(width), "height": str(height)}
            ElementTree.SubElement(parent, "polygon" if polygons else "mask", {**entry, "z_order": "0"})
    out.write(FILE, encode_xml(root, FILE))


def encode_xml(root: ElementTree.Element, where: str) -> bytes:
    """The indented text of an element; raise `InputError` where it holds what XML cannot, as control characters are."""
    ElementTree.indent(root)
    try:
        text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        ElementTree.fromstring(text)
    except (ElementTree.ParseError, UnicodeError) as error:
        raise InputError(f"{where}: a name or a label holds a character that XML has not ({error})") from None
    return text + b"\n"


def read_xml(path: str) -> ElementTree.Element:
    """The root of an XML file; raise `InputError` where it is none, or has definitions of its own."""
    refused = "XML with a document type or entities of its own is not read"
    return parse_xml(path, read_bytes(path), "no XML, or a damaged file", refused)


def read_cvat(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read the masks, polygons and boxes of an export; tracks of a video are refused."""
    file = os.path.join(path, FILE) if os.path.isdir(path) else path
    root = read_xml(file)
    if root.tag != "annotations":
        raise InputError(f"{file}: the outermost element must be annotations, got {root.tag}")
    if root.find("track") is not None:
        raise InputError(f"{file}: tracks of a video are not read; export the task as CVAT for images 1.1")
    for entry in root.iter("image"):
        name = entry.get("name", "")
        where = f"{file}: {name}"
        shape = check_shape(entry.get("height"), entry.get("width"), where)
        targets = [target for child in entry for target in _target_of(child, shape, where)]
        yield ImageMasks(id_of(name, file), shape, tuple(targets), plain_file(name))


def _target_of(entry: ElementTree.Element, shape: tuple[int, int], where: str) -> Iterable[MaskTarget]:
    window: rle.Window | None
    try:
        if entry.tag == "mask":
            left, top, width, height = (int(float(entry.attrib[key])) for key in ("left", "top", "width", "height"))
            counts = [int(count) for count in entry.attrib["rle"].split(",")]
            if min(left, top) < 0:
                raise InputError(f"{where}: a mask must lie inside its image, got left {left}, top {top}")
            found = rle.decode_rows(counts, (height, width), where)
            window = None if found is None else placed(found[1], (found[0][0] + top, found[0][1] + left), shape)
        elif entry.tag == "polygon":
            ring = [(float(x), float(y)) for x, y in (pair.split(",") for pair in entry.attrib["points"].split(";"))]
            window = rings.fill([ring], shape)
        elif entry.tag == "box":
            left_, top_, right, bottom = (float(entry.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
            window = rings.fill([rings.rectangle((left_, top_, right - left_, bottom - top_))], shape)
        else:
            return []
    except InputError:
        raise
    except (KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: a {entry.tag} is not as the format has it ({error})") from None
    return [] if window is None else make_target(window[1], window[0], entry.get("label") or TARGET)
