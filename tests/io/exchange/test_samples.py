"""Files as the tools have them: what is written for one small target, and what is read of files of others."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.exchange import rle, rle_pack
from pointlabel.io.exchange.base import ImageMasks, Images
from pointlabel.io.exchange.table import FORMATS, detect, file_in
from tests.io.exchange.drawn import masks_from, spread


class Files(dict):
    """What a writer wrote, by path."""

    def write(self, path: str, data: bytes) -> None:
        assert path not in self
        self[path] = data


def written(name: str, images: list[ImageMasks], **options: Any) -> Files:
    files = Files()
    form = FORMATS[name]
    assert form.write is not None
    form.write(images, files, **options)
    assert set(files) == set(form.paths([image.id for image in images]))
    return files


def read(name: str, path: Path, images: str | None = None) -> list[ImageMasks]:
    form = FORMATS[name]
    assert form.read is not None
    return list(form.read(file_in(str(path), form), Images(images), 127))


#: An image of 5 x 4 pixels with one target, the pixels x = 1, 2 of y = 1, 2.
ONE = masks_from(spread("..... .11.. .11.. ....."))


def test_coco():
    data = json.loads(written("coco", [ONE])["instances.json"])
    assert data["images"] == [{"id": 1, "file_name": "t1.png", "width": 5, "height": 4}]
    assert data["categories"] == [{"id": 1, "name": "target"}]
    (entry,) = data["annotations"]
    assert entry["segmentation"] == {"size": [4, 5], "counts": "52207"}
    assert (entry["bbox"], entry["area"], entry["iscrowd"], entry["category_id"]) == ([1, 1, 2, 2], 4, 0, 1)
    assert rle.decompress("52207", "x") == [5, 2, 2, 2, 9]
    (entry,) = json.loads(written("coco", [ONE], polygons=True)["instances.json"])["annotations"]
    assert entry["segmentation"] == [[1, 1, 3, 1, 3, 3, 1, 3]]


def test_labelme():
    data = json.loads(written("labelme", [ONE])["t1.json"])
    (shape,) = data["shapes"]
    assert (shape["shape_type"], shape["label"], shape["points"]) == ("mask", "target", [[1, 1], [2, 2]])
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"]))))
    assert (mask != 0).tolist() == [[True, True], [True, True]]
    assert (data["imagePath"], data["imageData"], data["imageHeight"], data["imageWidth"]) == ("t1.png", None, 4, 5)


def test_yolo():
    assert written("yolo", [ONE])["labels/train/t1.txt"] == b"0 0.4 0.5 0.4 0.5\n"
    files = written("yolo-seg", [ONE])
    assert files["labels/train/t1.txt"] == b"0 0.2 0.25 0.6 0.25 0.6 0.75 0.2 0.75\n"
    assert files["data.yaml"] == b'train: images/train\nval: images/train\nnames:\n  0: "target"\n'


def test_voc():
    files = written("voc", [ONE])
    box = re.sub(rb"\s", b"", files["Annotations/t1.xml"])
    assert b"<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>" in box
    assert files["labelmap.txt"].splitlines()[1:] == [b"background:0,0,0::", b"target:128,0,0::"]
    assert files["ImageSets/Segmentation/default.txt"] == b"t1\n"
    with Image.open(io.BytesIO(files["SegmentationClass/t1.png"])) as picture:
        assert picture.mode == "P"
        assert np.asarray(picture).tolist() == (ONE.mask() * 1).tolist()
        assert picture.convert("RGB").getpixel((1, 1)) == (128, 0, 0)
        assert (picture.getpalette() or [])[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_label_studio():
    (task,) = json.loads(written("label-studio", [ONE])["tasks.json"])
    (prediction,) = task["predictions"]
    (result,) = prediction["result"]
    packed = [0, 0, 0, 80, 57, 27, 254, 23, 0, 159, 254, 216, 4, 255, 248, 108, 0]
    assert result["value"] == {"format": "rle", "rle": packed, "brushlabels": ["target"]}
    assert (result["original_width"], result["original_height"], result["type"]) == (5, 4, "brushlabels")
    assert prediction["model_version"].startswith("pointlabel-")
    assert prediction["score"] == result["score"] == 0.5


def test_cvat():
    text = written("cvat", [ONE])["annotations.xml"].decode()
    assert '<mask label="target" source="auto" occluded="0" rle="0, 4" left="1" top="1" width="2" height="2"' in text
    assert '<image id="0" name="t1.png" width="5" height="4">' in text


def test_tables():
    empty = masks_from(spread("..."), "none")
    assert written("boxes", [ONE, empty])["boxes.csv"].decode().splitlines() == [
        "image,left,top,width,height,area,label,score",
        "t1.png,1,1,2,2,4,target,0.5",
        "none.png,,,,,,,",
    ]
    assert written("points", [ONE, empty])["points.csv"].decode().splitlines() == [
        "image,x,y,label",
        "t1.png,1,1,target",
        "none.png,,,",
    ]


def test_the_packed_runs_of_long_masks():
    mask = np.zeros((300, 400), bool)
    mask[100:290, 5:390] = True
    assert (rle_pack.unpack(rle_pack.pack(mask, (0, 0), mask.shape), mask.shape, "x") == mask).all()


@pytest.mark.parametrize("name", ["cvat", "voc"])
def test_letters_that_xml_has_not_are_one_sentence(name):
    for label in ("a\x01", "a\udce9"):
        with pytest.raises(InputError, match="a name or a label holds a character that XML has not"):
            written(name, [masks_from(spread("1"), labels=(label,))])


def test_more_targets_than_a_palette_has_are_one_sentence():
    numbers = np.arange(1, 301).reshape(15, 20)
    with pytest.raises(InputError, match="t1: VOC numbers 254 targets an image, got 300; write coco"):
        written("voc", [masks_from(numbers)])
    with pytest.raises(InputError, match="a label map of VOC cannot hold a colon"):
        written("voc", [masks_from(spread("1"), labels=("a:b",))])


def label_studio_task(**changes: Any) -> dict[str, Any]:
    packed = [0, 0, 0, 80, 57, 27, 254, 23, 0, 159, 254, 216, 4, 255, 248, 108, 0]
    result = {
        "type": "brushlabels",
        "original_width": 5,
        "original_height": 4,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": packed, "brushlabels": ["drone"]},
    }
    return {
        "data": {"image": "/data/upload/7/1a2b3c4d-t1.png"},
        "annotations": [
            {"was_cancelled": False, "result": [result]},
            {"was_cancelled": True, "result": []},
        ],
        **changes,
    }


def test_label_studio_exports_name_uploads_and_local_files(tmp_path):
    local = label_studio_task(data={"image": "/data/local-files/?d=night%2Ft2.png"})
    (tmp_path / "x.json").write_text(json.dumps([label_studio_task(), local]))
    assert detect(str(tmp_path / "x.json")) == "label-studio"
    first, second = read("label-studio", tmp_path / "x.json")
    assert (first.id, second.id) == ("t1", "night/t2")
    assert first.mask().tolist() == ONE.mask().tolist()
    assert first.targets[0].label == "drone"


def test_runs_of_coco_in_place_of_label_studios_are_told(tmp_path):
    task = label_studio_task()
    task["annotations"][0]["result"][0]["value"]["rle"] = [5, 2, 2, 2, 9]
    (tmp_path / "x.json").write_text(json.dumps([task]))
    with pytest.raises(InputError, match="rle does not hold 5 x 4 pixels in colour with alpha"):
        read("label-studio", tmp_path / "x.json")


def test_coco_files_of_others(tmp_path):
    """Uncompressed counts, polygons of several parts, boxes without a mask, ids that are no numbers from 1."""
    data = {
        "images": [{"id": 7, "file_name": "sub/t1.jpg", "width": 5, "height": 4}],
        "categories": [{"id": 3, "name": "ship"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "segmentation": {"size": [4, 5], "counts": [5, 2, 2, 2, 9]}},
            {"image_id": 7, "category_id": 3, "segmentation": [[0, 0, 1, 0, 1, 1, 0, 1], [3, 3, 5, 3, 5, 4, 3, 4]]},
            {"image_id": 7, "category_id": 3, "bbox": [1, 1, 2, 2]},
        ],
    }
    (tmp_path / "x.json").write_text(json.dumps(data))
    assert detect(str(tmp_path / "x.json")) == "coco"
    (image,) = read("coco", tmp_path / "x.json")
    assert (image.id, image.file, image.targets[0].label) == ("sub/t1", "sub/t1.jpg", "ship")
    assert [target.area for target in image.targets] == [4, 3, 4]


def test_labelme_files_of_others(tmp_path):
    """Polygons and rectangles, clicks that are no masks, windows' slashes, a mask that leaves the image."""
    pixels = io.BytesIO()
    Image.fromarray(np.full((3, 3), 255, np.uint8)).save(pixels, "PNG")
    packed = base64.b64encode(pixels.getvalue()).decode()
    shapes = [
        {"label": "a", "points": [[1, 1], [3, 1], [3, 3], [1, 3]], "shape_type": "polygon"},
        {"label": "b", "points": [[3.0, 3.0], [1.0, 1.0]], "shape_type": "rectangle"},
        {"label": "c", "points": [[1.5, 1.5]], "shape_type": "point"},
        {
            "label": "d",
            "points": [[3, 2], [5, 4]],
            "shape_type": "mask",
            "mask": packed,
        },
    ]
    about = {"version": "5.5.0", "shapes": shapes, "imagePath": "..\\images\\t1.png", "imageData": None}
    (tmp_path / "t1.json").write_text(json.dumps({**about, "imageHeight": 4, "imageWidth": 5}))
    assert detect(str(tmp_path)) == "labelme"
    (image,) = read("labelme", tmp_path)
    assert image.id == "t1"
    assert [(target.label, target.area) for target in image.targets] == [("a", 4), ("b", 4), ("d", 4)]


