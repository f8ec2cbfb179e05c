"""The command convert: real files through it, what it refuses, and that it loses nothing of anybody's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.io.masks.read import read_mask


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def drawn(draw_dataset):
    """Three drawn images with masks and points."""
    return draw_dataset()


def same_masks(first, second):
    names = sorted(path.name for path in first.glob("*.png"))
    assert names == sorted(path.name for path in second.glob("*.png"))
    assert names
    for name in names:
        assert (read_mask(first / name) == read_mask(second / name)).all(), name


FORMATS = ["png", "soft", "instances", "npz", "coco", "yolo-seg", "voc", "labelme", "label-studio", "cvat"]


@pytest.mark.parametrize("name", FORMATS)
def test_masks_through_every_format_and_back(name, drawn, tmp_path):
    done = run("convert", drawn / "masks", "-o", tmp_path / "b", "--to", name)
    assert done.exit_code == 0, done.output
    assert done.stderr == f"3 images, 6 targets from png to {name} in {tmp_path / 'b'}\n"
    back = run("convert", tmp_path / "b", "-o", tmp_path / "a", "--to", "png", "--images", drawn / "images")
    assert back.exit_code == 0, back.output
    same_masks(drawn / "masks", tmp_path / "a")


def test_names_that_addresses_have_signs_in_come_back(tmp_path):
    names = ["a&b", "a+b", "x%41", "k#1", "ü ß", "q?d=1"]
    (tmp_path / "masks").mkdir()
    for name in names:
        Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "masks" / f"{name}.png")
    for form in FORMATS[1:]:
        assert run("convert", tmp_path / "masks", "-o", tmp_path / form, "--to", form).exit_code == 0
        words = ("convert", tmp_path / form, "-o", tmp_path / f"{form}-back", "--to", "png", "--images")
        assert run(*words, tmp_path / "masks").exit_code == 0
        assert sorted(path.stem for path in (tmp_path / f"{form}-back").iterdir() if path.suffix == ".png") == sorted(
            names
        )


@pytest.mark.parametrize("name", ["yolo", "yolo-seg", "coco", "labelme", "cvat"])
def test_what_a_run_writes_is_read_as_points(name, drawn, tmp_path):
    first = run("annotate", drawn, "-o", tmp_path / "out", "--method", "threshold", "--format", name)
    assert first.exit_code == 0, first.output
    words = ("annotate", drawn / "images", "-p", tmp_path / "out" / name, "-o", tmp_path / "again")
    again = run(*words, "--method", "threshold")
    assert again.exit_code == 0, again.output
    rows = [json.loads(line) for line in (tmp_path / "again/manifest.jsonl").read_text().splitlines()]
    assert [len(row["targets"]) for row in rows] == [2, 2, 2]


@pytest.mark.parametrize("name", ["yolo-seg", "labelme", "cvat", "coco"])
def test_frames_of_a_stack_come_back_as_masks_and_as_points(name, drawn, tmp_path):
    frames = np.stack([np.array(Image.open(drawn / f"images/{k}.png")) for k in range(3)])
    (tmp_path / "frames").mkdir()
    np.save(tmp_path / "frames/clip.npy", frames)
    rows = [f"clip.npy#{k:06d},{10 + k},{20 + k}" for k in range(3)]
    (tmp_path / "clicks.csv").write_text("\n".join(["image,x,y", *rows]) + "\n")
    words = ("annotate", tmp_path / "frames", "--method", "threshold", "-p")
    first = run(*words, tmp_path / "clicks.csv", "-o", tmp_path / "out", "--format", name)
    assert first.exit_code == 0, first.output
    back = run("convert", tmp_path / "out" / name, "-o", tmp_path / "a", "--to", "png", "--images", tmp_path / "frames")
    assert back.exit_code == 0, back.output
    same_masks(tmp_path / "out/masks", tmp_path / "a")
    again = run(*words, tmp_path / "out" / name, "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert sorted(each.name for each in (tmp_path / "again/masks").iterdir()) == [f"clip#{k:06d}.png" for k in range(3)]
    placed = run(
        "convert", tmp_path / "out", "-o", tmp_path / "b", "--to", "yolo-seg", "--images", tmp_path / "frames",
        "--place-images", "link",
    )  # fmt: skip
    assert placed.exit_code == 2
    assert "a frame is no file of its own, and cannot be placed (--place-images)" in placed.stderr


@pytest.mark.parametrize("outputs", [[], ["--rle"], ["--instances"], ["--soft"], ["--format", "coco"]], ids=str)
def test_masks_that_were_corrected_by_hand_are_those_of_the_run(outputs, drawn, tmp_path):
    words = ("annotate", drawn, "-o", tmp_path / "out", "--method", "threshold", *outputs)
    assert run(*words).exit_code == 0
    place = tmp_path / "out/masks/1.png"
    mask = np.array(Image.open(place)) > 0
    first = json.loads((tmp_path / "out/manifest.jsonl").read_text().splitlines()[1])["targets"][0]
    mask[:3, :3] = True  # another target, far from every point
    row, column = round(first["y"]), round(first["x"])
    mask[row - 4 : row + 5, column - 4 : column + 5] = True  # beyond the old box
    Image.fromarray(mask.astype(np.uint8) * 255).save(place)
    assert run("convert", tmp_path / "out", "-o", tmp_path / "a", "--to", "png").exit_code == 0
    same_masks(tmp_path / "out/masks", tmp_path / "a")
    assert run("convert", tmp_path / "out", "-o", tmp_path / "a.csv", "--to", "points").exit_code == 0
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 6 + 1
    if "coco" in outputs:
        assert run(*words, "--resume").exit_code == 0
        assert run("convert", tmp_path / "out/coco", "-o", tmp_path / "b", "--to", "png").exit_code == 0
        same_masks(tmp_path / "out/masks", tmp_path / "b")


@pytest.mark.parametrize("name", ["NUDT-SIRST", "IRSTD-1k"])
def test_published_masks_through_one_format_after_the_other(name, data, tmp_path):
    (tmp_path / "masks").mkdir()
    for path in sorted((data / name / "masks").glob("*.png"))[:8]:
        (tmp_path / "masks" / path.name).write_bytes(path.read_bytes())
    before = tmp_path / "masks"
    for number, each in enumerate([*FORMATS, "png"]):
        done = run("convert", before, "-o", tmp_path / f"{number}", "--to", each, "--images", data / name / "images")
        assert done.exit_code == 0, done.output
        before = tmp_path / f"{number}"
    same_masks(tmp_path / "masks", before)


@pytest.mark.parametrize("how", ["link", "copy"])
def test_a_data_set_for_ultralytics_with_its_images(how, drawn, tmp_path):
    options = ("--to", "yolo", "--images", drawn / "images", "--place-images", how)
    assert run("convert", drawn / "masks", "-o", tmp_path / "y", *options).exit_code == 0
    assert {path.stem for path in (tmp_path / "y/labels/train").iterdir()} == {"0", "1", "2"}
    for path in (tmp_path / "y/images/train").iterdir():
        assert path.is_symlink() == (how == "link")
        assert path.read_bytes() == (drawn / "images" / path.name).read_bytes()
    again = run("convert", drawn / "masks", "-o", tmp_path / "y", *options, "--overwrite")
    assert again.exit_code == 0, again.output
    back = run("convert", tmp_path / "y", "-o", tmp_path / "boxes.csv", "--to", "boxes")
    assert back.stderr.startswith("3 images, 6 targets from yolo to boxes")


def test_points_of_masks_are_read_by_annotate(drawn, tmp_path):
    assert run("convert", drawn / "masks", "-o", tmp_path / "p.csv", "--to", "points").exit_code == 0
    done = run("annotate", drawn / "images", "-p", tmp_path / "p.csv", "-o", tmp_path / "out", "--method", "threshold")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert [len(line["targets"]) for line in lines] == [2, 2, 2]
    assert {target["label"] for line in lines for target in line["targets"]} == {"target"}


def test_numbered_masks_keep_targets_apart_that_touch(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(np.array([[0, 1, 2], [0, 1, 2]], np.uint16)).save(tmp_path / "in/a.png")
    assert "2 targets from instances" in run("convert", tmp_path / "in", "-o", tmp_path / "c", "--to", "coco").stderr
    Image.fromarray(np.array([[0, 1, 2], [0, 1, 2]], np.uint8)).save(tmp_path / "in/a.png")
    options = ("--to", "coco", "--from", "instances")
    assert "2 targets from instances" in run("convert", tmp_path / "in", "-o", tmp_path / "d", *options).stderr


def test_one_file_where_a_file_is_named(drawn, tmp_path):
    assert run("convert", drawn / "masks", "-o", tmp_path / "x.json", "--to", "coco").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["x.json"]
    again = run("convert", drawn / "masks", "-o", tmp_path / "x.json", "--to", "coco")
    assert again.exit_code == 2
    assert "x.json is there already; --overwrite replaces it" in again.output
    assert run("convert", drawn / "masks", "-o", tmp_path / "x.json", "--to", "coco", "--overwrite").exit_code == 0


def test_files_of_others_are_never_replaced(drawn, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "1.json").write_text("mine")
    done = run("convert", drawn / "masks", "-o", out, "--to", "labelme", "--overwrite")
    assert done.exit_code == 2
    assert "1.json: not written by this program, and would be replaced; move it away" in done.output
    assert (out / "1.json").read_text() == "mine"
    (out / "1.json").unlink()
    assert run("convert", drawn / "masks", "-o", out, "--to", "labelme", "--overwrite").exit_code == 0
    assert "holds masks that were converted before" in run("convert", drawn / "masks", "-o", out, "--to", "png").output
    (out / "1.json").write_text((out / "1.json").read_text() + " ")
    done = run("convert", drawn / "masks", "-o", out, "--to", "png", "--overwrite")
    assert "1.json: changed since this program wrote it, and would be replaced" in done.output
    assert not (out / "1.png").exists()


def test_a_link_on_the_way_is_not_followed(drawn, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/labels").symlink_to(tmp_path / "elsewhere")
    done = run("convert", drawn / "masks", "-o", tmp_path / "out", "--to", "yolo")
    assert done.exit_code == 2
    assert "is a link to" in done.output
    assert not list((tmp_path / "elsewhere").iterdir())


def test_masks_of_0_and_1_are_refused_without_their_threshold(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / "in/a.png")
    done = run("convert", tmp_path / "in", "-o", tmp_path / "out", "--to", "coco")
    assert done.exit_code == 2
    assert "every mask is empty at --mask-threshold 127" in done.output
    done = run("convert", tmp_path / "in", "-o", tmp_path / "out", "--to", "coco", "--mask-threshold", 0)
    assert "1 images, 1 targets from png" in done.output


REFUSED = {
    "no format": (["--to", "cocoo"], "there is no format 'cocoo'; did you mean coco?"),
    "only read": (["--to", "run"], "format run is only read"),
    "only written": (["--to", "coco", "--from", "points"], "format points is only written"),
    "polygons": (["--to", "png", "--polygons"], "format png has one way to hold masks"),
    "no images": (["--to", "yolo", "--place-images", "link"], "needs the folder of the images"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments_are_told_before_anything_is_written(case, drawn, tmp_path):
    options, message = REFUSED[case]
    done = run("convert", drawn / "masks", "-o", tmp_path / "out", *options)
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "out").exists()


def coco(**changes):
    entry = {"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 5], "counts": "52207"}, "bbox": [1, 1, 2, 2]}
    entry |= changes.pop("entry", {})
    image = {"id": 1, "file_name": "t1.png", "height": 4, "width": 5} | changes.pop("image", {})
    data = {"images": [image], "annotations": [entry], "categories": [{"id": 1, "name": "target"}]}
    return json.dumps({**data, **changes})


def labelme(shape):
    return json.dumps({"shapes": [shape], "imagePath": "t1.png", "imageHeight": 4, "imageWidth": 5})


def cvat(mask):
    return f'<annotations><image id="0" name="t1.png" width="5" height="4">{mask}</image></annotations>'


DAMAGED = {
    "cut": ("x.json", '{"images": [', "no JSON, or a damaged file"),
    "no size": ("x.json", coco(image={"height": None}), "an image of width 5 and height None cannot be read"),
    "too large": ("x.json", coco(image={"height": 10**9, "width": 10**9}), "cannot be read"),
    "no name": ("x.json", coco(image={"file_name": "../.."}), "the image name '../..' is no name"),
    "no such image": ("x.json", coco(entry={"image_id": 9}), "names image 9, which is not in images"),
    "another size": (
        "x.json",
        coco(entry={"segmentation": {"size": [5, 4], "counts": "52207"}}),
        "run lengths of size [5, 4], the image has height 4, width 5",
    ),
    "runs too short": ("x.json", coco(entry={"segmentation": {"size": [4, 5], "counts": [5, 2]}}), "do not fill 5 x 4"),
    "negative runs": ("x.json", coco(entry={"segmentation": {"size": [4, 5], "counts": [25, -5]}}), "do not fill"),
    "no runs": ("x.json", coco(entry={"segmentation": {"size": [4, 5], "counts": "~~"}}), "damaged run lengths"),
    "odd polygon": ("x.json", coco(entry={"segmentation": [[1, 1, 2]]}), "an even number of coordinates"),
    "a point that is a number": (
        "x.json",
        labelme({"label": "a", "shape_type": "polygon", "points": [1, [2, 2], [3, 1]]}),
        "points must be a list of [x, y]",
    ),
    "no base64": (
        "x.json",
        labelme({"label": "a", "shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "%%"}),
        "is no base64",
    ),
    "no picture": (
        "x.json",
        labelme({"label": "a", "shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "AAAA"}),
        "not a PNG, TIFF, BMP or JPEG image",
    ),
    "no XML": ("annotations.xml", "<annotations>", "no XML, or a damaged file"),
    "entities": ("annotations.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "entities of its own is not read"),
    "a track": ("annotations.xml", "<annotations><track/></annotations>", "tracks of a video are not read"),
    "mask without runs": (
        "annotations.xml",
        cvat('<mask label="a" left="1" top="1" width="2" height="2"/>'),
        "a mask is",
    ),
    "mask too long": (
        "annotations.xml",
        cvat('<mask label="a" rle="0, 9" left="1" top="1" width="2" height="2"/>'),
        "do not fill 2 x 2",
    ),
    "mask outside": (
        "annotations.xml",
        cvat('<mask label="a" rle="0, 4" left="-1" top="1" width="2" height="2"/>'),
        "must lie inside its image",
    ),
    "other JSON": ("x.json", "{}", "name it (--from)"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_one_sentence(case, tmp_path):
    name, text, message = DAMAGED[case]
    (tmp_path / name).write_text(text)
    done = run("convert", tmp_path / name, "-o", tmp_path / "out", "--to", "png")
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert len(done.output.splitlines()) == 1
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_any_encoding(encoding, tmp_path):
    path = tmp_path / "annotations.xml"
    head = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]>'
    path.write_bytes(f"{head}<annotations>&d;</annotations>".encode(encoding))
    done = run("convert", path, "-o", tmp_path / "out", "--to", "png")
    assert done.exit_code == 2
    assert "entities of its own is not read" in done.output


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("/data/upload/7/1a2b3c4d-t1.png", "t1"),
        ("/data/local-files/?d=night/t%201.png", "night/t 1"),
        ("https://host/a/t1.png?token=1", "a/t1"),
        (r"C:\a\t1.png", "a/t1"),
        ("http://[x/t1.png", "http:/[x/t1"),
    ],
)
def test_images_of_label_studio_by_any_address(address, place, tmp_path):
    task = {"data": {"image": address, "width": 5, "height": 4}, "predictions": []}
    (tmp_path / "export.json").write_text(json.dumps([task]))
    done = run("convert", tmp_path / "export.json", "-o", tmp_path / "out", "--to", "png")
    assert done.exit_code == 0, done.output
    assert [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.png")] == [Path(f"{place}.png")]


def test_a_source_that_is_damaged_anywhere_writes_nothing(drawn, tmp_path):
    assert run("convert", drawn / "masks", "-o", tmp_path / "in", "--to", "labelme").exit_code == 0
    (tmp_path / "in/2.json").write_text("{")
    done = run("convert", tmp_path / "in", "-o", tmp_path / "out", "--to", "yolo", "--from", "labelme")
    assert done.exit_code == 2
    assert "2.json: no JSON, or a damaged file" in done.output
    (drawn / "images/1.png").unlink()
    options = ("--to", "yolo", "--images", drawn / "images", "--place-images", "copy")
    done = run("convert", drawn / "masks", "-o", tmp_path / "out", *options)
    assert "1: there is no such image in the folder of the images" in done.output
    assert not (tmp_path / "out").exists()


def test_yolo_labels_without_images_say_what_is_missing(drawn, tmp_path):
    run("convert", drawn / "masks", "-o", tmp_path / "y", "--to", "yolo")
    done = run("convert", tmp_path / "y", "-o", tmp_path / "out", "--to", "png")
    assert "do not say how large their image is" in done.output
    (tmp_path / "y/labels/train/0.txt").write_text("0 120 80 5 5\n")
    done = run("convert", tmp_path / "y", "-o", tmp_path / "out", "--to", "png", "--images", drawn / "images")
    assert "0.txt, line 1: boxes and borders are shares of the image in [0, 1]" in done.output
