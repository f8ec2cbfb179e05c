"""What the tools' own readers make of the files, and what is read of files that the tools wrote."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pointlabel.io.exchange import rings, rle, rle_pack
from pointlabel.io.exchange.base import Images
from pointlabel.io.exchange.convert import export
from pointlabel.io.exchange.ledger import ExportFolder
from pointlabel.io.exchange.table import FORMATS
from tests.io.exchange.drawn import CASES, masks_from

ALL = [masks_from(numbers, name.replace(" ", "_")) for name, numbers in CASES.items()]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function (name, polygons) -> the folder of all cases in a format, with images beside it."""
    top = tmp_path_factory.mktemp("exported")
    (top / "images").mkdir()
    for image in ALL:
        Image.fromarray(np.zeros(image.shape, np.uint8)).save(top / "images" / image.file_name)

    def write(name, polygons=False):
        folder = top / f"{name}{polygons}"
        if not folder.exists():
            export(ALL, ExportFolder(str(folder)), FORMATS[name], polygons=polygons)
            place = folder / {"yolo": "images/train", "coco": "images/default", "cvat": "images"}.get(name, "images")
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(top / "images")
        return folder

    return write


@given(
    full=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)),
    rows=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    columns=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
@examples(max_examples=300)
def test_run_lengths_of_a_window_are_the_bytes_of_pycocotools(full, rows, columns):
    coco = pytest.importorskip("pycocotools.mask")
    whole = np.pad(full, (rows, columns))
    expected = coco.encode(np.asfortranarray(whole.astype(np.uint8)))["counts"].decode()
    assert rle.encode(full, (rows[0], columns[0]), whole.shape) == expected
    found = rle.decode(rle.decompress(expected, "x"), whole.shape, "x")
    again = np.zeros(whole.shape, bool)
    if found is not None:
        (row, column), mask = found
        again[row : row + mask.shape[0], column : column + mask.shape[1]] = mask
    assert (again == whole).all()
    if whole.any():
        flat = [value for corner in rings.join(rings.trace(whole)) for value in corner]
        drawn = coco.decode(coco.frPyObjects([flat], *whole.shape)[0])
        assert (drawn == whole).all()


def test_run_lengths_of_a_large_image_are_those_of_pycocotools():
    coco = pytest.importorskip("pycocotools.mask")
    whole = np.zeros((1024, 1280), bool)
    whole[1000:1024, 1270:1280] = np.random.default_rng(0).random((24, 10)) < 0.7
    expected = coco.encode(np.asfortranarray(whole.astype(np.uint8)))["counts"].decode()
    assert rle.encode(whole[1000:, 1270:], (1000, 1270), whole.shape) == expected


@pytest.mark.parametrize("polygons", [False, True])
def test_pycocotools_reads_every_mask(exported, polygons):
    module = pytest.importorskip("pycocotools.coco")
    data = module.COCO(str(exported("coco", polygons) / "instances.json"))
    assert len(data.getImgIds()) == len(ALL)
    for image, number in zip(ALL, data.getImgIds(), strict=True):
        entries = data.loadAnns(data.getAnnIds(imgIds=[number]))
        assert len(entries) == len(image.targets)
        for entry, target in zip(entries, image.targets, strict=True):
            expected = np.zeros(image.shape, bool)
            expected[target.window] = target.mask
            assert (data.annToMask(entry) == expected).all(), image.id
            assert entry["area"] == expected.sum()


@given(full=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
@examples(max_examples=100)
def test_the_brush_is_packed_as_the_sdk_packs_it(full):
    brush = pytest.importorskip("label_studio_sdk.converter.brush", exc_type=ImportError)
    values = np.repeat((full * 255).astype(np.uint8).ravel(), 4)
    packed = list(brush.encode_rle(values))
    assert rle_pack.pack(full, (0, 0), full.shape) == packed
    assert (brush.decode_rle(packed).reshape(*full.shape, 4)[..., 3] > 0).tolist() == full.tolist()
    assert (rle_pack.unpack(packed, full.shape, "x") == full).all()


def test_labelme_reads_every_mask(exported):
    reader = pytest.importorskip("labelme._label_file", exc_type=ImportError)
    for image in ALL:
        shapes = json.loads((exported("labelme") / f"{image.id}.json").read_text())["shapes"]
        assert len(shapes) == len(image.targets)
        for shape, target in zip(shapes, image.targets, strict=True):
            loaded = reader._load_shape_json_obj(shape)
            mask = loaded["mask"] if isinstance(loaded, dict) else loaded.mask
            assert mask.tolist() == target.mask.tolist()


def boxes_of(objects):
    kind = pytest.importorskip("labelformat.model.bounding_box").BoundingBoxFormat.XYWH
    return [tuple(round(value) for value in found.box.to_format(kind)) for found in objects]


@pytest.mark.parametrize("name", ["yolo", "coco", "voc"])
def test_labelformat_reads_every_box(exported, name):
    formats = pytest.importorskip("labelformat.formats")
    folder = exported(name)
    if name == "yolo":
        reader = formats.YOLOv8ObjectDetectionInput(input_file=folder / "data.yaml", input_split="train")
    elif name == "coco":
        reader = formats.COCOObjectDetectionInput(input_file=folder / "instances.json")
    else:
        reader = formats.PascalVOCObjectDetectionInput(input_folder=folder / "Annotations", category_names="target")
    found = {label.image.filename.rpartition(".")[0]: label for label in reader.get_labels()}
    for image in ALL:
        if name == "voc" or image.targets:
            boxes = boxes_of(found[image.id].objects)
            if name == "voc":  # it reads xmin as the first edge, where VOC counts pixels from 1 and names the last one
                boxes = [(left - 1, top - 1, width + 1, height + 1) for left, top, width, height in boxes]
            assert boxes == [target.box for target in image.targets], image.id


@pytest.mark.parametrize("name", ["coco", "voc", "cvat"])
def test_datumaro_reads_every_mask(exported, name):
    datumaro = pytest.importorskip("datumaro", exc_type=ImportError)
    folder = exported(name)
    if name == "coco":
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations/instances_default.json").write_bytes((folder / "instances.json").read_bytes())
    data = datumaro.Dataset.import_from(
        str(folder / "annotations.xml" if name == "cvat" else folder),
        {"coco": "coco_instances", "voc": "voc_segmentation", "cvat": "cvat"}[name],
    )
    found = {item.id: item for item in data}
    for image in ALL:
        if not image.targets:
            continue
        masks = [each.image.astype(bool) for each in found[image.id].annotations if hasattr(each, "image")]
        expected = []
        for target in image.targets:
            whole = np.zeros(image.shape, bool)
            whole[target.window] = target.mask
            expected.append(whole.tolist())
        assert sorted(mask.tolist() for mask in masks) == sorted(expected), image.id


def test_files_of_labelformat_are_read(exported, tmp_path):
    """YOLO boxes that another program wrote out of the COCO file are the same."""
    formats = pytest.importorskip("labelformat.formats")
    formats.YOLOv8ObjectDetectionOutput(output_file=tmp_path / "data.yaml", output_split="train").save(
        formats.COCOObjectDetectionInput(input_file=exported("coco") / "instances.json")
    )
    read = FORMATS["yolo"].read
    assert read is not None
    images = Images(exported("yolo") / "images/train")
    found = {image.id: image for image in read(str(tmp_path), images, 127)}
    for image in ALL:
        if image.targets:
            assert [target.box for target in found[image.id].targets] == [target.box for target in image.targets]
            assert found[image.id].targets[0].label == "target"
