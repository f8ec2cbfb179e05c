"""Targets that are planted onto images: where they lie, how large they are, and what counts as a leak or a loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.accuracy.planted import CLASSES, Found, label_plant, plants_of, tabulate
from benchmarks.plants import FREE_PX, draw_shape, scale_shape, take_shapes
from pointlabel.synthetic import draw_scene


def found_of(true_area: int, areas: tuple[int, ...], ious: tuple[float, ...]) -> Found:
    return Found("drawn", "0", "drawn", over_spread=5.0, true_area=true_area, areas=areas, ious=ious)


def test_plants_lie_on_their_image_away_from_its_targets(rng):
    scene = draw_scene(3, (256, 256), n_targets=3, background="cloud", contrast=12.0)
    shapes = take_shapes(scene.image, scene.mask)
    assert shapes
    planted = plants_of(rng, scene.image, scene.mask, [scale_shape(shape, 60) for shape in shapes], 12)
    assert {source for source, _ in planted} == {"taken", "drawn"}
    away = ndimage.distance_transform_edt(~scene.mask)
    for _, each in planted:
        rows, columns = np.nonzero(each.mask) + np.array(each.origin)[:, None]
        assert away[rows, columns].min() >= min(FREE_PX)
        assert each.mask[tuple((np.array(each.point) - each.origin).astype(int))]
        assert CLASSES[0][0] <= len(rows) < CLASSES[-1][1]
        assert (each.image[rows, columns] > scene.image[rows, columns]).all()
        outside = np.ones(each.mask.shape, bool)
        box = tuple(slice(start, start + side) for start, side in zip(each.origin, each.mask.shape, strict=True))
        changed = each.image != scene.image
        changed[box] &= ~outside
        assert not changed.any()


@pytest.mark.parametrize("area", [40, 300, 1500])
def test_shapes_come_in_the_size_that_is_asked_for(rng, area):
    for _ in range(10):
        assert draw_shape(rng, area).area == pytest.approx(area, rel=0.35)


def test_a_planted_target_that_stands_alone_is_held(rng):
    image = np.rint(80 + rng.normal(0, 2, (200, 200))).astype(np.uint8)
    shapes = [draw_shape(rng, 40.0)]
    found = [
        found_of(int(each.mask.sum()), *label_plant(each))
        for _, each in plants_of(rng, image, np.zeros(image.shape, bool), shapes, 10)
        if each.mask.sum() < 500
    ]
    assert np.mean([each.ious for each in found]) > 0.6
    assert not any(each.leaks(way) or each.is_lost(way) for each in found for way in (0, 1))


def test_leaks_and_losses_are_counted_by_size():
    found = [
        found_of(20, (131, 20), (0.1, 1.0)),
        found_of(20, (130, 5), (0.1, 0.2)),
        found_of(700, (174, 700), (0.2, 1.0)),
    ]
    rows = {row["name"]: row for row in tabulate(found)}
    assert rows["10 to 29 px"]["off"] == {"leaks": 1, "losses": 0, "mean_iou": pytest.approx(0.1)}
    assert rows["10 to 29 px"]["on"]["leaks"] == 0
    assert rows["500 to 1999 px"]["off"]["losses"] == 1
    assert (rows["all"]["plants"], rows["all"]["on"]["losses"]) == (3, 0)
