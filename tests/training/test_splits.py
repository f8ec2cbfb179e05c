"""Parts of data sets: given, drawn, and what is told about them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pointlabel import InputError
from pointlabel.cli.main import main
from pointlabel.io.samples import read_sample
from pointlabel.training.data import read_data
from pointlabel.training.draw import PARTS, draw_split, group_of, parse_ratio, torn_folders
from pointlabel.training.labels import Labeller
from pointlabel.training.registry import get_strategy
from pointlabel.training.split_lists import make_split
from pointlabel.training.splits import open_sources, plan_split, split_hash
from pointlabel.training.strategies.base import build_options

IDS = [f"i{k:03d}" for k in range(100)]


def test_ratios():
    assert parse_ratio("6:2:2") == pytest.approx((0.6, 0.2, 0.2))
    assert parse_ratio("1:3") == pytest.approx((0.25, 0.75))


@pytest.mark.parametrize("text", ["6", "1:2:3:4", "a:b", "1:-1", "0:1", "nan:1", "inf:1", ""])
def test_what_is_no_ratio(text):
    with pytest.raises(InputError, match="ratio must be two or three positive numbers such as 6:2:2"):
        parse_ratio(text)


def test_parts_are_disjoint_whole_and_depend_on_the_seed_alone():
    parts = draw_split(IDS, (0.6, 0.2, 0.2), 3)
    assert [len(ids) for ids in parts.values()] == [60, 20, 20]
    assert sorted(sum(parts.values(), ())) == IDS
    assert parts == draw_split(IDS, (0.6, 0.2, 0.2), 3)
    assert parts != draw_split(IDS, (0.6, 0.2, 0.2), 4)
    assert parts["train"] != tuple(IDS[:60])


def test_no_part_is_empty():
    assert [len(ids) for ids in draw_split(IDS[:3], (0.98, 0.01, 0.01), 0).values()] == [1, 1, 1]
    assert [len(ids) for ids in draw_split(IDS[:4], (0.01, 0.01, 0.98), 0).values()] == [1, 1, 2]
    with pytest.raises(InputError, match="a split into 3 parts needs as many images, got 2"):
        draw_split(IDS[:2], (0.6, 0.2, 0.2), 0)


def test_lists_are_written_and_not_replaced_unasked(draw_dataset):
    folder = draw_dataset(n_images=5)
    parts = make_split(folder, ratio="3:1:1", seed=1)
    assert {name: (folder / f"img_idx/{name}.txt").read_text().split() for name in parts} == {
        name: list(ids) for name, ids in parts.items()
    }
    with pytest.raises(InputError, match=r"holds lists already \(test, train, val\); `overwrite` replaces them"):
        make_split(folder, seed=2)
    make_split(folder, ratio="1:1", overwrite=True)


def test_a_validation_part_is_held_out_of_the_training_ids(split_dataset, small_config):
    folder = str(split_dataset(n_train=8, n_test=2))
    split = plan_split(folder, [str(k) for k in range(10)], small_config())
    assert (len(split.train), len(split.val), split.test) == (6, 2, ("8", "9"))
    assert sorted(split.train + split.val) == [str(k) for k in range(8)]
    assert split.notes == ()


def test_a_given_validation_list_is_taken_as_it_is(split_dataset, small_config):
    folder = split_dataset()
    (folder / "img_idx/val.txt").write_text("8\n7\n")
    split = plan_split(str(folder), [], small_config())
    assert split.val == ("8", "7")
    assert len(split.train) == 8
    assert "the lists train and val share images: 7" in split.notes[0]
    assert "the lists val and test share images: 8" in split.notes[1]


def test_without_lists_all_images_train(draw_dataset, small_config):
    folder = str(draw_dataset(n_images=8))
    split = plan_split(folder, IDS[:8], small_config())
    assert (len(split.train), len(split.val), split.test) == (6, 2, ())
    assert "so that all images train and none test" in split.notes[0]
    drawn = plan_split(folder, IDS[:10], small_config(protocol="paper"))
    assert [len(part) for part in (drawn.train, drawn.val, drawn.test)] == [6, 2, 2]
    assert "6:2:2 is drawn by seed 0" in drawn.notes[0]


def test_lists_that_do_not_serve(split_dataset, small_config):
    folder = split_dataset()
    (folder / "img_idx/train.txt").write_text("0\n")
    with pytest.raises(InputError, match="the training part must hold at least two images, got 1"):
        plan_split(str(folder), [], small_config())
    (folder / "img_idx/train.txt").write_text("0\n1\nnone\n")
    with pytest.raises(InputError, match=r"the list \w+ names images that images/ does not hold: none"):
        open_sources([str(folder)], small_config(), train_masks=False)
    (folder / "img_idx/train.txt").write_text("\n")
    with pytest.raises(InputError, match=r"train.txt: the list holds no id"):
        open_sources([str(folder)], small_config(), train_masks=False)
    (folder / "img_idx/train.txt").unlink()
    with pytest.raises(InputError, match=r"img_idx/ holds test but no list train.txt"):
        open_sources([str(folder)], small_config(), train_masks=False)


def test_the_same_data_set_twice(split_dataset, small_config):
    folder = str(split_dataset())
    with pytest.raises(InputError, match="this data set is given twice"):
        open_sources([folder, folder + "/"], small_config(), train_masks=False)


def test_the_hash_follows_the_parts_and_not_the_order(split_dataset, small_config):
    sources = open_sources([str(split_dataset())], small_config(), train_masks=False)
    (source,) = sources
    turned = replace(source, split=replace(source.split, train=source.split.train[::-1]))
    moved = replace(source, split=replace(source.split, train=source.split.val, val=source.split.train))
    assert split_hash(sources) == split_hash([turned])
    assert split_hash(sources) != split_hash([moved])
    assert split_hash(sources) != split_hash([replace(source, name="other")])


def test_true_masks_are_listed_only_where_they_are_asked_for(split_dataset, small_config):
    folder = split_dataset()
    (source,) = open_sources([str(folder)], small_config(), train_masks=False)
    assert all(entry.mask is None for entry in (*source.train.entries, *source.val.entries))
    assert source.test is not None
    assert all(entry.mask is not None for entry in source.test.entries)
    (bound,) = open_sources([str(folder)], small_config(), train_masks=True)
    assert all(entry.mask is not None for entry in (*bound.train.entries, *bound.val.entries))


def write_clicks(folder, path):
    """The centroids of a data set as a table, and the folder without them."""
    lines = ["image,x,y"]
    for file in sorted((folder / "masks_centroid").iterdir()):
        lines += [f"{file.name},{x},{y}" for y, x in np.argwhere(np.array(Image.open(file)))]
    path.write_text("\n".join(lines) + "\n")
    for part in ("masks_centroid", "masks_coarse"):
        shutil.rmtree(folder / part)


@pytest.mark.parametrize("train_masks", [False, True])
def test_a_table_of_clicks_with_lists_in_a_data_set(split_dataset, small_config, tmp_path, train_masks):
    folder = split_dataset(n_train=6, n_test=2)
    (given,) = open_sources([str(folder)], small_config(), train_masks=train_masks)
    expected = {part: [read_sample(entry) for entry in getattr(given, part).entries] for part in PARTS}
    write_clicks(folder, tmp_path / "clicks.csv")
    config = small_config(points=str(tmp_path / "clicks.csv"))
    (clicked,) = open_sources([str(folder)], config, train_masks=train_masks)
    assert split_hash([clicked]) == split_hash([given])
    for part in PARTS:
        for ours, theirs in zip(getattr(clicked, part).entries, expected[part], strict=True):
            sample = read_sample(ours)
            assert sample.id == theirs.id
            assert (sample.mask is None) == (theirs.mask is None) == (part != "test" and not train_masks)
            assert sorted(sample.points.tolist()) == sorted(theirs.points.tolist())
            np.testing.assert_array_equal(sample.image, theirs.image)


def test_a_table_of_clicks_with_a_plain_folder_of_images(split_dataset, small_config, tmp_path):
    folder = split_dataset(n_train=6, n_test=2)
    write_clicks(folder, tmp_path / "clicks.csv")
    config = small_config(points=str(tmp_path / "clicks.csv"))
    (source,) = open_sources([str(folder / "images")], config, train_masks=False)
    assert (len(source.train), len(source.val), source.test) == (6, 2, None)
    with pytest.raises(InputError, match=r"images: training on true masks needs the folder masks/"):
        open_sources([str(folder / "images")], config, train_masks=True)


def test_only_images_that_are_scored_need_a_mask(split_dataset, small_config):
    folder = split_dataset(n_train=6, n_test=2)
    for k in range(6):
        (folder / f"masks/{k}.png").unlink()
    (source,) = open_sources([str(folder)], small_config(), train_masks=False)
    assert source.test is not None
    assert [entry.id for entry in source.test.entries] == ["6", "7"]
    (folder / "masks/7.png").unlink()
    with pytest.raises(InputError, match=r"no true mask in masks/ for 7$"):
        open_sources([str(folder)], small_config(), train_masks=False)
    shutil.rmtree(folder / "masks")
    with pytest.raises(
        InputError, match=r"the test part is scored with true masks and needs the folder masks/; it holds"
    ):
        open_sources([str(folder)], small_config(), train_masks=False)


def test_images_without_points_are_told(split_dataset, small_config):
    folder = split_dataset(n_train=6, n_test=2)
    for k in range(2):
        (folder / f"masks_centroid/{k}.png").unlink()
    (folder / "img_idx/val.txt").write_text("5\n6\n")
    (source,) = open_sources([str(folder)], small_config(), train_masks=False)
    assert any("2 training images without points count as empty; the first: 0" in note for note in source.split.notes)


@given(st.lists(st.integers(1, 9), min_size=3, max_size=12), st.sampled_from(["folder", "top"]), st.integers(0, 5))
def test_grouped_parts_tear_no_folder(sizes, group, seed):
    ids = [f"s{k // 2}/v{k}/{n}" for k, size in enumerate(sizes) for n in range(size)]
    groups = {group_of(each, group) for each in ids}
    if len(groups) < 3:
        with pytest.raises(InputError, match=rf"as many groups \({group}\) of images, got {len(groups)}"):
            draw_split(ids, (0.6, 0.2, 0.2), seed, group)
        return
    parts = draw_split(ids, (0.6, 0.2, 0.2), seed, group)
    assert sorted(sum(parts.values(), ())) == sorted(ids)
    assert all(parts.values())
    assert torn_folders(parts) == []
    homes = {group_of(each, group): name for name, part in parts.items() for each in part}
    assert all(homes[group_of(each, group)] == name for name, part in parts.items() for each in part)


def test_torn_sequences_are_told(tmp_path):
    for sequence in range(4):
        for frame in range(5):
            path = tmp_path / f"images/s{sequence}/{frame}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    torn = CliRunner().invoke(main, ["split", str(tmp_path)])
    assert "images of 4 folders, the first s0, are in more than one part" in torn.stderr
    kept = CliRunner().invoke(main, ["split", str(tmp_path), "--group", "folder", "--overwrite"])
    assert (kept.stderr, kept.stdout) == ("", "train 10, val 5, test 5\n")


@pytest.mark.parametrize("strategy", ["offline", "bilevel", "lesps", "pal", "point"])
def test_dark_targets_get_the_labels_of_bright_ones(split_dataset, small_config, tmp_path, strategy):
    folder = split_dataset(n_train=5, n_test=1)
    write_clicks(folder, tmp_path / "clicks.csv")
    corner = (tmp_path / "clicks.csv").read_text().splitlines()
    moved = [
        ",".join([name, str(int(x) + 0.5), str(int(y) + 0.5)]) for name, x, y in (r.split(",") for r in corner[1:])
    ]
    (tmp_path / "corner.csv").write_text("\n".join([corner[0], *moved]) + "\n")
    own = ["image,x,y,polarity", *(f"{row},bright" for row in corner[1:])]
    (tmp_path / "own.csv").write_text("\n".join(own) + "\n")
    made = []
    runs: tuple[tuple[str, dict[str, str]], ...] = (
        ("clicks", {}),
        ("corner", {"polarity": "dark", "origin": "corner"}),
        ("own", {"polarity": "dark"}),
    )
    for table, settings in runs:
        config = small_config(strategy=strategy, points=str(tmp_path / f"{table}.csv"), **settings)
        sources = open_sources([str(folder)], config, train_masks=False)
        assert not any("darker" in note or "brighter" in note for note in sources[0].split.notes)
        data = read_data(sources, config)
        build = get_strategy(strategy).strategy_class
        build(config, build_options(strategy, build.options_class, {})).prepare(data, Labeller(config))
        made.append([label.copy() for part in (data.train, data.valid) for label in part.labels])
        for path in (folder / "images").iterdir():
            Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert sum(int(label.sum()) for label in made[0]) > 0
    for bright, dark, of_its_own in zip(*made, strict=True):
        np.testing.assert_array_equal(bright, dark)
        np.testing.assert_array_equal(bright, of_its_own)


def test_an_origin_belongs_to_a_table(small_config):
    with pytest.raises(InputError, match="origin belongs to a table of points, and points is centroid"):
        small_config(origin="corner")
