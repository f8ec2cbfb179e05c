"""Weights that a run leaves, the choice among them, and training kept to a list."""

from __future__ import annotations

import pytest

from pointlabel.errors import InputError
from pointlabel.io.json_files import read_json
from pointlabel.training import train
from pointlabel.training.presets import PRESETS, get_preset
from pointlabel.training.registry import get_strategy
from pointlabel.training.run import RUN
from pointlabel.training.selection import SampleWeight, read_weights, select_samples
from pointlabel.training.strategies.base import build_options


def row(name, weight=1.0, difficulty=0.5):
    return SampleWeight(name, weight, difficulty, 1, 9.0, 1.0, 1.0, 3.0)


ROWS = [row("a/1", 0.2, 0.1), row("a/2", 1.8, 0.9), row("a/3", 1.0, 0.2), row("a/4", 1.0, 0.3)]


@pytest.mark.parametrize(
    ("top", "by", "expected"),
    [
        (0.25, "weight", ["a/2"]),
        (0.5, "weight", ["a/2", "a/3"]),  # a/3 and a/4 weigh the same
        (0.01, "weight", ["a/2"]),
        (0.5, "difficulty", ["a/1", "a/3"]),
        (1, "random", ["a/1", "a/2", "a/3", "a/4"]),
    ],
)
def test_the_best_are_chosen(top, by, expected):
    assert select_samples(ROWS, top, by=by) == expected
    assert select_samples(ROWS[::-1], top, by=by) == expected


def test_random_choices_follow_the_seed():
    drawn = {tuple(select_samples(ROWS, 0.5, by="random", seed=seed)) for seed in range(20)}
    assert len(drawn) > 2
    assert select_samples(ROWS, 0.5, by="random", seed=3) == select_samples(ROWS[::-1], 0.5, by="random", seed=3)


def test_choices_out_of_range():
    with pytest.raises(InputError, match=r"top must lie in \(0, 1\], got 0"):
        select_samples(ROWS, 0)
    with pytest.raises(InputError, match="by must be one of weight, difficulty, random, got 'size'"):
        select_samples(ROWS, 0.3, by="size")


def test_weights_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"there is no weights.csv; runs of the strategy bilevel write it"):
        read_weights(tmp_path)
    (tmp_path / "weights.csv").write_text("id,weight\n1,x\n")
    with pytest.raises(InputError, match=r"weights.csv, line 2: damaged"):
        read_weights(tmp_path)
    (tmp_path / "weights.csv").write_text("id,weight\n")
    with pytest.raises(InputError, match=r"weights.csv: holds no sample"):
        read_weights(tmp_path)


def test_training_is_kept_to_a_list(split_dataset, small_config, tmp_path):
    data = split_dataset()
    whole = tmp_path / "whole"
    train(small_config(epochs=1), [data], whole)
    before = read_json(str(whole / RUN))["split"]["drawn"]
    chosen = before["train"][:3]
    listed = tmp_path / "top.txt"
    listed.write_text(f"drawn/{chosen[0]}\n\n{chosen[1]}\ndrawn/{chosen[2]}\n")
    train(small_config(epochs=1, train_ids=str(listed)), [data], tmp_path / "part")
    after = read_json(str(tmp_path / "part" / RUN))
    assert after["split"]["drawn"] == {**before, "train": chosen}
    assert after["split_sha256"] != read_json(str(whole / RUN))["split_sha256"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drawn/nothing\n", r"top.txt, line 1: drawn/nothing is not among the training images"),
        ("\n \n", r"top.txt: names no training image of drawn"),
    ],
)
def test_lists_that_do_not_fit(text, message, split_dataset, small_config, tmp_path):
    listed = tmp_path / "top.txt"
    listed.write_text(text)
    with pytest.raises(InputError, match=message):
        train(small_config(train_ids=str(listed)), [split_dataset()], tmp_path / "run")


def test_an_id_of_two_data_sets_has_to_name_its_own(split_dataset, small_config, tmp_path):
    listed = tmp_path / "top.txt"
    folders = [split_dataset("one"), split_dataset("two")]
    train(small_config(epochs=1), folders, tmp_path / "whole")
    split = read_json(str(tmp_path / "whole" / RUN))["split"]
    shared = next(each for each in split["one"]["train"] if each in split["two"]["train"])
    listed.write_text(f"{shared}\n")
    with pytest.raises(InputError, match=f"line 1: {shared} is in several data sets, write DATASET/ID"):
        train(small_config(train_ids=str(listed)), folders, tmp_path / "run")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_settings_that_exist(name, small_config):
    values = get_preset(name)
    config = type(small_config())(**values)
    build_options(config.strategy, get_strategy(config.strategy).strategy_class.options_class, config.options)
    values["options"]["beta"] = 0
    assert get_preset(name)["options"]["beta"] != 0


def test_an_unknown_preset():
    with pytest.raises(InputError, match="unknown preset 'd2d'; did you mean d2d-code"):
        get_preset("d2d")
