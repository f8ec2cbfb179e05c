"""A whole evaluation on arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pointlabel.errors import InputError
from pointlabel.evaluation.report import Evaluation


def masks(rng, n=6):
    true = rng.random((n, 24, 24)) < 0.03
    return true & (rng.random(true.shape) < 0.9), true, true & (rng.random(true.shape) < 0.5)


def test_plain_report_is_the_summary_and_json(rng):
    evaluation = Evaluation()
    predicted, true, _ = masks(rng)
    rows = [evaluation.add(*pair) for pair in zip(predicted, true, strict=True)]
    report = evaluation.report()
    assert report == evaluation.totals.summary("exact")
    assert json.loads(json.dumps(report)) == report
    assert sum(row["inter"] for row in rows) / sum(row["union"] for row in rows) == report["iou"]
    assert np.mean([row["iou"] for row in rows]) == pytest.approx(report["niou"])


def test_rival_and_its_interval(rng):
    evaluation = Evaluation(n_resamples=300)
    for a, true, b in zip(*masks(rng), strict=True):
        row = evaluation.add(a, true, rival=b)
        assert row["against_union"] == np.count_nonzero(b | true)
    report = evaluation.report()
    difference = report["against"]["differences"]["iou"]
    assert difference["difference"] == pytest.approx(report["iou"] - report["against"]["iou"])
    assert difference["low"] <= difference["difference"] <= difference["high"]
    assert difference["low"] > 0
    niou = report["against"]["differences"]["niou_with_targets"]
    assert niou["difference"] == pytest.approx(report["niou_with_targets"] - report["against"]["niou_with_targets"])


def test_sweep_and_its_area(rng):
    evaluation = Evaluation(with_sweep=True)
    true = np.zeros((50, 50), bool)
    true[10:13, 10:13] = True
    evaluation.add(true, true, soft=true * 0.9)
    report = evaluation.report()
    assert report["pd_fa_area"] == 1
    assert [point["pd"] for point in report["curve"]] == [float(p["threshold"] < 0.9) for p in report["curve"]]
    empty = Evaluation(with_sweep=True)
    empty.add(~true & False, ~true & False, soft=np.zeros(true.shape))
    assert empty.report()["pd_fa_area"] is None


def test_bad_input():
    mask = np.zeros((4, 4), bool)
    with pytest.raises(InputError, match="soft must be given for every image"):
        Evaluation(with_sweep=True).add(mask, mask)
    with pytest.raises(InputError, match="profile must be one of exact, legacy"):
        Evaluation(profile="old")
    with pytest.raises(InputError, match="seed must be at least 0, got -3"):
        Evaluation(seed=-3)
