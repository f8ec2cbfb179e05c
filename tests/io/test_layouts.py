"""Layouts of data sets: each is found by what is there, and what it says is what is there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.io.datasets import open_dataset, read_split
from pointlabel.io.images import list_images
from pointlabel.io.layouts.rules import LAYOUTS, find_layout
from pointlabel.io.masks.pairs import list_masks
from pointlabel.io.samples import read_sample
from tests.io.layouts import BUILT, WITHOUT_MASKS, WITHOUT_POINTS, build, put, scene, text, usual


@pytest.mark.parametrize("layout", BUILT)
def test_each_layout_is_found_and_no_other(layout, tmp_path):
    parts = find_layout(build(layout, tmp_path))
    assert parts.layout == layout
    assert (parts.masks is None) == (layout in WITHOUT_MASKS)
    assert layout in {each.name for each in LAYOUTS}


@pytest.mark.parametrize("layout", [name for name in BUILT if name not in WITHOUT_MASKS])
def test_images_masks_and_points_of_each_layout_belong_together(layout, tmp_path):
    root = build(layout, tmp_path)
    has_points = layout not in WITHOUT_POINTS
    entries = list(open_dataset(root, points="centroid" if has_points else None).entries)
    assert len(entries) == 6
    if layout != "NUDT-MIRSDT":  # drawn in the order of their numbers, whatever the part
        entries.sort(key=lambda entry: entry.id.rpartition("/")[2])
    for k, entry in enumerate(entries):
        sample, (image, mask, marks) = read_sample(entry), scene(k)
        np.testing.assert_array_equal(sample.image, image)
        np.testing.assert_array_equal(sample.mask, mask > 0)
        if has_points and entry.points is not None:
            assert sorted(map(tuple, sample.points)) == sorted(map(tuple, np.argwhere(marks)))
    assert sum(entry.points is not None for entry in entries) == (0 if not has_points else 4 if layout == "PAL" else 6)


@pytest.mark.parametrize("layout", [name for name in BUILT if name not in WITHOUT_MASKS])
def test_the_obvious_lists_share_the_images_out(layout, tmp_path):
    root = build(layout, tmp_path)
    ids = [entry.id for entry in open_dataset(root, points=None).entries]
    long = "_full" if layout == "SIRST v2" else ""
    test = read_split(root, {"PAL": "val"}.get(layout, "test") + long)
    train = read_split(root, "train" + long)
    assert set(test) | set(train) <= set(ids)
    assert not set(test) & set(train)
    assert len(test) == (3 if layout == "NUDT-MIRSDT" else 2)


@pytest.mark.parametrize("layout", [name for name in BUILT if name not in (*WITHOUT_MASKS, *WITHOUT_POINTS)])
def test_annotate_and_evaluate_take_each_layout(layout, tmp_path):
    root, out = build(layout, tmp_path), tmp_path / "out"
    done = CliRunner().invoke(main, ["annotate", str(root), "-o", str(out), "--no-progress"])
    assert done.exit_code == 0, done.output
    assert len(list_masks(out)) == 6
    scored = CliRunner().invoke(main, ["evaluate", str(out), str(root), "--json", "-"])
    assert scored.exit_code == 0, scored.output
    assert '"missing": []' in scored.output


@pytest.mark.parametrize("layout", ["MDvsFA", "SIRST v2"])
def test_points_made_of_masks_are_those_of_the_data_set(layout, tmp_path):
    root = build(layout, tmp_path)
    made = CliRunner().invoke(main, ["points", str(root), "-o", str(root / "masks_centroid")])
    assert made.exit_code == 0, made.output
    assert [len(read_sample(entry).points) for entry in open_dataset(root).entries] == [2] * 6


def merged(parent, *names):
    """A data set of three others as SCTransNet and BasicIRSTD have it."""
    ids = ["Misc_1", "000928", "XDU0", "Misc_2", "000929", "XDU1"]
    usual(parent / "SIRST3", ids)
    text(parent / "SIRST3/img_idx/train_SIRST3.txt", ids[:3])
    for name, chosen in zip(names, (ids[3:4], ids[4:5], ids[5:], ids[3:]), strict=False):
        text(parent / f"SIRST3/img_idx/{name}.txt", chosen)
    return parent / "SIRST3"


def test_a_merged_set_opens_whole_and_by_its_lists(tmp_path):
    names = ("test_NUAA-SIRST", "test_NUDT-SIRST", "test_IRSTD-1K")
    root = merged(tmp_path, *names)
    assert len(open_dataset(root)) == 6
    assert [len(open_dataset(root, split=name)) for name in names] == [1, 1, 1]
    assert len(open_dataset(root, split="train")) == 3
    with pytest.raises(InputError, match="test may be test_IRSTD-1K or test_NUAA-SIRST or test_NUDT-SIRST; give the"):
        open_dataset(root, split="test")


def test_the_list_with_the_name_of_the_data_set_is_the_obvious_one(tmp_path):
    root = merged(tmp_path, "test_NUAA-SIRST", "test_NUDT-SIRST", "test_IRSTD-1K", "test_SIRST3")
    assert len(open_dataset(root, split="test")) == 3
    other = root.rename(tmp_path / "SIRST-v1")  # an alias of NUAA-SIRST
    assert [entry.id for entry in open_dataset(other, split="test").entries] == ["Misc_2"]


def test_two_versions_of_a_list_are_both_named(tmp_path):
    root = build("SIRST v2", tmp_path)
    with pytest.raises(InputError, match="the list train may be train_full or train_v1fullv2target; give the whole"):
        read_split(root, "train")
    assert len(read_split(root, "val")) == 1


def test_lists_of_several_folders_have_the_folder_in_their_name(tmp_path):
    root = build("DNANet", tmp_path)
    shutil.copytree(root / "50_50", root / "10000_100")
    assert len(read_split(root, "10000_100/test")) == 2
    with pytest.raises(InputError, match="the list test may be 10000_100/test or 50_50/test"):
        read_split(root, "test")


def test_lists_one_level_up_are_found(tmp_path):
    root = build("BasicIRSTD", tmp_path)
    for path in list((root / "img_idx").iterdir()):
        path.rename(root / path.name)
    (root / "img_idx").rmdir()
    assert find_layout(root).layout == "BasicIRSTD"
    assert read_split(root, "test") == ["XDU4", "XDU5"]


def test_a_folder_of_images_and_masks_is_searched_for_images_alone(tmp_path):
    """A table given by hand does not turn the masks of a data set into images."""
    root = tmp_path / "set"
    usual(root, ["a", "b"])
    (tmp_path / "clicks.csv").write_text("image,x,y\na,10,10\n")
    done = CliRunner().invoke(
        main, ["annotate", str(root), "-p", str(tmp_path / "clicks.csv"), "-o", str(tmp_path / "o")]
    )
    assert done.exit_code == 0, done.output
    assert list(list_masks(tmp_path / "o")) == ["a", "b"]


def test_images_alone_stay_a_folder_of_images(tmp_path):
    for name in ("images/a", "more/b"):
        put(tmp_path / f"set/{name}.png", scene(0)[0])
    assert [file.id for file in list_images(tmp_path / "set").files] == ["images/a", "more/b"]
    assert not find_layout(tmp_path / "set").is_dataset


def test_folders_that_are_no_data_sets_are_claimed_by_none(tmp_path):
    root = build("BasicIRSTD", tmp_path)
    done = CliRunner().invoke(main, ["annotate", str(root), "-o", str(tmp_path / "out"), "--no-progress"])
    assert done.exit_code == 0, done.output
    put(tmp_path / "yolo/images/train/a.png", scene(0)[0])
    text(tmp_path / "yolo/labels/train/a.txt", ["0 0.5 0.5 0.1 0.1"])
    put(tmp_path / "other/train/a.png", scene(0)[0])
    text(tmp_path / "other/train.txt", ["a"])
    text(tmp_path / "other/result.json", ["{}"])
    folders = [
        tmp_path / "out",
        tmp_path / "yolo",
        tmp_path / "other",
        root / "images",
        root / "masks",
        root / "img_idx",
    ]
    assert [find_layout(folder).is_dataset for folder in folders] == [False] * 6


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("annotations.xml", "<annotations></annotations>"),
        ("annotations/instances_default.json", '{"images": []}'),
        ("annotations/default.json", '{"items": []}'),
        ("project-3-at-2026-01-02.json", '[{"annotations": [{"result": [{"type": "keypointlabels"}]}]}]'),
        ("data.yaml", "kpt_shape: [1, 3]"),
    ],
)
def test_the_points_of_an_export_are_its_file(name, content, tmp_path):
    put(tmp_path / "images/a.png", scene(0)[0])
    text(tmp_path / name, [content])
    parts = find_layout(tmp_path)
    assert (parts.layout, parts.points) == ("export", {"centroid": str(tmp_path / name)})
    put(tmp_path / "masks_centroid/a.png", scene(0)[2])
    assert find_layout(tmp_path).points == {"centroid": str(tmp_path / "masks_centroid")}
