"""Label evolution: the update on hand-made cases, and the strategy on drawn scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from pointlabel.errors import InputError
from pointlabel.training import TrainConfig, train
from pointlabel.training.evolution import Growth, evolve_regions, mark_points
from pointlabel.training.load import load_run
from pointlabel.training.strategies.lesps import Lesps, LespsOptions
from tests.twins import lesps as twin

pytestmark = pytest.mark.slow

POINT = np.array([[20.0, 20.0]])


def blob(shape=(41, 41), centre=(20, 20), radius=3.0, height=0.9):
    """A disc of `height` on a faint background."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    inside = np.hypot(row - centre[0], column - centre[1]) <= radius
    return np.where(inside, height, 0.02).astype(np.float32)


def evolve(prediction, label, times=1, least_peak=0.0, **rule):
    for _ in range(times):
        label = evolve_regions(prediction, label, Growth(**rule), least_peak=least_peak)
    return label


def test_a_point_grows_into_the_blob_around_it():
    prediction = blob()
    start = mark_points(POINT, prediction.shape)
    once = evolve(prediction, start)
    inside = prediction > 0.5
    inside[20, 20] = False
    np.testing.assert_allclose(once[inside], 0.45)
    assert once[20, 20] == 1
    assert np.count_nonzero(once[~inside]) == 1  # the point alone
    twice = evolve(prediction, once)
    np.testing.assert_allclose(twice[inside], 0.675)
    assert ((twice > 0.5) == (prediction > 0.5)).all()
    assert np.count_nonzero(start) == 1, "the input must stay as it is"


def test_the_threshold_rises_with_the_area_and_stops_growth():
    row, column = np.mgrid[:61, :61]
    prediction = np.exp(-np.hypot(row - 30, column - 30) / 12).astype(np.float32)
    points = np.array([[30.0, 30.0]])
    label = mark_points(points, prediction.shape)
    share = 0.02
    sizes = []
    for _ in range(12):
        label = evolve(prediction, label, area_share=share)
        sizes.append(np.count_nonzero(label > 0))
    # T reaches the peak where the area is area_share H W / growth.
    assert np.count_nonzero(label > 0.5) <= share * prediction.size / 0.5
    assert sizes[-1] == sizes[0] == np.count_nonzero(prediction > (0.5 + 0.25 / (share * 3721)))
    wide = evolve(prediction, mark_points(points, prediction.shape), times=12, area_share=1.0)
    assert np.count_nonzero(wide > 0.5) > np.count_nonzero(label > 0.5)


def test_a_label_never_leaves_the_reach():
    prediction = np.full((41, 41), 0.9, np.float32)
    label = evolve(prediction, mark_points(POINT, prediction.shape), times=9, reach_px=5, area_share=1.0)
    square = np.zeros_like(label, bool)
    square[15:26, 15:26] = True
    assert (label[square] > 0.85).all()
    assert (label[~square] == 0).all()


def test_an_empty_prediction_changes_nothing():
    label = evolve(blob(), mark_points(POINT, (41, 41)), times=2)
    np.testing.assert_array_equal(evolve(np.zeros_like(label), label), label)


def test_a_prediction_below_the_least_peak_lets_nothing_pass():
    prediction, start = blob(height=0.3), mark_points(POINT, (41, 41))
    np.testing.assert_array_equal(evolve(prediction, start, least_peak=0.31), start)
    assert np.count_nonzero(evolve(prediction, start, least_peak=0.29)) > 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reach_px": 0}, "reach_px must be at least 1, got 0"),
        ({"base": 1.0}, r"base must lie in \[0, 1\), got 1.0"),
        ({"growth": -0.1}, "growth must be at least 0, got -0.1"),
        ({"area_share": 0.0}, r"area_share must lie in \(0, 1\], got 0.0"),
    ],
)
def test_rules_out_of_range_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        Growth(**change)


def test_a_prediction_of_another_size_is_refused():
    with pytest.raises(InputError, match=r"prediction must have the shape of the label, \(41, 41\), got \(4, 4\)"):
        evolve(np.zeros((4, 4), np.float32), np.zeros((41, 41), np.float32))


@pytest.mark.parametrize("reach", [2, 6, 16])
def test_the_published_update_equals_its_twin(rng, reach):
    """Rough predictions and labels: regions that touch the border, windows that overlap, groups of every kind."""
    shape, grown = (37, 41), 0
    for _ in range(6):
        prediction = ndimage.gaussian_filter(rng.random(shape), 1.2)
        prediction = ((prediction - prediction.min()) / np.ptp(prediction)).astype(np.float32) ** 2
        label = np.where(ndimage.gaussian_filter(rng.random(shape), 1.0) > 0.57, 0.8, 0.3).astype(np.float32)
        label[tuple(rng.integers(0, 37, (2, 6)))] = 1
        share, least = rng.uniform(0.001, 0.2), rng.choice([0.0, 0.6])
        found = evolve_regions(prediction, label, Growth(reach_px=reach, area_share=share), least_peak=least)
        rule = {"reach": reach, "base": 0.5, "growth": 0.5, "share": share, "least": least}
        np.testing.assert_allclose(
            found, twin.evolve(prediction.astype(np.float64), label.astype(np.float64), **rule), atol=1e-6
        )
        grown += int(np.count_nonzero(found != label))
    assert grown > 50


