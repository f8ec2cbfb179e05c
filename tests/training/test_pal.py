"""Progressive active learning: who is easy, who is let in, and a run on drawn scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from pointlabel.errors import InputError
from pointlabel.training import TrainConfig, train
from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.evolution import Growth, admits, evolve_and_decay, label_of_admitted, mark_points
from pointlabel.training.strategies.edges import enclose_points, find_edges, outline_area
from pointlabel.training.strategies.pal import DECAY_EVERY, Pal, PalOptions
from tests.twins import pal as twin

pytestmark = pytest.mark.slow

POINTS = np.array([[10.0, 10.0], [10.0, 30.0]])


def blocks(*corners, side=4, shape=(40, 40)):
    out = np.zeros(shape, bool)
    for row, column in corners:
        out[row : row + side, column : column + side] = True
    return out


def bright(mask, low=40, high=200):
    return np.where(mask, high, low).astype(np.uint8)


def test_a_bright_target_is_enclosed_and_flat_ground_is_not():
    target = blocks((8, 8), side=5)
    mask, found = enclose_points(bright(target), POINTS)
    assert found.tolist() == [True, False]
    assert (mask[target]).sum() >= 21  # Canny may cut the corners
    assert mask[10, 30]
    assert mask.sum() <= 7 * 7 + 1


def test_an_edge_around_too_large_an_area_is_not_taken():
    sides = [
        side for side in range(3, 12) if enclose_points(bright(blocks((10 - side // 2,) * 2, side=side)), POINTS)[1][0]
    ]
    assert sides == list(range(3, max(sides) + 1))
    assert 5 <= max(sides) <= 8


def test_enclosing_follows_the_grey_levels_of_other_depths():
    image = bright(blocks((8, 8)), 0, 255)
    expected = enclose_points(image, POINTS)[0]
    for other in (image.astype(np.uint16) * 257, image / 255, np.where(image == 0, np.nan, 1.0)):
        mask, found = enclose_points(other, POINTS)
        if np.isfinite(other).all():
            np.testing.assert_array_equal(mask, expected)
        else:
            assert not found.any()  # a single level is left
    corner, _ = enclose_points(image, np.array([[0.0, 0.0], [39.0, 39.0]]))
    assert corner[0, 0]
    assert corner[39, 39]


@pytest.mark.parametrize("levels", [40, 256])
def test_edges_are_those_of_their_twin(rng, levels):
    n_edges = 0
    for shape in [(20, 20), (17, 9), (1, 6), (2, 2), (13, 20)]:
        smooth = ndimage.gaussian_filter(rng.random(shape), 0.7)
        image = np.floor(levels * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.int64)
        found = find_edges(image, 20, 40)
        assert {(int(row), int(column)) for row, column in np.argwhere(found)} == twin.canny(image, 20, 40)
        n_edges += int(found.sum())
    assert n_edges > 50


def test_edges_and_outlines_are_those_of_opencv(rng):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is large; install opencv-python-headless to compare with it")
    for _ in range(20):
        image = rng.integers(0, 90, (20, 18)).astype(np.uint8)
        np.testing.assert_array_equal(find_edges(image), cv2.Canny(image, 20, 40) > 0)
        mask = ndimage.binary_fill_holes(ndimage.gaussian_filter(rng.random((20, 18)), 1) > 0.55)
        parts, n = ndimage.label(mask, np.ones((3, 3)))
        for number in range(1, n + 1):
            (outline,), _ = cv2.findContours(
                (parts == number).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            assert outline_area(parts == number) == cv2.contourArea(outline)


def test_an_outline_runs_through_the_centres_of_the_outermost_pixels():
    assert outline_area(np.ones((4, 6), bool)) == 15
    assert outline_area(np.ones((1, 9), bool)) == 0
    diamond = np.abs(np.mgrid[-2:3, -2:3]).sum(0) <= 2
    assert outline_area(diamond) == 8


@pytest.mark.parametrize("reach", [2, 6, 16])
def test_the_update_equals_its_twin(rng, reach):
    shape, grown, shrunk = (37, 41), 0, 0
    for _ in range(6):
        prediction = ndimage.gaussian_filter(rng.random(shape), 1.2)
        prediction = ((prediction - prediction.min()) / np.ptp(prediction)).astype(np.float32) ** 2
        label = np.where(ndimage.gaussian_filter(rng.random(shape), 1.0) > 0.57, 0.8, 0.3).astype(np.float32)
        label[tuple(rng.integers(0, 37, (2, 6)))] = 1
        share, decay = rng.uniform(0.001, 0.2), rng.uniform(0.8, 1)
        found = evolve_and_decay(prediction, label, Growth(reach_px=reach, area_share=share), decay=decay)
        rule = {"reach": reach, "base": 0.5, "growth": 0.5, "share": share, "decay": decay}
        expected = twin.evolve(prediction.astype(np.float64), label.astype(np.float64), **rule)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        grown, shrunk = grown + int((found > label).sum()), shrunk + int((found < label).sum())
    assert grown > 20
    assert shrunk > 1000


def test_a_lone_group_that_does_not_meet_the_centre_does_not_pass():
    start = mark_points(POINTS[:1], (40, 40))
    aside = np.where(blocks((9, 13)), 0.9, 0.0).astype(np.float32)
    np.testing.assert_array_equal(evolve_and_decay(aside, start, Growth(), decay=1.0), start)
    beside = np.where(blocks((9, 11)), 0.9, 0.0).astype(np.float32)
    assert np.count_nonzero(evolve_and_decay(beside, start, Growth(), decay=1.0)) == 17


def test_where_a_prediction_stays_below_the_least_peak_labels_do_not_move():
    start = mark_points(POINTS, (40, 40))
    prediction = np.where(blocks((9, 9), (9, 29)), 0.3, 0.0).astype(np.float32)
    prediction[:, 20:] *= 3
    found = evolve_and_decay(prediction, start, Growth(), decay=1.0, least_peak=0.5)
    np.testing.assert_array_equal(found[:, :20], start[:, :20])
    assert np.count_nonzero(found[:, 20:]) == 16


def test_all_but_pixels_at_one_shrink_where_nothing_is_predicted():
    label = mark_points(POINTS, (40, 40))
    label[8:14, 8:14] = np.maximum(label[8:14, 8:14], 0.6)
    after = evolve_and_decay(np.zeros_like(label), label, Growth(), decay=0.5)
    np.testing.assert_allclose(after[8, 8:14], 0.3)
    for _ in range(9):
        after = evolve_and_decay(np.zeros_like(label), after, Growth(), decay=0.5)
    np.testing.assert_array_equal(after, mark_points(POINTS, (40, 40)))


@pytest.mark.parametrize(
    ("prediction", "missed_share", "false_per_point", "expected"),
    [
        (blocks((8, 8), (8, 28)), 0.0, 0.0, True),
        (blocks((8, 8)), 0.49, 9.0, False),
        (blocks((8, 8)), 0.5, 9.0, True),
        (blocks((8, 8), (8, 28), (30, 0), (30, 20)), 0.0, 0.9, False),
        (blocks((8, 8), (8, 28), (30, 0), (30, 20)), 0.0, 1.0, True),
        (blocks(), 1.0, 0.0, True),
    ],
)
def test_missed_and_false_components_decide(prediction, missed_share, false_per_point, expected):
    assert admits(prediction, POINTS, missed_share=missed_share, false_per_point=false_per_point) is expected


def test_admission_and_the_label_equal_their_twin(rng):
    """Rings and other holes, components in holes of others, points that touch, points in holes."""
    outcomes = []
    for _ in range(8):
        mask = np.abs(ndimage.gaussian_filter(rng.random((40, 40)), 1.5) - 0.5) < 0.03
        places = {(int(row), int(column)) for row, column in rng.integers(0, 40, (5, 2))} | {(20, 20), (21, 21)}
        points = np.array(sorted(places), float)
        for missed, false in [(0.0, 20.0), (0.3, 0.0), (0.3, 2.0), (0.7, 0.5), (0.7, 20.0)]:
            expected = twin.admitted(mask, places, missed, false)
            outcomes.append(expected is not None)
            assert admits(mask, points, missed_share=missed, false_per_point=false) is outcomes[-1]
            if expected is not None:
                label = label_of_admitted(mask, points)
                assert {(int(row), int(column)) for row, column in np.argwhere(label)} == expected
    assert 5 < sum(outcomes) < 35


def test_an_image_without_points_is_let_in():
    assert admits(blocks((1, 1)), np.zeros((0, 2)), missed_share=0.0, false_per_point=0.0)


def test_the_label_of_an_admitted_image_holds_points_and_what_meets_them():
    hit, false = blocks((8, 8)), blocks((30, 0))
    label = label_of_admitted(hit | false, POINTS)
    expected = hit.astype(np.float32)
    expected[10, 30] = 1
    np.testing.assert_array_equal(label, expected)
    assert label_of_admitted(false, POINTS).sum() == 2


def test_decay_follows_the_time_between_updates():
    assert PalOptions().decay_after(DECAY_EVERY) == pytest.approx(0.97)
    assert PalOptions().decay_after(0.05) == pytest.approx(0.97**4)


def test_tolerance_rises_to_one_at_the_refinement():
    options = PalOptions()
    assert options.tolerated(0.2 - 1 / 400, 0.2) == pytest.approx(0.2)
    assert options.tolerated(0.5 - 1 / 400, 0.2) == pytest.approx(0.6)
    # Epoch 85 of 400, the first update: 0.2 + 0.8 (85 - 80 + 1) / 240.
    assert options.tolerated(85 / 400, 0.2) == pytest.approx(0.22)
    assert options.tolerated(0.8, 0.2) == options.tolerated(0.9, 0.2) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"easy_share": 1.1}, r"easy_share must lie in \[0, 1\], got 1.1"),
        ({"least_share": 0.0}, r"least_share must lie in \(0, 1\], got 0.0"),
        ({"decay": 0.0}, r"decay must lie in \(0, 1\], got 0.0"),
        ({"easy_method": "edge"}, "unknown method 'edge'"),
    ],
)
def test_options_out_of_range_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        PalOptions(**change)


def config(**changes):
    values = {"strategy": "pal", "epochs": 6, "crop": 32, "batch_size": 3, "outer_start": 0.2, "outer_every": 0.2}
    return TrainConfig(**{**values, **changes})


def lines(folder):
    out = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if not key.endswith("seconds")} for line in out]


def pool_of(folder):
    return read_checkpoint(str(folder / "last.safetensors"))["trainer"]["strategy"]["pool"].tolist()


def test_harder_images_come_in_and_then_no_more(tmp_path, draw_dataset):
    folder = draw_dataset(n_images=8)
    options = {"easy_share": 1.0, "missed_share": 1.0, "false_per_point": 1e6, "refine_from": 0.6}
    train(config(options=options), [folder], tmp_path / "run")
    updates = [line for line in lines(tmp_path / "run") if "pool" in line]
    assert [line["epoch"] for line in updates] == [2, 3, 4, 5], "the first one interval after the pre-start"
    assert updates[0]["pool"] == 6, "all images are let in at the first update"
    assert updates[0]["admitted"] > 0
    never = {**options, "refine_from": 0.0}
    train(config(options=never, epochs=2, outer_every=0.5), [folder], tmp_path / "never")
    assert len(pool_of(tmp_path / "never")) == 6 - updates[0]["admitted"]


def test_the_published_schedule_updates_after_epochs_85_to_395():
    strategy = Pal(config(epochs=400, outer_start=0.2, outer_every=0.0125), PalOptions())
    assert [epoch for epoch in range(1, 401) if strategy._is_due(epoch)] == list(range(85, 400, 5))


def test_training_sees_hard_labels_and_soft_ones_are_kept(tmp_path, draw_dataset):
    train(
        config(options={"area_share": 0.5}, epochs=8, outer_every=0.125, start_probability=0.5),
        [draw_dataset(n_images=8)],
        tmp_path / "run",
    )
    state = read_checkpoint(str(tmp_path / "run" / "last.safetensors"))["trainer"]
    soft, hard = state["strategy"]["soft"], state["labels"]["train"]
    assert ((soft["value"] > 0) & (soft["value"] < 1)).any()
    assert (hard["value"] == 1).all()
    assert int(hard["count"].sum()) == int((soft["value"] > 0.5).sum())


def test_images_outside_the_pool_are_not_trained_on(tmp_path, draw_dataset):
    folder = draw_dataset(n_images=8)
    seen = []

    def report(event):
        if hasattr(event, "step"):
            seen.append(event.step)

    options = {"easy_method": "default", "easy_quality": 1.0, "least_share": 0.5, "refine_from": 0.0}
    train(config(options=options, epochs=2), [folder], tmp_path / "run", report=report)
    assert seen == [1, 1], "three of six images make one batch of three"


def test_a_resumed_run_ends_with_the_same_bytes(tmp_path, draw_dataset):
    folder = draw_dataset(n_images=8)
    settings = config(options={"false_per_point": 1e6})
    train(settings, [folder], tmp_path / "whole")

    def report(event):
        if getattr(event, "metrics", None) and event.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        train(settings, [folder], tmp_path / "parts", report=report)
    train(settings, [folder], tmp_path / "parts", mode="resume")
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")
    assert pool_of(tmp_path / "whole") == pool_of(tmp_path / "parts")
    last = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "parts")]
    assert last[0] == last[1]
