"""One rule for masks of every kind of file: what is read, what is told, and what is no set of true masks."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.masks.pairs import list_masks
from pointlabel.io.masks.read import read_grey_mask, read_true_mask
from pointlabel.io.masks.survey import MaskTally, survey_masks

MASK = np.zeros((40, 50), bool)
MASK[5:9, 6:11] = MASK[20:22, 30:33] = True
GREY = np.uint8(255) * MASK


def kinds(path, threshold=127):
    return [note.kind for note in read_true_mask(path, threshold)[1]]


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path, **options)
    return path


def palette(colours, alpha=None):
    image = Image.fromarray(MASK.astype(np.uint8))
    image.putpalette(colours)
    if alpha is not None:
        image.info["transparency"] = bytes(alpha)
    return image


def deep(path, array, **options):
    path = path.with_suffix(".tif")
    tifffile.imwrite(path, array, **options)
    return path


#: Cut-outs: the mask is in the alpha channel, and the colours show none.
CUT_OUTS = {
    "white RGBA": lambda path: save(path, np.dstack([np.full((40, 50, 3), 255, np.uint8), GREY])),
    "black RGBA": lambda path: save(path, np.dstack([np.zeros((40, 50, 3), np.uint8), GREY])),
    "LA": lambda path: save(path, np.dstack([np.full((40, 50), 200, np.uint8), GREY])),
    "palette": lambda path: save(path, palette([255, 255, 255, 255, 255, 255], [0, 255])),
    "an image": lambda path: save(
        path, np.dstack([np.random.default_rng(0).integers(60, 200, (40, 50, 3), np.uint8), GREY])
    ),
    "16-bit TIFF": lambda path: deep(
        path,
        np.dstack([np.full((40, 50, 3), 65535, np.uint16), GREY.astype(np.uint16) * 257]),
        photometric="rgb",
        extrasamples=["unassalpha"],
    ),
    "planar TIFF": lambda path: deep(
        path,
        np.stack([*np.full((3, 40, 50), 255, np.uint8), GREY]),
        photometric="rgb",
        planarconfig="separate",
        extrasamples=["unassalpha"],
    ),
}


@pytest.mark.parametrize("kind", CUT_OUTS)
def test_the_alpha_channel_of_a_cut_out_is_the_mask_and_told(tmp_path, kind):
    path = CUT_OUTS[kind](tmp_path / "m.png")
    np.testing.assert_array_equal(read_grey_mask(path).mask(), MASK)
    assert kinds(path) == ["mask_alpha"]


def test_16_bit_alpha_keeps_its_depth(tmp_path):
    from imagecodecs import png_encode

    rgba = np.dstack([np.full((40, 50, 3), 65535, np.uint16), MASK.astype(np.uint16)])
    (tmp_path / "m.png").write_bytes(png_encode(rgba))
    assert kinds(tmp_path / "m.png") == ["mask_alpha", "empty_mask"]
    np.testing.assert_array_equal(read_grey_mask(tmp_path / "m.png").mask(0), MASK)


def test_an_empty_cut_out_is_empty(tmp_path):
    path = save(tmp_path / "m.png", np.dstack([np.full((40, 50, 3), 255, np.uint8), 0 * GREY]))
    assert not read_grey_mask(path).mask().any()


def test_an_alpha_channel_that_says_the_same_or_nothing_is_silent(tmp_path):
    for alpha in (GREY, np.full_like(GREY, 255), np.zeros_like(GREY)):
        path = save(tmp_path / "m.png", np.dstack([GREY, GREY, GREY, alpha]))
        np.testing.assert_array_equal(read_grey_mask(path).mask(), MASK)
        assert kinds(path) == []
    assert kinds(save(tmp_path / "voc.png", palette([0, 0, 0, 128, 0, 0], [0, 255]))) == []


def test_an_alpha_channel_that_says_something_else_is_left_out_and_told(tmp_path):
    path = save(tmp_path / "m.png", np.dstack([GREY, GREY, GREY, np.roll(GREY, 3, 0)]))
    np.testing.assert_array_equal(read_grey_mask(path).mask(), MASK)
    assert kinds(path) == ["mask_alpha"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 255), min_size=1, max_size=6), st.integers(0, 254))
def test_every_target_is_read_or_told(tmp_path_factory, numbers, threshold):
    """Whatever numbers the targets have: without a note nothing is lost."""
    path = tmp_path_factory.mktemp("m") / "m.png"
    mask = np.zeros((40, 50), np.uint8)
    for place, number in enumerate(numbers):
        mask[4:7, 8 * place + 1 : 8 * place + 4] = number
    save(path, mask)
    read, notes = read_true_mask(path, threshold)
    np.testing.assert_array_equal(read, mask > threshold)
    n_lost = sum(number <= threshold for number in numbers)
    assert n_lost == 0 or notes
    if 0 < n_lost < len(numbers):
        assert f"{n_lost} whole area" in notes[0].text
        assert "`mask_threshold=0`" in notes[0].text


def write_set(folder, array, n=3):
    for k in range(n):
        save(folder / f"{k}.png", array)
    return list(list_masks(folder).values())


@pytest.mark.parametrize(
    ("array", "threshold", "sentence"),
    [
        (
            MASK.astype(np.uint8),
            127,
            r"gt: every true mask is empty at `mask_threshold=127`; .*the largest value .* is 1",
        ),
        (255 - GREY, 127, r"gt: 3 of 3 true masks cover more than half .* is it inverted, or in the alpha channel\?"),
        (
            np.random.default_rng(0).integers(20, 220, (40, 50), np.uint8),
            127,
            r"gt: 3 of 3 files looked at are images, not true masks; .* is it an image\?",
        ),
    ],
)
def test_what_is_no_set_of_true_masks(tmp_path, array, threshold, sentence):
    paths = write_set(tmp_path / "gt", array)
    with pytest.raises(InputError, match=sentence):
        survey_masks(paths, str(tmp_path / "gt"), threshold)
    save(tmp_path / "gt" / "3.png", GREY)  # a single mask does not make the others a set of true masks, but of 0 and 1
    if array.max() > 1:
        with pytest.raises(InputError, match=sentence.replace("3 of 3", "3 of 4")):
            survey_masks([*paths, str(tmp_path / "gt/3.png")], str(tmp_path / "gt"), threshold)


def test_sets_that_are_in_order(tmp_path):
    assert survey_masks(write_set(tmp_path / "gt", GREY), "gt") == ()
    empty = write_set(tmp_path / "empty", 0 * GREY)
    assert survey_masks(empty, "empty") == ()
    with pytest.raises(InputError, match=r"empty: every true mask is empty .* nothing but 0"):
        survey_masks(empty, "empty", need_targets=True)
    late = [*(path for path in empty * 10), save(tmp_path / "late.png", GREY)]
    assert survey_masks(late, "late", need_targets=True) == ()  # it is looked for until it is found
    dots = np.zeros_like(GREY)
    dots[::8, ::8] = 255
    assert [note.kind for note in survey_masks(write_set(tmp_path / "dots", dots), "dots")] == ["mask_points"]
    (tmp_path / "gt" / "0.png").write_bytes(b"no image")
    paths = list(list_masks(tmp_path / "gt").values())
    assert survey_masks(paths, "gt") == ()
    assert survey_masks(paths[:1], "gt", need_targets=True) == ()  # whoever reads it next has to say so


def test_a_tally_counts_files_and_names_the_first(tmp_path):
    tally = MaskTally()
    for k, level in enumerate((1, 255, 1)):
        tally.add(*read_true_mask(save(tmp_path / f"{k}.png", MASK * np.uint8(level))))
    (sentence,) = tally.sentences("masks")
    assert sentence.startswith(f"masks without a value above the threshold: 2; the first: {tmp_path / '0.png'}: ")


@pytest.mark.parametrize("name", ["DenseSIRST", "IRSTD-1k", "MDvsFA-train", "MT-blowhole", "NUDT-SIRST", "SIRST-v1"])
def test_published_masks_pass_and_their_images_do_not(data, name):
    if not (data / name).is_dir():
        pytest.skip(f"no {name}")
    assert survey_masks(list(list_masks(data / name / "masks").values()), "masks") == ()
    with pytest.raises(InputError, match="are images, not true masks"):
        survey_masks(list(list_masks(data / name / "images").values()), "images")


def test_letters_in_either_form_and_a_mask_that_comes_twice(tmp_path):
    save(tmp_path / "cafe\u0301_pixels0.png", GREY)
    assert list(list_masks(tmp_path)) == ["caf\u00e9"]
    save(tmp_path / "caf\u00e9.png", GREY)
    with pytest.raises(InputError, match="are both masks of caf\u00e9; keep one of them"):
        list_masks(tmp_path)