def test_a_lone_group_passes_wherever_it_is_and_several_have_to_meet_the_centre():
    start, aside, middle = mark_points(POINT, (41, 41)), blob(centre=(20, 28)), blob(radius=2, height=0.8)
    lone = evolve(aside, start)
    np.testing.assert_allclose(lone[aside > 0.5], 0.45)
    both = evolve(np.maximum(aside, middle), start)
    assert (both[:, 24:] == 0).all()
    assert both[20, 22] == pytest.approx(0.4)
    neither = evolve(np.maximum(aside, blob(centre=(20, 12))), start)
    np.testing.assert_array_equal(neither, start)


def test_the_window_follows_the_region_and_the_area_is_that_of_the_region():
    label = mark_points(POINT, (41, 41))
    label[20, 20:31] = np.r_[1, np.full(10, 0.6)]
    grown = evolve(np.full((41, 41), 0.9, np.float32), label, reach_px=4, area_share=0.5)
    columns = np.flatnonzero((grown != label).any(0))
    assert (columns.min(), columns.max()) == (21, 29)
    np.testing.assert_array_equal(evolve(blob(), label, area_share=11 / 41**2 / 2), label)


def test_pixels_under_two_windows_move_twice():
    label = mark_points(np.array([[20.0, 18.0], [20.0, 22.0]]), (41, 41))
    grown = evolve(blob(height=0.8), label)
    assert grown[20, 20] == pytest.approx(0.6)


def test_no_pixel_grows_to_one_but_the_points():
    label = evolve(np.ones((41, 41), np.float32), mark_points(POINT, (41, 41)), times=30, area_share=1.0)
    assert np.argwhere(label.astype(np.float16) == 1).tolist() == [[20, 20]]
    assert label[20, 22] == np.float32(254 / 255)


def test_updates_start_by_the_loss_but_not_before_outer_start():
    def epochs_of_updates(start, losses, **options):
        strategy = Lesps(config(epochs=20, outer_start=start, outer_every=0.2), LespsOptions(**options))
        return [epoch for epoch, loss in enumerate(losses, start=1) if strategy._is_due(epoch, loss)]

    falling = [50.0, 12.0, 9.0, 11.0, *[5.0] * 16]
    assert epochs_of_updates(0.0, falling) == [3, 4, 8, 12, 16]
    assert epochs_of_updates(0.0, falling, start_loss=20.0) == [2, 4, 8, 12, 16]
    assert epochs_of_updates(0.5, falling) == [10, 12, 16]
    assert epochs_of_updates(0.0, falling, start_loss=1.0) == []


def config(**changes):
    values = {"strategy": "lesps", "epochs": 6, "crop": 32, "batch_size": 4, "outer_start": 0.3, "outer_every": 0.2}
    return TrainConfig(**{**values, **changes})


def lines(folder):
    out = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if not key.endswith("seconds")} for line in out]


def test_labels_start_as_points_and_grow_in_a_run(tmp_path, draw_dataset):
    folder = draw_dataset(n_images=6)
    result = train(config(lr=0.01, options={"start_loss": 100.0}), [folder], tmp_path / "run")
    updates = [line for line in lines(tmp_path / "run") if "label_px" in line]
    assert [line["epoch"] for line in updates] == [2, 3, 4, 5]
    assert updates[-1]["label_px"] > 1
    assert result.best_epoch >= 1
    assert load_run(tmp_path / "run").config.options == {"start_loss": 100.0}


def test_a_resumed_run_ends_with_the_same_bytes(tmp_path, draw_dataset):
    folder = draw_dataset(n_images=6)
    train(config(), [folder], tmp_path / "whole")
    for _ in range(2):
        stop_after(tmp_path / "parts", folder, config(), epoch=3)
    train(config(), [folder], tmp_path / "parts", mode="resume")
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")
    best = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "parts")]
    assert best[0] == best[1]


def stop_after(run, folder, settings, epoch):
    """Train until the end of an epoch, as Ctrl-C would leave it."""

    def report(event):
        if getattr(event, "metrics", None) and event.epoch == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        train(settings, [folder], run, mode="overwrite", report=report)


def test_options_are_the_published_ones():
    options = LespsOptions()
    assert options == LespsOptions(reach_px=16, base=0.5, growth=0.5, area_share=0.0015, start_loss=10, least_peak=0)
    with pytest.raises(InputError, match="strategy lesps has no parameter bse; did you mean base"):
        train(config(options={"bse": 0.4}), ["nowhere"], "nowhere")
