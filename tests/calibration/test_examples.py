"""Examples from folders: which images are taken, what is counted, what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from pointlabel.calibration import examples
from pointlabel.calibration.examples import read_examples
from pointlabel.errors import InputError


@pytest.fixture
def folder(draw_dataset):
    return draw_dataset(n_images=6)


def read(folder, **options):
    return read_examples(folder / "images", folder / "masks_centroid", folder / "masks", **options)


def change(path, how):
    Image.fromarray(how(np.asarray(Image.open(path)))).save(path)


def test_every_target_is_a_case(folder):
    found = read(folder)
    assert [case.image for case in found.cases] == [str(k) for k in range(6) for _ in range(2)]
    assert (found.n_images, found.n_used, found.n_alone, found.notes) == (6, 6, 0, ())
    assert found.n_unmasked == found.n_unpointed == found.n_empty == found.n_unread == 0


def test_what_cannot_be_used_is_left_out_and_counted(folder):
    (folder / "masks/0.png").unlink()
    (folder / "masks_centroid/1.png").unlink()
    change(folder / "masks/2.png", np.zeros_like)
    change(folder / "masks/3.png", lambda mask: mask * (np.cumsum(mask.any(1)) <= 1)[:, None].astype(np.uint8))
    found = read(folder)
    assert (found.n_images, found.n_used) == (6, 3)
    assert (found.n_unmasked, found.n_unpointed, found.n_empty, found.n_alone) == (1, 1, 1, 1)
    assert {case.image for case in found.cases} == {"3", "4", "5"}


def test_more_images_than_needed_are_drawn_by_the_seed(folder, monkeypatch):
    monkeypatch.setattr(examples, "MOST", 4)
    told = []
    chosen = [read(folder, seed=seed, report=lambda *now: told.append(now)) for seed in (0, 0, 1, 2)]
    names = [[case.image for case in found.cases] for found in chosen]
    assert names[0] == names[1] == sorted(names[0])
    assert len({tuple(each) for each in names}) > 1
    assert {(found.n_used, found.n_unread) for found in chosen} == {(4, 2)}
    assert told[:4] == [(1, 6), (2, 6), (3, 6), (4, 6)]
    change(folder / "masks/0.png", np.zeros_like)  # an image without targets makes room for another
    assert {read(folder, seed=seed).n_used for seed in range(4)} == {4}


def test_dark_targets_are_bright_ones_upside_down(folder):
    bright = read(folder)
    for path in (folder / "images").iterdir():
        change(path, lambda image: 255 - image)
    for polarity in ("dark", "auto"):
        dark = read(folder, polarity=polarity)
        for one, other in zip(bright.cases, dark.cases, strict=True):
            np.testing.assert_array_equal(one.window.core, other.window.core)


def test_masks_of_0_and_1_need_the_threshold_0(folder):
    for path in (folder / "masks").iterdir():
        change(path, lambda mask: mask // 255)
    with pytest.raises(InputError, match=r"masks: every true mask is empty at `mask_threshold=127`; .* threshold 0"):
        read(folder)
    assert read(folder, mask_threshold=0).n_used == 6


def test_a_table_of_points_and_its_origin(folder):
    (folder / "points.csv").write_text("image,x,y\n" + "".join(f"{k},20.5,20.5\n" for k in range(6)))
    for k in range(6):
        mask = np.zeros((64, 80), np.uint8)
        mask[19:22, 19:22] = 255
        Image.fromarray(mask).save(folder / f"masks/{k}.png")
    found = read_examples(folder / "images", folder / "points.csv", folder / "masks", origin="corner")
    assert len(found.cases) == 6
    assert {case.true_area for case in found.cases} == {9}


def spoil_size(folder):
    change(folder / "masks/4.png", lambda mask: mask[:-1])


def spoil_mask(folder):
    (folder / "masks/4.png").write_bytes(b"no image")


def spoil_image(folder):
    (folder / "images/4.png").write_bytes((folder / "images/4.png").read_bytes()[:100])


def spoil_names(folder):
    for path in (folder / "masks").iterdir():
        path.rename(path.with_name(f"mask-{path.name}"))


def spoil_most(folder):
    for k in range(5):
        (folder / f"masks/{k}.png").unlink()
    mask = np.zeros((64, 80), np.uint8)
    mask[-1, -1] = 255
    Image.fromarray(mask).save(folder / "masks/5.png")


def spoil_all(folder):
    def keep_first(mask):
        out = np.zeros_like(mask)
        out[tuple(np.argwhere(mask)[0])] = 255
        return out

    for k in range(6):
        change(folder / f"masks/{k}.png", keep_first)


def spoil_folder(folder):
    shutil.rmtree(folder / "masks")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_size, r"masks/4.png: the true mask is 80 x 63, its image 80 x 64"),
        (spoil_mask, r"masks/4.png: "),
        (spoil_image, r"images/4.png: "),
        (spoil_names, r"masks has no mask for any image of .*images: the first holds mask-0, the second 0"),
        (
            spoil_most,
            r"masks: calibration needs at least one image .* got none \(6 images, 5 without a mask, 1 without a ta",
        ),
        (spoil_all, r"masks: every target of the true masks looked at is one pixel; are they points\?"),
        (spoil_folder, r"masks: no such file or folder"),
    ],
)
def test_bad_input_gets_a_sentence(folder, spoil, message):
    spoil(folder)
    with pytest.raises(InputError, match=message):
        read(folder)


def test_a_wrong_polarity_is_refused(folder):
    with pytest.raises(InputError, match="polarity must be one of bright, dark, auto, got 'grey'"):
        read(folder, polarity="grey")
