"""Clutter mining: what counts as an alarm, where crops lie, the loss of crops without a target, and whole runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.training import train
from pointlabel.training.batches import BatchStream
from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.config import TrainConfig, config_from_dict, differing_setting
from pointlabel.training.data import SampleSet
from pointlabel.training.events import EpochDone, Report
from pointlabel.training.mining import EMPTY_PX, MINED_SHARE, MOST_ALARMS, Clutter, find_clutter, with_empty_crops
from pointlabel.training.registry import STRATEGIES
from pointlabel.training.run import read_metrics


def samples_of(*shapes: tuple[int, int]) -> SampleSet:
    """Images with a click at (20, 20) and a label of 3 x 3 pixels on it."""
    images = [np.zeros(shape, np.float32) for shape in shapes]
    labels = [image.astype(np.float16) for image in images]
    for label in labels:
        label[19:22, 19:22] = 1
    names = [f"set/{k}" for k in range(len(images))]
    points = [np.array([[20.0, 20.0]])] * len(images)
    return SampleSet(names, [0] * len(images), images, images, points, None, labels, [None] * len(images))


def alarm(shape: tuple[int, int], *places: tuple[int, int, float]) -> np.ndarray:
    out = np.zeros(shape, np.float32)
    for row, column, height in places:
        out[row - 1 : row + 2, column - 1 : column + 2] = height / 2
        out[row, column] = height
    return out


def test_alarms_far_from_labels_and_clicks_are_clutter():
    samples = samples_of((64, 80), (50, 50))
    first = alarm((64, 80), (20, 20, 0.9), (28, 20, 0.9), (20, 31, 0.9), (50, 60, 0.7), (40, 10, 0.95), (10, 70, 0.29))
    found = find_clutter([(1, alarm((50, 50), (5, 44, 0.8))), (0, first)], samples)
    # The first two lie within 8 px of the label, the last one is too faint.
    assert found.index.tolist() == [0, 0, 0, 1]
    assert found.place.tolist() == [[40, 10], [20, 31], [50, 60], [5, 44]]


def test_a_click_without_a_label_is_no_clutter():
    samples = samples_of((64, 80))
    samples.labels[0][:] = 0
    assert len(find_clutter([(0, alarm((64, 80), (22, 22, 0.9)))], samples)) == 0


def test_the_highest_alarms_of_an_image_are_kept():
    samples = samples_of((200, 200))
    places = [
        (row, column, 0.4 + 0.001 * (row + column)) for row in range(40, 200, 12) for column in range(40, 190, 12)
    ]
    found = find_clutter([(0, alarm((200, 200), *places))], samples)
    assert len(found) == MOST_ALARMS
    heights = [0.4 + 0.001 * (row + column) for row, column in found.place.tolist()]
    assert heights == sorted(heights, reverse=True)
    assert min(heights) >= sorted(height for *_, height in places)[-MOST_ALARMS] - 1e-9


def test_clutter_survives_a_checkpoint_and_bad_places_are_refused():
    samples = samples_of((64, 80))
    clutter = Clutter(np.array([0, 0]), np.array([[1, 2], [63, 79]]))
    back = Clutter.from_state(clutter.state_dict(), samples)
    np.testing.assert_array_equal(back.place, clutter.place)
    for index, place in (([1], [[0, 0]]), ([0], [[64, 0]]), ([0], [[0, -1]]), ([0], [[0, 0, 0]])):
        with pytest.raises(InputError, match="places of clutter lie outside the images"):
            Clutter.from_state({"index": torch.tensor(index), "place": torch.tensor(place)}, samples)


def test_a_share_of_the_crops_lies_on_clutter(small_config):
    samples = samples_of((128, 128), (96, 160))
    config = small_config(crop=16, zoom=0.0, target_share=0.5, batch_size=8)
    plain, mined = (BatchStream(samples, config, 3) for _ in range(2))
    mined.clutter = Clutter(np.array([1]), np.array([[80, 140]]))
    n = n_on_clutter = 0
    for _ in range(150):
        before, after = plain.next(), mined.next()
        for k in range(8):
            moved = before.views[k] != after.views[k]
            view = after.views[k]
            holds = view.top <= 80 < view.top + 16 and view.left <= 140 < view.left + 16
            n += 1
            n_on_clutter += moved
            if moved:
                assert holds
                assert int(after.index[k]) == 1
                assert not after.label[k].any()
            else:  # the other crops are those of a run that does not mine
                assert int(before.index[k]) == int(after.index[k])
    assert n_on_clutter / n == pytest.approx(0.5 * MINED_SHARE, abs=0.03)


def test_the_loss_of_a_crop_without_a_target_counts_false_pixels():
    label = torch.zeros(3, 1, 8, 8)
    label[0, 0, 2, 2] = 1
    logits = torch.full((3, 1, 8, 8), -50.0)
    logits[2, 0, :5, :6] = 50.0
    logits.requires_grad_()
    out = with_empty_crops(torch.tensor([0.7, 0.9, 0.9]), logits, label)
    assert out.tolist() == pytest.approx([0.7, 0.0, 30 / (30 + EMPTY_PX)], abs=1e-6)
    mass = torch.tensor(1e-3, requires_grad=True)
    (slope,) = torch.autograd.grad(mass / (mass + EMPTY_PX), mass)
    assert float(slope) == pytest.approx(1 / EMPTY_PX, rel=1e-3)


class Stopped(Exception):
    """What a run is stopped with."""


def stop_after(epoch: int) -> Report:
    def report(event: object) -> None:
        if isinstance(event, EpochDone) and event.epoch == epoch:
            raise Stopped

    return report


def last_state(folder: Path) -> dict:
    return read_checkpoint(str(folder / "last.safetensors"))["trainer"]


def test_a_run_that_mines_resumes_with_the_same_bits(split_dataset, small_config, tmp_path):
    data = split_dataset()
    config = small_config(mine="on", epochs=4, outer_start=0.25, outer_every=0.25, start_probability=0.5)
    train(config, [data], tmp_path / "whole")
    with pytest.raises(Stopped):
        train(config, [data], tmp_path / "parts", report=stop_after(2))
    train(config, [data], tmp_path / "parts", mode="resume")
    whole, parts = (last_state(tmp_path / name) for name in ("whole", "parts"))
    for name, values in whole["net"].items():
        torch.testing.assert_close(values, parts["net"][name], rtol=0, atol=0)
    torch.testing.assert_close(whole["clutter"], parts["clutter"], rtol=0, atol=0)
    lines = read_metrics(str(tmp_path / "whole"))
    assert ["clutter" in line for line in lines] == [True, True, True, False]
    assert max(line.get("clutter", 0) for line in lines) > 0


def test_until_the_first_update_nothing_changes(split_dataset, small_config, tmp_path):
    data = split_dataset()
    for mine in ("off", "on"):
        train(small_config(mine=mine, epochs=3, outer_start=1.0), [data], tmp_path / mine)
    plain, mined = (last_state(tmp_path / mine) for mine in ("off", "on"))
    assert mined["clutter"] is None
    for name, values in plain["net"].items():
        torch.testing.assert_close(values, mined["net"][name], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "point", "lesps", "pal", "bilevel"])
def test_every_strategy_can_mine(strategy, split_dataset, small_config, tmp_path):
    config = small_config(
        strategy=strategy, mine="on", epochs=3, outer_start=0.0, outer_every=0.3, start_probability=0.5
    )
    train(config, [split_dataset()], tmp_path / "run")
    assert any("clutter" in line for line in read_metrics(str(tmp_path / "run")))


def test_it_is_on_where_it_was_measured_to_gain():
    on = {name for name in STRATEGIES if TrainConfig(strategy=name).mine == "on"}
    assert on == {"full", "offline"}
    assert TrainConfig(mine="off").mine == "off"
    assert TrainConfig(strategy="pal", mine="on").mine == "on"


@pytest.mark.parametrize(("stored", "expected"), [(False, "off"), (True, "on"), ("off", "off")])
def test_runs_from_when_it_was_a_flag_are_read(stored, expected):
    before = {**TrainConfig().as_dict(), "mine": stored}
    assert config_from_dict(before).mine == expected
    assert differing_setting(before, TrainConfig(mine=expected)) is None


def test_runs_from_before_it_was_there_did_not_mine():
    before = TrainConfig().as_dict()
    del before["mine"]
    assert config_from_dict(before).mine == "off"
    assert differing_setting(before, TrainConfig(mine="off")) is None
    assert differing_setting(before, TrainConfig()) == ("mine", "off", "on")


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], "on"), (["--no-mine"], "off"), (["--strategy", "pal"], "off"), (["--strategy", "pal", "--mine"], "on")],
)
def test_the_flags(words, expected, split_dataset, tmp_path):
    out = tmp_path / "run"
    words = ["train", str(split_dataset()), "-o", str(out), "--epochs", "1", "--crop", "32", "--device", "cpu", *words]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert json.loads((out / "run.json").read_text())["config"]["mine"] == expected
