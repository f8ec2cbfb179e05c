"""Settings of a run: ranges, names, schedules."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pointlabel import InputError
from pointlabel.training.config import TrainConfig, config_from_dict, differing_setting
from pointlabel.training.registry import get_strategy
from pointlabel.training.strategies.base import NoOptions, build_options


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, r"epochs must lie in \[1, 1e\+06\], got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number, got 2.5"),
        ({"epochs": True}, "epochs must be a whole number, got True"),
        ({"val_share": 1.0}, r"val_share must lie in \[0.01, 0.9\], got 1.0"),
        ({"lr": float("nan")}, "lr must be a finite number, got nan"),
        ({"lr": 0}, r"lr must lie in \(0, 10\], got 0"),
        ({"model": "dnant"}, "did you mean dnanet"),
        ({"loss": "softiou"}, "did you mean soft-iou"),
        ({"strategy": "ofline"}, "did you mean offline"),
        ({"protocol": "theirs"}, "protocol must be one of ours, paper, got 'theirs'"),
        ({"device": "gpu"}, "device must be auto, cpu, cuda or cuda:N, got 'gpu'"),
        ({"amp": 1}, "amp must be true or false, got 1"),
        ({"options": 3}, "options must be a table, got 3"),
        ({"strategy": "full", "labels": "masks"}, "strategy full has labels of its own"),
    ],
)
def test_a_wrong_value_gets_one_sentence(changes, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**changes)


def test_whole_numbers_stand_for_real_ones():
    config = TrainConfig(tightness=1, noise=0)
    assert (type(config.tightness), config.tightness, type(config.noise)) == (float, 1.0, float)


def test_every_field_says_what_it_means():
    assert all(item.metadata["meaning"].endswith(".") for item in fields(TrainConfig))


def test_a_config_survives_being_stored():
    config = TrainConfig(model="mshnet", options={"beta": 0.5}, epochs=7)
    assert config_from_dict(config.as_dict()) == config
    with pytest.raises(InputError, match="there is no setting 'epoch'; did you mean epochs"):
        config_from_dict({"epoch": 3})


def test_settings_that_decide_the_numbers_have_to_agree():
    config = TrainConfig()
    assert differing_setting(config.as_dict(), TrainConfig(device="cpu", picture_every=3)) is None
    assert differing_setting(config.as_dict(), TrainConfig(crop=64)) == ("crop", 256, 64)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_learning_rate_falls_to_a_twentieth(schedule):
    config = TrainConfig(lr=0.1, epochs=11, schedule=schedule)
    rates = [config.lr_at(epoch) for epoch in range(1, 12)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.005)
    assert rates[5] == pytest.approx(0.0525)


def test_a_constant_rate_and_one_epoch():
    assert {TrainConfig(lr=0.1, epochs=9, schedule="constant").lr_at(k) for k in (1, 5, 9)} == {0.1}
    assert TrainConfig(lr=0.1, epochs=1).lr_at(1) == pytest.approx(0.1)


def test_outer_updates_follow_the_shares_of_the_epochs():
    config = TrainConfig(epochs=80)
    assert [k for k in range(1, 81) if config.is_outer(k)] == list(range(16, 80, 4))
    published = TrainConfig(epochs=400)
    assert [k for k in range(1, 401) if published.is_outer(k)] == list(range(80, 400, 20))
    assert not any(TrainConfig(epochs=1).is_outer(k) for k in (1,))


def test_parameters_of_a_strategy_are_checked():
    assert build_options("offline", NoOptions, {}) == NoOptions()
    with pytest.raises(InputError, match="strategy offline has no parameter beta; it has none"):
        build_options("offline", NoOptions, {"beta": 1})
    with pytest.raises(InputError, match="unknown strategy 'pont'; did you mean point"):
        get_strategy("pont")
