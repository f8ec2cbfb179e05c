"""Progressive active learning: who is easy, who is let in, and a run on drawn scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pointlabel.errors import InputError
from pointlabel.training import TrainConfig, train
from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.evolution import admits, label_of_admitted
from pointlabel.training.strategies.edges import enclose_points
from pointlabel.training.strategies.pal import DECAY_EVERY, PalOptions

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
    options = PalOptions()
    assert options.rule(DECAY_EVERY).decay == pytest.approx(0.97)
    assert options.rule(0.05).decay == pytest.approx(0.97**4)
    assert (options.rule(0.05).anchor_px, options.rule(0.05).reach_px) == (1, 16)


def test_tolerance_rises_to_one_at_the_refinement():
    options = PalOptions()
    assert options.tolerated(0.2, 0.2) == pytest.approx(0.2)
    assert options.tolerated(0.5, 0.2) == pytest.approx(0.6)
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
    assert [line["epoch"] for line in updates] == [1, 2, 3, 4, 5]
    assert updates[0]["pool"] == 6, "all images are let in at the first update"
    assert updates[0]["admitted"] > 0
    never = {**options, "refine_from": 0.0}
    train(config(options=never, epochs=2, outer_every=0.5), [folder], tmp_path / "never")
    assert len(pool_of(tmp_path / "never")) == 6 - updates[0]["admitted"]


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
