"""Images in memory: scaling, labels, batches."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from pointlabel import InputError
from pointlabel.training.batches import BatchStream
from pointlabel.training.data import pack_maps, read_data, unpack_maps
from pointlabel.training.scaling import Scaling
from pointlabel.training.splits import open_sources


@pytest.fixture
def read(small_config):
    """A function (folders, config changes) that reads data sets as a run does."""

    def run(*folders, masks=False, **changes):
        config = small_config(**changes)
        return read_data(open_sources([str(each) for each in folders], config, train_masks=masks), config)

    return run


def test_the_parts_know_what_they_may(split_dataset, read):
    data = read(split_dataset(n_train=8, n_test=2))
    assert (len(data.train), len(data.valid)) == (6, 2)
    assert data.train.masks is None
    assert data.valid.masks is None
    assert data.test is not None
    assert data.test.masks is not None
    assert data.test.ids == ["drawn/8", "drawn/9"]
    assert all((label == 0).all() for label in data.train.labels)
    assert data.notes == []


def test_inputs_have_mean_0_and_deviation_1(split_dataset, read):
    folder = split_dataset()
    data = read(folder)
    pixels = np.concatenate([image.ravel() for image in data.train.inputs])
    assert (pixels.mean(), pixels.std()) == pytest.approx((0, 1), abs=1e-4)
    alone = read(folder, normalise="image")
    assert all((im.mean(), im.std()) == pytest.approx((0, 1), abs=1e-4) for im in alone.train.inputs)
    assert alone.scaling == Scaling(None, None)


def test_depths_of_files_agree_and_holes_are_0():
    levels = np.array([[0, 100], [200, 255]], np.uint8)
    deep = levels.astype(np.uint16) * 257
    scaling = Scaling(0.4, 0.2)
    assert scaling.apply(levels) == pytest.approx(scaling.apply(deep), abs=1e-6)
    real = np.array([[0.4, np.nan], [0.6, np.inf]], np.float32)
    assert scaling.apply(real) == pytest.approx(np.array([[0, 0], [1, 0]]), abs=1e-6)
    assert Scaling(None, None).apply(np.full((3, 3), 7, np.uint8)) == pytest.approx(np.zeros((3, 3)))


def test_missing_pixels_change_neither_scale_nor_labels(split_dataset, read):
    folder = split_dataset(n_train=8, n_test=2)
    first, *_ = sorted((folder / "images").iterdir())
    grey = np.asarray(Image.open(first))
    grey = np.where(grey == 255, 254, grey)
    grey[:4] = 255
    first.unlink()
    tag = [(42113, 2, 4, "255", True)]
    tifffile.imwrite(first.with_suffix(".tif"), grey, extratags=tag)
    data = read(folder)
    place, part = next((p.ids.index(f"drawn/{first.stem}"), p) for p in (data.train, data.valid))
    image, others = part.images[place], [im for im in data.train.images if im.dtype == np.uint8]
    assert np.isnan(image[:4]).all()
    assert 0.5 < np.nanmean(image) / (np.mean(others) / 255) < 2
    assert (part.inputs[place][:4] == 0).all()
    assert part.inputs[place][4:] == pytest.approx(data.scaling.apply(grey)[4:], abs=1e-4)
    part.set_label(place, np.ones(image.shape, bool))
    assert (part.labels[place][:4] == 0).all()
    assert (part.labels[place][4:] == 1).all()


def test_labels_survive_being_packed(rng):
    shapes = [(5, 7), (3, 3), (4, 6)]
    maps = [np.where(rng.random(shape) > 0.8, rng.random(shape), 0).astype(np.float16) for shape in shapes]
    maps[1][:] = 0
    back = unpack_maps(pack_maps(maps), shapes)
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(maps, back, strict=True))
    with pytest.raises(ValueError, match="zip"):
        unpack_maps(pack_maps(maps), shapes[:2])


def test_a_label_of_another_size_is_refused(split_dataset, read):
    data = read(split_dataset())
    with pytest.raises(InputError, match=r"the label of drawn/\d must be of the image's size \(64, 80\), got \(8, 8\)"):
        data.train.set_label(0, np.zeros((8, 8), bool))


def test_batches_hold_every_sample_once(split_dataset, read, small_config):
    data = read(split_dataset())
    batches = list(BatchStream(data.train, small_config(), 0).epoch())
    assert [len(batch) for batch in batches] == [4, 2]
    assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == list(range(6))
    assert batches[0].image.shape == batches[0].label.shape == (4, 1, 32, 32)


def test_a_batch_cuts_other_maps_as_its_own(split_dataset, read, small_config):
    data = read(split_dataset(), masks=True)
    for index, mask in enumerate(data.train.masks):
        data.train.set_label(index, mask)
    stream = BatchStream(data.train, small_config(noise=0, brightness=0), 5)
    for batch in stream.epoch():
        assert torch.equal(batch.cut(data.train.labels), batch.label)
        assert torch.equal(batch.cut(data.train.inputs), batch.image)
        assert float(batch.label.max()) > 0


def test_whole_batches_are_neither_cropped_nor_augmented(split_dataset, read, small_config):
    data = read(split_dataset(), masks=True)
    for index, mask in enumerate(data.train.masks):
        data.train.set_label(index, mask)
    stream = BatchStream(data.train, small_config(), 5)
    batch = stream.next(whole=True)
    assert batch.image.shape == batch.label.shape == (4, 1, 256, 256)
    for k, index in enumerate(batch.index.tolist()):
        image, mask = data.train.inputs[index], data.train.masks[index]  # (64, 80)
        assert set(np.unique(batch.label[k])) == {0, 1}
        assert float(batch.label[k].mean()) == pytest.approx(mask.mean(), rel=0.1)
        assert float(batch.image[k].mean()) == pytest.approx(image.mean(), abs=0.02)
    assert len(set(batch.index.tolist()) | set(stream.next(whole=True).index.tolist())) == 6


def test_workers_cut_the_same_batches(split_dataset, read, small_config):
    """The same numbers, and labels that were replaced between epochs."""
    data = read(split_dataset(), masks=True)
    streams = [BatchStream(data.train, small_config(workers=n, target_share=1.0), 5) for n in (0, 2)]
    before = torch.get_rng_state()
    for shown in (False, True):
        for index, mask in enumerate(data.train.masks):
            data.train.set_label(index, mask if shown else np.zeros_like(mask))
        for one, other in zip(*(stream.epoch() for stream in streams), strict=True):
            assert torch.equal(one.index, other.index)
            assert torch.equal(one.image, other.image)
            assert torch.equal(one.label, other.label)
            assert bool(one.label.any()) == shown
            assert one.views == other.views
        assert torch.equal(streams[0].generator.get_state(), streams[1].generator.get_state())
    assert torch.equal(torch.get_rng_state(), before)


def test_streams_go_on_from_their_state(split_dataset, read, small_config):
    data = read(split_dataset())
    first, second = BatchStream(data.train, small_config(), 1), BatchStream(data.train, small_config(), 2)
    for _ in range(2):
        first.next()
    list(first.epoch())
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        ours, theirs = first.next(), second.next()
        assert torch.equal(ours.image, theirs.image)
        assert torch.equal(ours.index, theirs.index)


def test_data_sets_are_joined(split_dataset, read):
    data = read(split_dataset("a"), split_dataset("b"))
    assert data.names == ["a", "b"]
    assert len(data.train) == 12
    assert data.train.parts == [0] * 6 + [1] * 6
    assert {name.partition("/")[0] for name in data.train.ids} == {"a", "b"}
    assert data.notes == []


def test_an_image_in_two_parts_is_told_whatever_its_name(split_dataset, read):
    folder = split_dataset()
    for part in ("images", "masks", "masks_centroid"):
        shutil.copy(folder / part / "0.png", folder / part / "copy.png")
    (folder / "img_idx/test.txt").write_text("8\ncopy\n")
    (note,) = read(folder).notes
    assert note.text in (
        "drawn/copy of the test part is the training image drawn/0",
        "drawn/copy of the test part is the validation image drawn/0",
    )


def test_a_part_without_a_target_is_refused(split_dataset, read):
    folder = split_dataset()
    for path in (folder / "masks_centroid").iterdir():
        Image.fromarray(np.zeros((64, 80), np.uint8)).save(path)
    with pytest.raises(InputError, match="drawn: the training part has no target"):
        read(folder)
