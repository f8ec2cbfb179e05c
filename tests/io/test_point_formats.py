"""Points in the formats of other tools: every sample, every convention of coordinates, and traps of these files."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pointlabel.errors import InputError
from pointlabel.io.points.base import Bound, PointRow
from pointlabel.io.points.fit import fit_points
from pointlabel.io.points.formats import FORMATS
from pointlabel.io.points.given import Given
from pointlabel.io.points.images import point_image
from pointlabel.io.points.readers import READERS, find_reader, open_points
from tests.point_samples import (
    COCO,
    CVAT_VIDEO,
    DATUMARO,
    LABEL_STUDIO,
    LABELME,
    MCLC,
    MCLC_EMPTY,
    SAMPLES,
    SHAPE,
    npy,
)
from tests.point_writers import WRITERS, write_csv


def put(folder: Path, name: str, data: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def bind(path: Path | str, *ids: str, root: str | None = None, **how: Any) -> Bound:
    return open_points(path, allow_pickle=True, **how).bind(set(ids or ("t1",)), root)


def rows_of(path: Path, *ids: str, root: str | None = None, **how: Any) -> tuple[PointRow, ...]:
    entries = bind(path, *ids, root=root, **how).entries
    return entries[ids[0] if ids else "t1"].load().rows


def places(path: Path, *ids: str, shape: tuple[int, int] = SHAPE, **how: Any) -> list[list[float]]:
    entries = bind(path, *ids, **how).entries
    return fit_points(entries[ids[0] if ids else "t1"].load(), shape).points.round(9).tolist()


def test_formats_and_readers_are_the_same():
    assert [reader.name for reader in READERS] == list(FORMATS)
    assert {name for name, _ in WRITERS.values()} == set(FORMATS)


# Every sample, told by its content


@pytest.mark.parametrize(("name", "file"), SAMPLES, ids=lambda word: word)
def test_a_sample_is_told_by_its_content_and_read(tmp_path, name, file):
    path = put(tmp_path, file, SAMPLES[name, file])
    reader = find_reader(Given(str(path)))
    assert reader is not None
    assert reader.name == name
    assert places(path) == [[1, 1]]


@pytest.mark.parametrize(("name", "file"), SAMPLES, ids=lambda word: word)
def test_the_suffix_does_not_matter(tmp_path, name, file):
    path = put(tmp_path, "t1.points", SAMPLES[name, file])
    assert places(path) == [[1, 1]]


@pytest.mark.parametrize(("name", "file"), SAMPLES, ids=lambda word: word)
def test_a_named_format_is_taken_whatever_the_content(tmp_path, name, file):
    path = put(tmp_path, file, SAMPLES[name, file])
    assert places(path, points_format=name) == [[1, 1]]
    other = put(tmp_path, "other.json", b'{"nothing": "of this"}')
    with pytest.raises(InputError, match=r"other\.json"):
        bind(other, points_format=name).entries["t1"].load()


def test_a_file_that_no_reader_knows_is_one_sentence_with_the_formats(tmp_path):
    path = put(tmp_path, "notes.md", "# Nothing\n")
    with pytest.raises(InputError, match=r"notes\.md: no points that can be read; they must be one of: .*CVAT.*YOLO"):
        open_points(path)
    with pytest.raises(InputError, match=r"points_format must be one of .*; did you mean coco\?"):
        open_points(path, points_format="COCOO")


def test_a_named_format_that_the_content_is_not_of_is_told_beside_the_one_it_is_of(tmp_path):
    path = put(tmp_path, "clicks.csv", "image,row,column\nt1,1,1\n")
    with pytest.raises(InputError, match=r"clicks\.csv: .*; points_format is coco, and the content that of csv"):
        open_points(path, points_format="coco")
    damaged = put(tmp_path, "coco.json", '{"images": [], "annotations": 3}')
    with pytest.raises(InputError, match=r"coco\.json: annotations must be a list, got 3$"):
        open_points(damaged, points_format="coco")


# One place, every convention


@pytest.mark.parametrize("kind", WRITERS)
def test_a_pixel_comes_back_from_every_format(tmp_path, kind):
    name, write = WRITERS[kind]
    images = {"t1": ((12, 20), [(3.0, 14.0), (10.0, 2.0)]), "sub/t2": ((9, 7), [(8.0, 6.0)]), "empty": ((5, 5), [])}
    path = write(tmp_path, images)
    reader = find_reader(Given(path))
    assert reader is not None
    assert reader.name == name
    entries = bind(path, *images).entries
    for image_id, (shape, points) in images.items():
        if image_id in entries:
            fitted = fit_points(entries[image_id].load(), shape)
            np.testing.assert_allclose(fitted.points, np.reshape(points, (-1, 2)), atol=1e-9)
            assert not fitted.notes
        else:
            assert not points


def test_a_table_from_the_corner_is_half_a_pixel_away(tmp_path):
    path = write_csv(tmp_path, {"t1": ((12, 20), [(3.0, 14.0)])}, corner=True)
    assert [row[:2] for row in rows_of(Path(path), origin="corner")] == [(3.0, 14.0)]
    assert [row[:2] for row in rows_of(Path(path))] == [(3.5, 14.5)]


names = st.text("abcä_-() 01", min_size=1, max_size=6).map(str.strip).filter(bool)
ids = st.lists(names, min_size=1, max_size=3).map("/".join).filter(lambda name: not name.endswith("_pixels0"))


@st.composite
def drawn_images(draw: st.DrawFn, whole: bool) -> dict[str, tuple[tuple[int, int], list[tuple[float, float]]]]:
    out = {}
    for name in draw(st.sets(ids, min_size=1, max_size=3)):
        height, width = draw(st.tuples(st.integers(3, 3000), st.integers(3, 3000)))
        sides = [
            st.integers(0, side - 1).map(float) if whole else st.floats(-0.499, side - 0.501, allow_subnormal=False)
            for side in (height, width)
        ]
        points = draw(st.lists(st.tuples(*sides), max_size=4, unique_by=lambda p: (math.ceil(p[0]), math.ceil(p[1]))))
        out[name] = ((height, width), points)
    return out


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "one-pixel"])
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_points_come_back_as_they_were(tmp_path_factory, kind, data):
    images = data.draw(drawn_images(whole=data.draw(st.booleans())))
    points = [place for _, places in images.values() for point in places for place in point]
    assume(any(abs(place) > 1 for place in points))  # a table of shares is refused
    path = WRITERS[kind][1](tmp_path_factory.mktemp("points"), images)
    bound = bind(path, *images)
    assert not bound.unknown
    for image_id, (_, expected) in images.items():
        if image_id in bound.entries or expected:
            given = bound.entries[image_id].load()
            scale = np.array(images[image_id][0] if given.in_shares else (1, 1))
            found = (np.array([row[:2] for row in given.rows]).reshape(-1, 2) + 0.5) * scale - 0.5
            np.testing.assert_allclose(found, np.reshape(expected, (-1, 2)), atol=1e-6)


# CSV


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("filename,row,col", "1,2"),
        ("image_path,cx,cy", "2,1"),
        ("File Name,center_x,center_y", "2,1"),
        ("img,X-Center,Y-Center", "2,1"),
        ("image,xmin,ymin,xmax,ymax", "1,0,3,2"),
        ("image,x1,y1,x2,y2", "1,0,3,2"),
        ("image,left,top,right,bottom", "1,0,3,2"),
        ("image,x,y,w,h", "1,0,3,3"),
        ("image,left,top,width,height", "1,0,3,3"),
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "5,4,t,1,0,3,2"),
        ("image,x,y,left,top,width,height", "2,1,0,0,9,9"),
    ],
)
def test_headers_go_by_many_names(tmp_path, header, values):
    assert places(put(tmp_path, "p.csv", f"{header}\nt1.png,{values}\n")) == [[1, 2]]


def test_x_and_y_go_before_other_names(tmp_path):
    assert places(put(tmp_path, "p.csv", "image,x,y,row,col\nt1,2,1,3,3\n")) == [[1, 2]]
    assert places(put(tmp_path, "p.csv", "image,x,y,w,h,cx,cy\nt1,0,0,9,9,2,1\n")) == [[1, 2]]


def test_boxes_are_told(tmp_path):
    source = open_points(put(tmp_path, "p.csv", "image,x,y,w,h\nt1,1,1,1,1\n"))
    assert [note.kind for note in source.notes] == ["boxes"]


def test_polarity_and_tightness_belong_to_their_points(tmp_path):
    path = put(tmp_path, "p.csv", "image,x,y,polarity,tightness\nt1,1,1,Dark,0.25\nt1,2,2,,\n")
    source = open_points(path)
    assert source.has_tightness
    assert [(row.polarity, row.tightness) for row in rows_of(path)] == [("dark", 0.25), (None, None)]
    with pytest.raises(InputError, match=r"p\.csv, line 2: polarity must be one of bright, dark, auto, got 'grey'"):
        open_points(put(tmp_path, "p.csv", "image,x,y,polarity\nt1,1,1,grey\n"))


@pytest.mark.parametrize(
    "text", ["frame,x,y\n12,2,1\n", "image,frame,x,y\nseq,12,2,1\n", "sequence,frame,x,y\nseq,12,2,1\n"]
)
def test_a_frame_is_the_image_with_its_number(tmp_path, text):
    path = put(tmp_path, "p.csv", text)
    numbers = [f"seq/{k:05d}" for k in range(13)]
    assert list(bind(path, *numbers).entries) == ["seq/00012"]
    with pytest.raises(InputError, match=r"p\.csv: frames count from 0, and the numbers of the 12 images from 1"):
        bind(path, *numbers[1:])
    with pytest.raises(InputError, match=r"line 2: frame must be a whole number from 0, got '1\.5'"):
        open_points(put(tmp_path, "p.csv", "frame,x,y\n1.5,2,1\n"))


def test_frames_beside_the_names_of_images(tmp_path):
    path = put(tmp_path, "p.csv", "image,frame,x,y\nstack.tif,0,1,1\nstack.tif,3,2,2\nimg_7.png,7,1,1\nx.png,5,1,1\n")
    bound = bind(path, "stack", "img_7", "x")
    assert {name: len(entry.load().rows) for name, entry in bound.entries.items()} == {"stack": 1, "img_7": 1, "x": 1}
    assert [sentence.partition(": ")[2] for _, sentence in bound.unknown] == ["there is no image stack.tif, frame 3"]


def test_one_point_image_belongs_to_one_image(tmp_path):
    point_image([(1, 1)], SHAPE).save(tmp_path / "clicks.png")
    assert places(tmp_path / "clicks.png") == [[1, 1]]
    assert not bind(tmp_path / "clicks.png", "t1", "t2").entries


# LabelMe


@pytest.mark.parametrize(
    ("kind", "points", "expected"),
    [
        ("rectangle", [[1, 1], [4, 3]], [1.5, 2]),
        ("circle", [[2, 2], [3, 3]], [1.5, 1.5]),
        ("polygon", [[1, 1], [3, 1], [3, 3], [1, 3]], [1.5, 1.5]),
        ("mask", [[1, 1], [2, 3]], [2, 1.5]),
    ],
)
def test_shapes_of_labelme_give_their_centres(tmp_path, kind, points, expected):
    shape = {"label": "t", "points": points, "shape_type": kind}
    assert places(put(tmp_path, "t1.json", {**LABELME, "shapes": [shape]})) == [expected]


def test_lines_of_labelme_are_left_out_and_told(tmp_path):
    shape = {"label": "t", "points": [[1, 1], [2, 2]], "shape_type": "line"}
    source = open_points(put(tmp_path, "t1.json", {**LABELME, "shapes": [shape, *LABELME["shapes"]]}))
    assert [note.text.partition(": ")[2] for note in source.notes] == [
        "marks that are no points are left unused: 1 line"
    ]


def test_an_image_of_labelme_is_found_by_its_path_then_by_the_files_name(tmp_path):
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    put(tmp_path, "ann/sub/other.json", {**LABELME, "imagePath": "..\\..\\images\\sub\\t1.png"})
    put(tmp_path, "ann/t2.json", {**LABELME, "imagePath": "C:\\elsewhere\\x.png"})
    put(tmp_path, "ann/sub/t3.json", {**LABELME, "imagePath": "t3.png"})
    found = bind(tmp_path / "ann", "sub/t1", "t1", "t2", "t3", "sub/t3", root=str(root))
    assert sorted(found.entries) == ["sub/t1", "sub/t3", "t2"]


def test_a_damaged_file_of_labelme_fails_its_image_alone(tmp_path):
    put(tmp_path, "t1.json", LABELME)
    put(tmp_path, "t2.json", '{"shapes": [')
    put(
        tmp_path,
        "t3.json",
        {**LABELME, "shapes": [{"points": [["x", 1]], "shape_type": "point"}], "imagePath": "t3.png"},
    )
    entries = bind(tmp_path, "t1", "t2", "t3").entries
    assert len(entries["t1"].load().rows) == 1
    with pytest.raises(InputError, match=r"t2\.json: not JSON that can be read"):
        entries["t2"].load()
    with pytest.raises(InputError, match=r"t3\.json, shapes\[0\]: x must be a number, got 'x'"):
        entries["t3"].load()


def test_two_files_of_labelme_for_one_image_are_both_named(tmp_path):
    put(tmp_path, "t1.json", {**LABELME, "imagePath": "t1.png"})
    put(tmp_path, "copy.json", {**LABELME, "imagePath": "t1.png"})
    with pytest.raises(InputError, match=r"copy\.json, .*t1\.json: points of the same image; keep one"):
        rows_of(tmp_path)


# CVAT


def test_one_mark_of_cvat_holds_many_targets(tmp_path):
    text = (
        '<annotations><image id="0" name="sub/t1.png" width="5" height="4"><points label="t" occluded="0" '
        'points="1.50,1.50;3.20,2.10"><attribute name="polarity">dark</attribute></points>'
        '<box label="b" xtl="1" ytl="1" xbr="3" ybr="2"/><tag label="x"/><polyline points="1,1;2,2"/>'
        "</image></annotations>"
    )
    path = put(tmp_path, "a.xml", text)
    rows = rows_of(path, "sub/t1")
    np.testing.assert_allclose([row[:2] for row in rows], [(1, 1), (1.6, 2.7), (1, 1.5)])
    assert [(row.polarity, row.label) for row in rows] == [("dark", "t"), ("dark", "t"), (None, "b")]
    assert ["1 polyline" in note.text for note in open_points(path).notes] == [True]


@pytest.mark.parametrize("image_ids", [["v/frame_000000", "v/frame_000001"], ["a0", "a1"], ["x7", "x9"]])
def test_a_track_of_cvat_goes_by_frame_and_is_not_there_when_outside(tmp_path, image_ids):
    bound = bind(put(tmp_path, "a.xml", CVAT_VIDEO), *image_ids)
    assert list(bound.entries) == image_ids[1:]
    (row,) = bound.entries[image_ids[1]].load().rows
    assert (row.row, row.column, row.label, row.id) == (1, 1, "target", "7")


def test_the_memory_for_cvat_follows_one_image_and_the_points(tmp_path):
    line = '<polyline label="x" points="' + ";".join(f"{k}.00,{k}.00" for k in range(200)) + '"/>'
    images = (f'<image id="{k}" name="i{k}.png" width="5" height="4">{line * 10}</image>\n' for k in range(300))
    path = put(tmp_path, "a.xml", "".join(["<annotations>", *images, "</annotations>"]))
    open_points(path)  # what is loaded once is not the file's
    tracemalloc.start()
    open_points(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 10


def test_frames_of_cvat_are_not_guessed(tmp_path):
    with pytest.raises(InputError, match=r"numbers of the 3 images for 2 frames from 1"):
        bind(put(tmp_path, "a.xml", CVAT_VIDEO), "a1", "a2", "a3")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<annotations><image", r"a\.xml: not XML that can be read"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', r"a\.xml: XML with a document type"),
        (
            '<annotations><image name="t"><points points="1,2;3"/></image></annotations>',
            r"image t, points: points must",
        ),
        (
            '<annotations><image name="t"><points points="1,x"/></image></annotations>',
            r"points: y must be a number, got 'x'",
        ),
        (
            '<annotations><image name="t" width="-1" height="2"/></annotations>',
            r"image t: width must be a whole number",
        ),
    ],
)
def test_damaged_cvat_names_file_place_and_value(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        open_points(put(tmp_path, "a.xml", text))


# Label Studio


def label_studio(**changes: Any) -> list[dict[str, Any]]:
    task = json.loads(json.dumps(LABEL_STUDIO[0]))
    task["annotations"][0]["result"][0].update(changes)
    return [task]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_page_that_turns_the_image_leaves_its_coordinates(tmp_path, degrees):
    assert places(put(tmp_path, "a.json", label_studio(image_rotation=degrees))) == [[1, 1]]


def test_a_turned_box_of_label_studio_turns_about_its_corner(tmp_path):
    value = {"x": 60.0, "y": 25.0, "width": 40.0, "height": 50.0, "rotation": 90, "rectanglelabels": ["t"]}
    found = places(put(tmp_path, "a.json", label_studio(type="rectanglelabels", value=value)))
    assert found == [[1 + 1 - 0.5, 3 - 1 - 0.5]]  # 2 x 2 px from (3, 1), down and to the left


def test_cancelled_annotations_and_predictions_do_not_count(tmp_path):
    tasks = label_studio()
    tasks[0]["predictions"] = tasks[0]["annotations"]
    tasks[0]["annotations"] = [{**tasks[0]["annotations"][0], "was_cancelled": True}]
    with pytest.raises(InputError, match="none of its 1 tasks has an annotation, and predictions are no points"):
        bind(put(tmp_path, "a.json", tasks))
    tasks[0]["completions"] = [{**tasks[0].pop("annotations")[0], "was_cancelled": False}]
    assert len(rows_of(put(tmp_path, "a.json", tasks))) == 1


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("/data/upload/7/1a2b3c4d-t1.png", "t1"),
        ("/data/local-files/?d=some/where/t1.png", "t1"),
        ("/data/local-files/?d=night/deadbeef-x.png", "night/deadbeef-x"),
        ("https://host/bucket/n%C3%A4he.png?X=1", "nähe"),
        ("s3://bucket/night/t9.png", "night/t9"),
        ("C:\\images\\t1.png", "t1"),
    ],
)
def test_names_of_uploads_and_local_files(tmp_path, image, expected):
    tasks = label_studio()
    tasks[0]["data"]["image"] = image
    found = bind(put(tmp_path, "a.json", tasks), "t1", "night/t9", "night/deadbeef-x", "nähe", "day/t8")
    assert list(found.entries) == [expected]


def test_a_name_that_ends_like_two_images_matches_none(tmp_path):
    assert not bind(put(tmp_path, "a.json", label_studio()), "day/t1", "night/t1").entries


def test_percent_without_size_waits_for_the_image(tmp_path):
    path = put(tmp_path, "a.json", label_studio(original_width=None))
    assert places(path, shape=(8, 10)) == [[2.5, 2.5]]


# COCO and Datumaro


def test_invisible_keypoints_are_no_points(tmp_path):
    data = json.loads(json.dumps(COCO))
    data["annotations"][0]["keypoints"] = [0, 0, 0, 2.5, 1.5, 1]
    data["annotations"].append({"id": 2, "image_id": 1, "bbox": [1, 2, 2, 1]})
    data["annotations"].append({"id": 3, "image_id": 1, "bbox": [0, 0, 5, 4], "iscrowd": 1})
    assert places(put(tmp_path, "a.json", data)) == [[1, 2], [2, 1.5]]
    told = open_points(tmp_path / "a.json").notes[0].text
    assert "1 crowd, 1 invisible keypoint" in told


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_id": 9}, r"annotations\[0\]: image_id must be the id of an image, got 9"),
        ({"keypoints": [1, 2]}, r"annotations\[0\]: keypoints must hold 3 numbers a point, got 2"),
        ({"keypoints": [1, "b", 2]}, r"annotations\[0\]: keypoints must be a number, got 'b'"),
        ({"keypoints": None, "bbox": [1, 2]}, r"annotations\[0\]: bbox must hold 4 numbers, got \[1, 2\]"),
    ],
)
def test_damaged_coco_names_file_place_and_value(tmp_path, change, sentence):
    data = json.loads(json.dumps(COCO))
    data["annotations"][0].update(change)
    with pytest.raises(InputError, match=rf"a\.json, {sentence}"):
        open_points(put(tmp_path, "a.json", data))


def test_absent_points_of_datumaro_are_left_out(tmp_path):
    data = json.loads(json.dumps(DATUMARO))
    data["items"][0]["annotations"][0].update(points=[0, 0, 2.5, 1.5], visibility=[0, 1])
    data["items"][0]["annotations"].append(
        {"id": 1, "type": "bbox", "bbox": [1, 2, 2, 1], "attributes": {"polarity": "dark"}}
    )
    rows = rows_of(put(tmp_path, "a.json", data))
    assert [(row.row, row.column, row.polarity) for row in rows] == [(1, 2, None), (2, 1.5, "dark")]


# YOLO


@pytest.mark.parametrize(
    ("row", "yaml", "expected"),
    [
        ("0 0.3 0.375 0.2 0.2", None, [[1, 1]]),
        ("0 0.3 0.375 0.2 0.2 0.9", None, [[1, 1]]),
        ("0 0.2 0.25 0.6 0.25 0.6 0.75 0.2 0.75", None, [[1.5, 1.5]]),
        ("0 0.5 0.5 1 1 0.3 0.375 0", "kpt_shape: [1, 3]", []),
        ("0 0.5 0.5 1 1 0.3 0.375", "kpt_shape: [1, 2]", [[1, 1]]),
        ("0 0.5 0.5 1 1 0.3 0.375 0.5 0.625", "kpt_shape: [2, 2]", [[1, 1], [2, 2]]),
        ("", None, []),
    ],
)
def test_rows_of_yolo(tmp_path, row, yaml, expected):
    put(tmp_path, "labels/t1.txt", f"{row}\n" if row else "")
    put(tmp_path, "labels/t0.txt", "0 0.5 0.5 0.1 0.1\n")
    if yaml:
        put(tmp_path, "data.yaml", f"{yaml}\nnames: [a]\n")
    path = tmp_path if yaml else tmp_path / "labels"
    assert places(path, "t1", "t0") == expected


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("0 30 20 5 5", r"t1\.txt, line 1: x must be a share of the image's size in \[0, 1\], got 30"),
        ("0 0.5 0.5 0.1 x", r"line 1: a value must be a number, got 'x'"),
        ("0.5 0.5 0.5 0.1 0.1", r"line 1: the class must be a whole number from 0, got '0\.5'"),
        ("0 0.5 0.5", r"line 1: a row must hold class, x, y, width, height, got 3 numbers"),
        ("0 " + "0.5 " * 10, r"line 1: a row of 11 numbers may be a pose or a polygon; data\.yaml with kpt_shape"),
    ],
)
def test_damaged_yolo_names_file_line_and_value(tmp_path, row, sentence):
    path = put(tmp_path, "t1.txt", row)
    with pytest.raises(InputError, match=sentence):
        rows_of(path, points_format="yolo")


# MCLC


def test_an_empty_image_of_mclc_holds_zeros(tmp_path):
    assert rows_of(put(tmp_path, "t1.npy", npy(MCLC_EMPTY))) == ()
    assert rows_of(put(tmp_path, "t1.npy", npy({**MCLC, "centroid_label_y": 0, "centroid_label_x": 0}))) == ()


def test_numbers_and_arrays_of_numpy_are_plain(tmp_path):
    held = {**MCLC, "centroid_label_y": [np.int64(2), np.float32(1)], "centroid_label_x": np.array([3, 1], ">u2")}
    assert [row[:2] for row in rows_of(put(tmp_path, "t1.npy", npy(held)))] == [(2, 3), (1, 1)]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('pickles run')",))


def test_pickles_hold_plain_values_only(tmp_path):
    path = put(tmp_path, "t1.npy", npy({**MCLC, "more": Evil()}))
    with pytest.raises(InputError, match=r"\.npy files of MCLC hold pickled tables; `allow_pickle`"):
        open_points(path)
    with pytest.raises(InputError, match=r"t1\.npy: its pickle names builtins\.exec, which is no plain value"):
        rows_of(path)
    deep: list[Any] = [0] * 50
    for _ in range(15):
        deep = [deep] * 50  # a few bytes of references to 50 ** 16 values
    with pytest.raises(InputError, match=r"nested too deep, or too many"):
        rows_of(put(tmp_path, "t1.npy", npy({**MCLC, "more": deep})))


# Manifest


def test_the_last_line_of_an_image_counts_and_a_torn_one_does_not(tmp_path):
    line = SAMPLES["manifest", "manifest.jsonl"].decode()
    again = line.replace('"x": 1.0', '"x": 2.0')
    path = put(tmp_path, "manifest.jsonl", line + again + again[:40])
    assert [(row.row, row.column, row.polarity) for row in rows_of(path)] == [(1, 2, "dark")]
    assert [note.kind for note in open_points(path).notes] == ["manifest"]
