"""Which files of a folder are images, and what their ids are."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointlabel.errors import InputError
from pointlabel.io.images import list_images, path_below, strip_suffix

PARTS = st.lists(st.sampled_from(["a", "b.png", ".", "..", ".h", "x y", ""]), min_size=1, max_size=4)


@pytest.fixture
def tree(tmp_path):
    for name in ("b.png", "a.TIF", "sub/deep/a.bmp", "notes.txt", ".hidden.png", ".git/x.png", "v1.2.jpeg"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "images"


def test_folder_with_sub_folders(tree):
    found = list_images(tree)
    assert [file.id for file in found.files] == ["a", "b", "sub/deep/a", "v1.2"]
    assert [file.shown for file in found.files] == ["a.TIF", "b.png", "sub/deep/a.bmp", "v1.2.jpeg"]
    assert found.whole
    assert found.ids == {"a", "b", "sub/deep/a", "v1.2"}


def test_folders_to_skip(tree):
    assert [file.id for file in list_images(tree, skip=[str(tree / "sub")]).files] == ["a", "b", "v1.2"]


def test_masks_of_earlier_runs_are_no_images(tree):
    for run, about in (("run", "manifest.jsonl"), ("sub/guess", "predict.json")):
        (tree / run / "masks").mkdir(parents=True)
        (tree / run / "masks" / "b.png").touch()
        (tree / run / about).write_text('{"id":"b","status":"ok"}\n')
    (tree / "others" / "masks").mkdir(parents=True)
    (tree / "others" / "masks" / "c.png").touch()
    (tree / "others" / "manifest.jsonl").write_text('{"file": "c.png"}\n')  # of another program
    assert [file.id for file in list_images(tree).files] == ["a", "b", "others/masks/c", "sub/deep/a", "v1.2"]
    assert [file.id for file in list_images(tree / "run").files] == ["masks/b"]  # asked for by name


def test_one_file(tree):
    found = list_images(tree / "sub/deep/a.bmp")
    assert [file.id for file in found.files] == ["a"]
    assert not found.whole


def test_glob_ids_start_after_the_fixed_folders(tree):
    found = list_images(str(tree / "**" / "a.*"))
    assert [file.id for file in found.files] == ["a", "sub/deep/a"]


def test_equal_ids_are_kept_together(tree):
    (tree / "b.jpg").touch()
    file = next(file for file in list_images(tree).files if file.id == "b")
    assert (file.shown, file.rivals) == ("b.jpg", ("b.png",))


@pytest.mark.parametrize("where", ["nowhere", "nowhere/*.png"])
def test_nothing_there(tmp_path, where):
    with pytest.raises(InputError, match=r"nowhere(: no such file or folder|/\*\.png: no image found)"):
        list_images(tmp_path / where)


def test_folder_without_images(tmp_path):
    with pytest.raises(InputError, match=r"no image found \(files with one of the suffixes \.png"):
        list_images(tmp_path)


@pytest.mark.parametrize(("name", "stem"), [("a.PNG", "a"), ("a.b", "a.b"), ("s/v1.2.tiff", "s/v1.2")])
def test_suffixes_of_images_are_stripped(name, stem):
    assert strip_suffix(name) == stem


@given(PARTS, PARTS, st.booleans())
def test_a_path_below_a_folder_is_the_relative_one(root, path, is_absolute):
    folder = ("/" if is_absolute else "") + "/".join(root) or "."
    file = os.path.join(folder, "/".join(path))
    assert path_below(file, folder) == os.path.relpath(file, folder)
