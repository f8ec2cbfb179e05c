"""The command split on folders of any layout: where lists go, what stays together, what is said."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.io.datasets import open_dataset, read_split
from pointlabel.io.layouts.rules import find_layout
from pointlabel.synthetic import draw_scene
from pointlabel.training.split_lists import make_split
from pointlabel.training.splits import plan_split
from tests.io.layouts import build


def run(*args):
    return CliRunner().invoke(main, ["split", *map(str, args)])


@pytest.fixture
def sequences(tmp_path):
    """Four scenes of three frames each, named so that neither folders nor numbers tell them."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in range(12):
        image = draw_scene(seed=k % 4, shape=(96, 120), n_targets=2).image
        Image.fromarray(np.rint(image * 0.9 + k).astype(np.uint8)).save(folder / f"{k:02d}.png")
    return folder


def test_a_plain_folder_gets_lists_that_commands_find(sequences):
    done = run(sequences, "--ratio", "2:1", "--no-check")
    assert (done.exit_code, done.output) == (0, "train 8, test 4\n")
    assert find_layout(sequences).layout == "flat with lists"
    assert len(read_split(sequences, "test")) == 4
    assert len(open_dataset(sequences, points=None, masks=False, split="train")) == 8


def test_near_twins_in_two_parts_are_told_and_kept_together_on_request(sequences):
    told = run(sequences, "--seed", 1)
    assert "near twins" in told.stderr
    assert "--group twins keeps them together" in told.stderr
    kept = run(sequences, "--seed", 1, "--group", "twins", "--overwrite")
    assert (kept.exit_code, kept.stderr) == (0, "")
    parts = [{int(each) % 4 for each in read_split(sequences, name)} for name in ("train", "val", "test")]
    assert sorted(each for part in parts for each in part) == [0, 1, 2, 3]


def test_lists_go_where_the_layout_has_them(tmp_path):
    root = build("NUDT-MIRSDT", tmp_path)
    with pytest.raises(InputError, match=r"holds lists already \(test, train\); `overwrite` replaces them"):
        make_split(root)
    make_split(root, ratio="1:1", group="top", overwrite=True)
    assert not (root / "img_idx").exists()
    assert {each.partition("/")[0] for each in read_split(root, "train")} in ({"Sequence1"}, {"Sequence2"})


def test_folders_that_are_parts_are_left_alone(tmp_path):
    with pytest.raises(InputError, match=r"its parts are folders \(test, trainval\), which a list would contradict"):
        make_split(build("SIRST-Aug", tmp_path), overwrite=True)


def test_points_of_an_export_stay_with_a_data_set_that_gets_lists(tmp_path):
    root = build("export", tmp_path)
    before = find_layout(root).points
    make_split(root)
    assert find_layout(root).points == before != {}


def test_training_takes_the_lists_that_it_is_told(tmp_path, small_config):
    root = str(build("SIRST v2", tmp_path))
    ids = [entry.id for entry in open_dataset(root, points=None).entries]
    with pytest.raises(InputError, match="the list train may be train_full or train_v1fullv2target; give the whole"):
        plan_split(root, ids, small_config())
    split = plan_split(root, ids, small_config(lists="full"))
    assert [len(each) for each in (split.train, split.val, split.test)] == [4, 1, 2]
