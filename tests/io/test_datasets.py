"""Data sets as folders: what belongs together, lists of ids, and each way to be incomplete."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.datasets import open_dataset, open_images, read_split
from pointlabel.io.samples import Hashes, decode_sample, read_inputs, read_sample
from pointlabel.synthetic import draw_scene


@pytest.fixture
def folder(draw_dataset):
    return draw_dataset("set", 4)


def ids(dataset):
    return [entry.id for entry in dataset.entries]


def write_split(folder, name, text):
    (folder / "img_idx").mkdir(exist_ok=True)
    (folder / "img_idx" / name).write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize("points", ["centroid", "coarse"])
def test_images_masks_and_points_belong_together(folder, points):
    dataset = open_dataset(folder, points=points)
    assert (dataset.name, ids(dataset)) == ("set", ["0", "1", "2", "3"])
    for k, entry in enumerate(pickle.loads(pickle.dumps(dataset)).entries):
        scene, sample = draw_scene(seed=k, shape=(64, 80), n_targets=2), read_sample(entry)
        np.testing.assert_array_equal(sample.image, scene.image)
        np.testing.assert_array_equal(sample.mask, scene.mask)
        assert sorted(map(tuple, sample.points)) == sorted(map(tuple, np.floor(scene.points)))
        assert sample.notes == ()


def test_masks_may_be_named_as_sirst_v1_has_it_and_be_left_out(folder):
    for path in (folder / "masks").iterdir():
        path.rename(path.with_name(f"{path.stem}_pixels0.png"))
    assert np.any(read_sample(open_dataset(folder).entries[1]).mask)
    shutil.rmtree(folder / "masks")
    assert read_sample(open_dataset(folder, masks=False).entries[1]).mask is None


def test_an_image_without_points_has_none(folder):
    (folder / "masks_centroid" / "2.png").unlink()
    assert [len(read_sample(entry).points) for entry in open_dataset(folder).entries] == [2, 2, 0, 2]


def test_the_hash_follows_image_mask_and_points(folder):
    def digest():
        return read_sample(open_dataset(folder).entries[0]).sha256

    seen = {digest()}
    assert digest() in seen
    for part in ("images", "masks", "masks_centroid"):
        path = folder / part / "0.png"
        pixels = np.array(Image.open(path))
        pixels[-1, -1] = 255 - pixels[-1, -1]
        Image.fromarray(pixels).save(path)
        seen.add(digest())
    assert len(seen) == 4


def test_what_is_hashed_is_what_is_decoded(folder):
    entry = open_dataset(folder).entries[0]
    hashes: Hashes = {}
    inputs, whole = read_inputs(entry, hashes), read_sample(entry)
    shutil.rmtree(folder)
    sample = decode_sample(entry, inputs, hashes)
    np.testing.assert_array_equal(sample.mask, whole.mask)
    assert sample.sha256 == whole.sha256


@pytest.mark.parametrize("name", ["train.txt", "train_set.txt"])
def test_a_list_chooses_images_in_its_order(folder, name):
    write_split(folder, name, b"\xef\xbb\xbf3\r\n/1.png\r\n\r\n3\r\n")
    assert ids(open_dataset(folder, split="train")) == ["3", "1"]
    assert read_split(str(folder), "train.txt") == ["3", "1"]


def test_a_longer_name_must_be_the_only_one(folder):
    write_split(folder, "train_a.txt", "1")
    write_split(folder, "train_b.txt", "2")
    with pytest.raises(InputError, match=r"the list train may be train_a or train_b; give the whole name"):
        open_dataset(folder, split="train")
    assert ids(open_dataset(folder, split="train_b")) == ["2"]


def test_a_sample_is_spread_over_the_whole(draw_dataset):
    dataset = open_dataset(draw_dataset("more", 10))
    assert ids(dataset.sample(4)) == ["0", "2", "5", "7"]
    assert dataset.sample(10) == dataset.sample(99) == dataset


def remove(part):
    return lambda folder: shutil.rmtree(folder / part)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda folder: shutil.rmtree(folder), {}, r"set: no such folder; a data set is a folder with images/"),
        (remove("images"), {}, r"needs the folder images/; it holds masks, masks_centroid, masks_coarse"),
        (remove("masks"), {}, r"needs the folder masks/; it holds images"),
        (remove("masks_coarse"), {"points": "coarse"}, r"`points=coarse` needs the folder masks_coarse/"),
        (lambda folder: None, {"points": "clicks"}, "points must be one of centroid, coarse, got 'clicks'"),
        (lambda folder: (folder / "masks" / "2.png").unlink(), {}, r"set: no true mask in masks/ for 2$"),
        (lambda folder: None, {"split": "train"}, r"split train needs the folder img_idx/"),
        (
            lambda folder: write_split(folder, "test.txt", "0"),
            {"split": "tset"},
            r"no list tset\.txt; did you mean test",
        ),
        (lambda folder: write_split(folder, "a.txt", " \n"), {"split": "a"}, r"a\.txt: the list holds no id"),
        (
            lambda folder: write_split(folder, "a.txt", b"\xff\xfe0\x000\xd8"),
            {"split": "a"},
            r"a\.txt: a list of ids must be UTF-8, or UTF-16",
        ),
        (
            lambda folder: write_split(folder, "a.txt", "0\n5\n6\n7\n8\n9"),
            {"split": "a"},
            r"split a names images that images/ does not hold: 5, 6, 7 and 2 more",
        ),
        (
            lambda folder: shutil.copy(folder / "images" / "1.png", folder / "images" / "1.bmp"),
            {},
            r"1\.bmp, 1\.png: images with the same id 1; rename one",
        ),
    ],
)
def test_what_is_incomplete_is_named(folder, change, options, message):
    change(folder)
    with pytest.raises(InputError, match=message):
        open_dataset(folder, **options)


def test_a_mask_of_another_size_and_a_faint_one(folder):
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(folder / "masks" / "0.png")
    Image.fromarray(np.ones((64, 80), np.uint8)).save(folder / "masks" / "1.png")
    first, second = open_dataset(folder).entries[:2]
    with pytest.raises(InputError, match=r"0\.png: the true mask is 12 x 10, its image 80 x 64"):
        read_sample(first)
    sample = read_sample(second)
    assert [note.kind for note in sample.notes] == ["empty_mask"]
    assert not np.any(sample.mask)


def test_images_with_points_from_anywhere(folder, tmp_path):
    table = tmp_path / "clicks.csv"
    table.write_text("image,x,y\n0.png,10,20\n2.png,5,6\n")
    dataset = open_images(folder / "images", table)
    samples = [read_sample(entry) for entry in dataset.entries]
    assert [sample.points.tolist() for sample in samples] == [[[20, 10]], [], [[6, 5]], []]
    assert all(sample.mask is None for sample in samples)
    table.write_text("image,x,y\nother.png,10,20\n")
    with pytest.raises(InputError, match=r"clicks\.csv has no points for any image of .*images"):
        open_images(folder / "images", table)


def test_the_real_data_sets_are_read_whole(data):
    for name, n_images in (("SIRST-v1", 427), ("NUDT-SIRST", 663), ("IRSTD-1k", 800)):
        dataset = open_dataset(data / name)
        assert len(dataset) == n_images
        for entry in dataset.sample(25).entries:
            sample = read_sample(entry)
            assert len(sample.points)
            assert np.any(sample.mask)
    assert (
        len(open_dataset(data / "SIRST-v1", split="train")),
        len(open_dataset(data / "SIRST-v1", split="test")),
    ) == (
        213,
        214,
    )
