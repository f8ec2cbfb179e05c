"""Masks of every kind of file, and pairs of masks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.masks.pairs import list_masks, pair_masks
from pointlabel.io.masks.read import MaskWarning, read_grey_mask, read_mask

MASK = np.zeros((7, 9), bool)
MASK[2:5, 3:5] = True
GREY = np.where(MASK, np.uint8(255), np.uint8(0))


def palette(colours):
    image = Image.fromarray(MASK.astype(np.uint8), "P")
    image.putpalette(np.ravel(colours).tolist())
    return image


FILES = {
    "grey.png": lambda: Image.fromarray(GREY),
    "bits.png": lambda: Image.fromarray(MASK),
    "deep.png": lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
    "colour.png": lambda: Image.fromarray(np.stack([GREY] * 3, axis=2)),
    "alpha.png": lambda: Image.fromarray(np.stack([GREY, GREY, GREY, np.full_like(GREY, 9)], axis=2)),
    "red.png": lambda: Image.fromarray(np.stack([GREY, GREY * 0, GREY * 0], axis=2)),
    "grey_alpha.png": lambda: Image.fromarray(GREY).convert("LA"),
    "palette.png": lambda: palette([(0, 0, 0), (255, 255, 255)]),
    "voc.png": lambda: palette([(0, 0, 0), (128, 0, 0)]),
    "grey.bmp": lambda: Image.fromarray(GREY),
    "grey.tif": lambda: Image.fromarray(GREY),
    "float.tif": lambda: Image.fromarray(MASK.astype(np.float32)),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file(tmp_path, name):
    FILES[name]().save(tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask = read_mask(tmp_path / name)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, MASK)


def test_depth_is_kept(tmp_path):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    grey = read_grey_mask(tmp_path / "ramp.png")
    assert grey.is_soft
    np.testing.assert_array_equal(grey.levels, ramp)
    np.testing.assert_allclose(grey.soft(), ramp / 65535, atol=1e-7)
    np.testing.assert_array_equal(grey.mask(), ramp > 127 * 257)
    tifffile.imwrite(tmp_path / "soft.tif", (ramp / 65535).astype(np.float32))
    soft = read_grey_mask(tmp_path / "soft.tif")
    np.testing.assert_array_equal(soft.soft(), (ramp / 65535).astype(np.float32))
    np.testing.assert_array_equal(soft.mask(), soft.levels > 127 / 255)


@pytest.mark.parametrize(("threshold", "expected"), [(0, 3), (100, 2), (127, 1), (200, 0), (199, 1)])
def test_the_threshold_itself_is_background(tmp_path, threshold, expected):
    Image.fromarray(np.array([[0, 100, 127, 200]], np.uint8)).save(tmp_path / "m.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MaskWarning)
        assert read_mask(tmp_path / "m.png", threshold).sum() == expected


def test_other_greys_are_counted(tmp_path):
    Image.fromarray(np.array([[0, 3, 128, 255, 255]], np.uint8)).save(tmp_path / "m.png")
    grey = read_grey_mask(tmp_path / "m.png")
    assert (grey.n_other, grey.largest, grey.is_soft) == (2, 255, False)


def test_masks_of_0_and_1_are_warned_about(tmp_path):
    path = tmp_path / "ones.png"
    Image.fromarray(MASK.astype(np.uint8)).save(path)
    sentence = r"ones.png: the largest value of the mask is 1, not above the threshold 127.*need the threshold 0"
    with pytest.warns(MaskWarning, match=sentence):
        assert not read_mask(path).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_mask(path, 0), MASK)


def test_an_empty_mask_is_no_complaint(tmp_path):
    Image.fromarray(GREY * 0).save(tmp_path / "m.png")
    assert read_grey_mask(tmp_path / "m.png").complaint() is None


def test_files_that_are_no_masks(tmp_path):
    with pytest.raises(InputError, match=r"gone.png: cannot be read \(No such file"):
        read_mask(tmp_path / "gone.png")
    (tmp_path / "none.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"none.png: the file is empty \(0 bytes\)"):
        read_mask(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(InputError, match=r"text.png: not a PNG"):
        read_mask(tmp_path / "text.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(tmp_path / "cut.png")
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut.png: the file is cut short or damaged"):
        read_mask(tmp_path / "cut.png")


@pytest.mark.parametrize("value", [255.0, -1.0, np.nan])
def test_floating_point_outside_0_to_1(tmp_path, value):
    tifffile.imwrite(tmp_path / "m.tif", np.array([[0, value]], np.float32))
    with pytest.raises(InputError, match=rf"m.tif: a mask in floating point must lie in \[0, 1\], got {value:g}"):
        read_mask(tmp_path / "m.tif")


def save(path, mask=MASK):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def test_pairs_by_path_without_suffix(tmp_path):
    for name in ("a.png", "sub/b.png", "only.png"):
        save(tmp_path / "gt" / name)
    for name in ("a.bmp", "sub/b.png", "more.png"):
        save(tmp_path / "pred" / name)
    pairs = pair_masks(tmp_path / "pred", tmp_path / "gt")
    assert [pair.id for pair in pairs.pairs] == ["a", "only", "sub/b"]
    assert pairs.pairs[0].predicted == str(tmp_path / "pred" / "a.bmp")
    assert pairs.pairs[1].predicted is None
    assert pairs.missing == ("only",)
    assert pairs.unused == ("more",)


def test_the_ending_of_sirst_masks(tmp_path):
    save(tmp_path / "gt" / "Misc_1_pixels0.png")
    save(tmp_path / "pred" / "Misc_1.png")
    assert pair_masks(tmp_path / "pred", tmp_path / "gt").pairs[0].id == "Misc_1"
    save(tmp_path / "gt" / "Misc_1.png")
    with pytest.raises(InputError, match=r"gt: Misc_1.png and Misc_1_pixels0.png are both masks of Misc_1"):
        list_masks(tmp_path / "gt")


def test_two_files_of_one_id(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "a.bmp")
    with pytest.raises(InputError, match=r"a.bmp and a.png are both masks of a; keep one of them"):
        list_masks(tmp_path)


def test_a_folder_that_annotate_wrote(tmp_path):
    save(tmp_path / "masks" / "a.png")
    save(tmp_path / "overlay" / "a.png")
    assert set(list_masks(tmp_path)) == {"masks/a", "overlay/a"}
    (tmp_path / "manifest.jsonl").write_text("")
    assert set(list_masks(tmp_path)) == {"a"}


def test_two_files_are_a_pair_whatever_their_names(tmp_path):
    save(tmp_path / "one.png")
    save(tmp_path / "two.png")
    pairs = pair_masks(tmp_path / "one.png", tmp_path / "two.png")
    assert [(pair.id, pair.predicted) for pair in pairs.pairs] == [("two", str(tmp_path / "one.png"))]


def test_nothing_in_common(tmp_path):
    save(tmp_path / "pred" / "a.png")
    save(tmp_path / "gt" / "b.png")
    with pytest.raises(InputError, match=r"pred and .*gt have no id in common: the first holds a, the second b"):
        pair_masks(tmp_path / "pred", tmp_path / "gt")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none: no image found"):
        pair_masks(tmp_path / "none", tmp_path / "gt")
