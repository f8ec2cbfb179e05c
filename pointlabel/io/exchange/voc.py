"""Pascal VOC: boxes as XML, and palette pictures of the classes and of the single targets.

Boxes count their first pixel as 1 and name the last pixel that is inside.
"""

from __future__ import annotations

import io
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import InputError
from ..decode import decode_channels
from ..files import read_bytes
from ..images import normal_id, stem_below
from ..text import encode_text, read_text
from ..walk import walk_files
from . import rings
from .base import TARGET, ImageMasks, Images, MaskTarget, Out, check_shape, make_target, plain_file
from .cvat import encode_xml, read_xml

BOXES, CLASSES, OBJECTS = "Annotations", "SegmentationClass", "SegmentationObject"
LABELMAP = "labelmap.txt"
LISTS = ("ImageSets/Main/default.txt", "ImageSets/Segmentation/default.txt")
_MOST = 254  # 255 is the border that no class has


def colour_of(index: int) -> tuple[int, int, int]:
    """Colour of an index in the palette of VOC: the bits of the index dealt out to red, green and blue."""
    levels = [0, 0, 0]
    for bit in range(8):
        channel = bit % 3
        levels[channel] |= (index >> bit & 1) << (7 - bit // 3)
    return levels[0], levels[1], levels[2]


PALETTE = [colour_of(index) for index in range(256)]


def write_voc(images: Iterable[ImageMasks], out: Out) -> None:
    """Write the boxes, the two pictures of each image, the lists of images and ``labelmap.txt``.

    Raises
    ------
    InputError
        Where an image has more targets, or all have more categories, than the palette numbers.
    """
    categories: dict[str, int] = {}
    names = []
    for image in images:
        if len(image.targets) > _MOST:
            raise InputError(f"{image.id}: VOC numbers {_MOST} targets an image, got {len(image.targets)}; write coco")
        classes = np.zeros(image.shape, np.uint8)
        for target in image.targets:
            number = categories.setdefault(target.label, len(categories) + 1)
            if number > _MOST:
                raise InputError(f"VOC numbers {_MOST} categories, got more; write coco")
            classes[target.window][target.mask] = number
        out.write(f"{BOXES}/{image.id}.xml", _encode_boxes(image))
        out.write(f"{CLASSES}/{image.id}.png", _encode_palette(classes))
        out.write(f"{OBJECTS}/{image.id}.png", _encode_palette(image.instances().astype(np.uint8)))
        names.append(image.id)
    for path in LISTS:
        out.write(path, encode_text("".join(f"{name}\n" for name in names)))
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    for name, number in (categories or {TARGET: 1}).items():
        if ":" in name or "\n" in name:
            raise InputError(f"label {name!r}: a label map of VOC cannot hold a colon or a line end; write coco")
        lines.append(f"{name}:{','.join(map(str, PALETTE[number]))}::")
    out.write(LABELMAP, encode_text("".join(f"{line}\n" for line in lines)))


def _encode_palette(indices: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(indices)  # the grey levels become places in the palette
    picture.putpalette([level for colour in PALETTE for level in colour])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _encode_boxes(image: ImageMasks) -> bytes:
    root = ElementTree.Element("annotation")
    folder, _, name = image.file_name.rpartition("/")
    for tag, text in (("folder", folder), ("filename", name)):
        ElementTree.SubElement(root, tag).text = text
    size = ElementTree.SubElement(root, "size")
    for tag, number in (("width", image.shape[1]), ("height", image.shape[0]), ("depth", 1)):
        ElementTree.SubElement(size, tag).text = str(number)
    ElementTree.SubElement(root, "segmented").text = "1"
    for target in image.targets:
        left, top, width, height = target.box
        entry = ElementTree.SubElement(root, "object")
        for tag, text in (("name", target.label), ("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            ElementTree.SubElement(entry, tag).text = text
        box = ElementTree.SubElement(entry, "bndbox")
        corners = (("xmin", left + 1), ("ymin", top + 1), ("xmax", left + width), ("ymax", top + height))
        for tag, number in corners:
            ElementTree.SubElement(box, tag).text = str(number)
    return encode_xml(root, image.id)


def read_voc(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read the pictures of single targets; where an image has none, its boxes become full rectangles."""
    boxes, objects, classes = (_files(os.path.join(path, part)) for part in (BOXES, OBJECTS, CLASSES))
    if objects and not classes:
        raise InputError(f"{path}: {OBJECTS} has no {CLASSES} beside it")
    names = _label_map(path)
    for image_id in sorted(boxes.keys() | classes.keys()):
        shown = ""
        targets: list[MaskTarget] = []
        shape = None
        if image_id in boxes:
            shape, shown, targets = _read_boxes(boxes[image_id])
            parent = image_id.rpartition("/")[0]
            shown = f"{parent}/{shown}" if parent and shown else shown
        if image_id in classes:
            kinds = _read_colours(classes[image_id])
            singles = _read_colours(objects[image_id]) if image_id in objects else None
            if singles is not None and singles.shape != kinds.shape:
                raise InputError(f"{objects[image_id]}: of another size than {classes[image_id]}")
            shape = (kinds.shape[0], kinds.shape[1])
            targets = _split(kinds, kinds if singles is None else singles, names)
        assert shape is not None
        yield ImageMasks(image_id, shape, tuple(targets), shown)


def _files(folder: str) -> dict[str, str]:
    return {normal_id(stem_below(file, folder)): file for file in walk_files(folder) if file.endswith((".xml", ".png"))}


def _read_colours(file: str) -> NDArray[np.int64]:
    """Colours as one number a pixel, the palette looked up."""
    pixels, _ = decode_channels(read_bytes(file), file)
    wide = pixels.astype(np.int64)
    return wide * 0x10101 if wide.ndim == 2 else (wide[..., 0] << 16) + (wide[..., 1] << 8) + wide[..., 2]


def _number(colour: tuple[int, ...]) -> int:
    return (colour[0] << 16) + (colour[1] << 8) + colour[2]


_INDEX = {_number(colour): index for index, colour in enumerate(PALETTE)}
_VOID = _number(PALETTE[255])


def _split(kinds: NDArray[np.int64], singles: NDArray[np.int64], names: dict[int, str]) -> list[MaskTarget]:
    """A target for each colour of `singles`, in the order of the palette; their category is the colour of `kinds`."""
    colours = np.unique(singles[(singles != 0) & (singles != _VOID)]).tolist()
    out = []
    for colour in sorted(colours, key=lambda each: (_INDEX.get(each, 256), each)):
        mask = singles == colour
        values, counts = np.unique(kinds[mask], return_counts=True)
        kind = int(values[counts.argmax()])
        default = TARGET if not names else f"{kind >> 16},{kind >> 8 & 255},{kind & 255}"
        out += make_target(mask, label=names.get(kind, default))
    return out


def _label_map(path: str) -> dict[int, str]:
    """Colour -> name, of ``labelmap.txt``; empty where there is none."""
    file = os.path.join(path, LABELMAP)
    names = {}
    for line in read_text(file, "a label map").splitlines() if os.path.isfile(file) else ():
        parts = line.split(":")
        levels = parts[1].split(",") if len(parts) > 1 else []
        if len(levels) == 3 and all(level.strip().isdigit() for level in levels):
            names[_number(tuple(int(level) for level in levels))] = parts[0]
    return names


def _read_boxes(file: str) -> tuple[tuple[int, int], str, list[MaskTarget]]:
    root = read_xml(file)
    shape = check_shape(root.findtext("size/height"), root.findtext("size/width"), file)
    targets = []
    for entry in root.iter("object"):
        try:
            xmin, ymin, xmax, ymax = (
                float(entry.findtext(f"bndbox/{tag}", "")) for tag in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            raise InputError(f"{file}: an object must have a bndbox of four numbers") from None
        window = rings.fill([rings.rectangle((xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1))], shape)
        if window is not None:
            targets += make_target(window[1], window[0], entry.findtext("name") or TARGET)
    return shape, plain_file(root.findtext("filename") or ""), targets
