"""Every format through files and back, alone and one after the other."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from PIL import Image

from pointlabel.io.exchange.base import Images
from pointlabel.io.exchange.convert import convert, export
from pointlabel.io.exchange.ledger import ExportFolder
from pointlabel.io.exchange.table import FORMATS, detect, file_in
from pointlabel.io.manifest import LEDGER_NAME
from tests.io.exchange.drawn import CASES, facts, masks_from, sets_of_masks

#: Formats that hold masks, and what they keep beside them: labels, scores.
KEEPS = {
    "instances": (False, False),
    "coco": (True, True),
    "yolo-seg": (True, False),
    "voc": (True, False),
    "labelme": (True, True),
    "label-studio": (True, True),
    "cvat": (True, False),
    "parquet": (True, True),
}
POLYGONS = ("coco", "labelme", "label-studio", "cvat")


def write(name, images, folder, **options):
    export(images, ExportFolder(str(folder)), FORMATS[name], **options)


def read(name, folder, images=None):
    form = FORMATS[name]
    assert form.read is not None
    return list(form.read(file_in(str(folder), form), Images(images), 127))


def draw(images, folder):
    """Image files of the sizes of the masks, for formats that do not say them."""
    for image in images:
        path = folder / image.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros(image.shape, np.uint8)).save(path)


@pytest.mark.parametrize("polygons", [False, True])
@pytest.mark.parametrize("name", KEEPS)
@given(images=sets_of_masks())
@examples(max_examples=40)
def test_masks_come_back_exactly(name, polygons, images):
    if polygons and name not in POLYGONS:
        return
    if name == "voc":  # its map of labels has no colons, and its pictures no overlap
        images = [image for image in images if not any(":" in target.label for target in image.targets)]
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        draw(images, top / "images")
        write(name, images, top / "out", **({"polygons": True} if polygons else {}))
        labels, scores = KEEPS[name]
        again = read(name, top / "out", top / "images")
        assert facts(again, labels=labels, scores=scores) == facts(images, labels=labels, scores=scores)
        assert all(image.file in ("", f"{image.id}.png") for image in again)


@given(images=sets_of_masks())
@examples(max_examples=40)
def test_boxes_of_yolo_come_back_to_the_pixel(images):
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        draw(images, top / "images")
        write("yolo", images, top / "out")
        again = {image.id: image for image in read("yolo", top / "out", top / "images")}
        for image in images:
            assert [each.box for each in again[image.id].targets] == [each.box for each in image.targets]


@pytest.mark.parametrize("name", ["png", "soft", "npz"])
@pytest.mark.parametrize("case", CASES)
def test_pictures_of_masks_come_back(name, case, tmp_path):
    image = masks_from(CASES[case])
    write(name, [image], tmp_path / "out")
    (again,) = read(name, tmp_path / "out")
    assert again.mask().tolist() == image.mask().tolist()
    assert again.shape == image.shape


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """All cases in each format, and images of their sizes; (folder, name -> path)."""
    top = tmp_path_factory.mktemp("every")
    images = [masks_from(numbers, f"{k}/{name}") for k, (name, numbers) in enumerate(CASES.items())]
    images.sort(key=lambda image: image.id)
    draw(images, top / "images")
    for name in KEEPS:
        write(name, images, top / name)
    return top


def files_of(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != LEDGER_NAME]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(KEEPS, 2)))
def test_chains_of_two_formats_end_where_they_began(first, second, every, tmp_path):
    """A -> B -> A gives the files of A, but for what B does not keep: scores, and labels in numbered pictures."""
    convert(every / first, tmp_path / "b", second, images=every / "images")
    convert(tmp_path / "b", tmp_path / "a", first, images=every / "images")
    after, before = read(first, tmp_path / "a", every / "images"), read(first, every / first, every / "images")
    assert facts(after, scores=False) == facts(before, scores=False)
    if first in ("instances", "yolo-seg", "voc"):  # they keep no scores, so that the files are the same
        assert files_of(tmp_path / "a") == files_of(every / first)


@pytest.mark.parametrize("name", KEEPS)
def test_each_format_is_found_out(name, every):
    assert detect(str(every / name)) == ("yolo" if name == "yolo-seg" else name)


def test_a_second_conversion_replaces_what_the_first_wrote_and_nothing_else(every, tmp_path):
    out = tmp_path / "out"
    convert(every / "coco", out, "labelme")
    (out / "mine.txt").write_text("mine")
    before = files_of(out)
    shutil.rmtree(out / "0")
    convert(every / "coco", out, "labelme", overwrite=True)
    assert files_of(out) == before
    convert(every / "coco", out, "cvat", overwrite=True)
    assert set(files_of(out)) == {"mine.txt", "annotations.xml"}