def test_cvat_files_of_others(tmp_path):
    (tmp_path / "annotations.xml").write_text(
        '<?xml version="1.0"?><annotations><version>1.1</version><meta/>'
        '<image id="0" name="sub/t1.png" width="5" height="4">'
        '<polygon label="a" points="1.00,1.00;3.00,1.00;3.00,3.00;1.00,3.00"/>'
        '<box label="b" xtl="1.0" ytl="1.0" xbr="3.0" ybr="3.0"/>'
        '<mask label="c" rle="1,2,1" left="1" top="1" width="2" height="2"/>'
        '<points label="d" points="1.50,1.50"/></image></annotations>'
    )
    assert detect(str(tmp_path)) == "cvat"
    (image,) = read("cvat", tmp_path)
    assert image.id == "sub/t1"
    assert [(target.label, target.area) for target in image.targets] == [("a", 4), ("b", 4), ("c", 2)]
    assert image.targets[2].mask.tolist() == [[False, True], [True, False]]


def test_yolo_files_of_others(tmp_path):
    """Names as a list, predictions with a confidence, splits, borders between the corners of pixels."""
    for split in ("train", "val"):
        (tmp_path / f"images/{split}").mkdir(parents=True)
        (tmp_path / f"labels/{split}").mkdir(parents=True)
        Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / f"images/{split}/{split}1.png")
    (tmp_path / "labels/train/train1.txt").write_text("1 0.4 0.5 0.4 0.5 0.75\r\n\r\n")
    (tmp_path / "labels/val/val1.txt").write_text("0 0.2 0.25 0.61 0.25 0.61 0.76 0.2 0.76")
    (tmp_path / "data.yaml").write_text("path: ../datasets/x\nnc: 2\nnames: ['ship', 'drone']\n")
    assert detect(str(tmp_path)) == "yolo"
    first, second = read("yolo", tmp_path)
    assert (first.id, first.targets[0].label, first.targets[0].score) == ("train1", "drone", 0.75)
    assert (second.id, second.targets[0].label, second.targets[0].area) == ("val1", "ship", 4)


def test_voc_files_of_others(tmp_path):
    """Pictures in colour, a white border that belongs to nobody, and boxes alone."""
    for part in ("Annotations", "SegmentationClass", "SegmentationObject"):
        (tmp_path / part).mkdir()
    colours = np.zeros((4, 5, 3), np.uint8)
    colours[1:3, 1:3] = (250, 50, 50)
    colours[0] = (224, 224, 192)
    Image.fromarray(colours).save(tmp_path / "SegmentationClass/t1.png")
    colours[1:3, 1:3] = (128, 0, 0)
    Image.fromarray(colours).save(tmp_path / "SegmentationObject/t1.png")
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nship:250,50,50::\n")
    (tmp_path / "Annotations/t2.xml").write_text(
        "<annotation><filename>t2.jpg</filename><size><width>5</width><height>4</height><depth>3</depth></size>"
        "<object><name>boat</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object>"
        "</annotation>"
    )
    assert detect(str(tmp_path)) == "voc"
    first, second = read("voc", tmp_path)
    assert [(target.label, target.area) for target in first.targets] == [("ship", 4)]
    assert second.mask().tolist() == first.mask().tolist() == ONE.mask().tolist()
    assert (second.file, second.targets[0].label) == ("t2.jpg", "boat")
