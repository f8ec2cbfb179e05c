"""The script that acts as a person: its hand, and what it does in a session."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks.accuracy.click_study import ENOUGH, HANDS, SECONDS, Acts, Hand, iou, study, summarise
from pointlabel.synthetic import draw_scene


@pytest.mark.parametrize("largest", HANDS.values())
@pytest.mark.parametrize("start", ["nothing", "too much", "beside it"])
def test_the_hand_ends_where_the_mask_is_good_enough(largest, start):
    truth = draw_scene(3, (64, 80), n_targets=1).mask
    mask = {"nothing": np.zeros_like(truth), "too much": np.roll(truth, 2, 1) | np.roll(truth, -3, 0)}.get(start)
    mask = np.roll(truth, 9, 1) if mask is None else mask
    acts = Acts()
    after = Hand(largest).mend(mask, truth, acts)
    assert iou(after, truth) >= ENOUGH
    assert 0 < acts["stroke"] <= (after != mask).sum()
    assert acts.row()["seconds"] == pytest.approx(SECONDS["stroke"] * acts["stroke"] + SECONDS["key"] * acts["key"])


def test_a_dab_that_fits_is_one_stroke():
    truth = np.zeros((40, 40), bool)
    truth[18:23, 18:23] = True
    acts = Acts()
    Hand(7, size=3).mend(np.zeros_like(truth), truth, acts)
    assert acts == {"stroke": 1, "key": 0}


def test_every_target_gets_a_row_in_every_way(draw_dataset):
    folder = draw_dataset(n_images=5)
    for path in (folder / "masks").iterdir():  # masks that no click makes: all are mended, and a style is offered
        with Image.open(path) as file:
            mask = np.asarray(file)
        wide = np.maximum.reduce([np.roll(mask, (dy, dx), (0, 1)) for dy in (-2, 0, 2) for dx in (-2, 0, 2)])
        Image.fromarray(wide).save(path)
    rows = study(folder, 4)
    assert len({row["image"] for row in rows}) == 4
    about = summarise(rows)
    assert about["click, fine"]["took"]["brush"] >= 3
    assert all(row["brush, fine"]["seconds"] >= row["brush, fine"]["stroke"] for row in rows)
