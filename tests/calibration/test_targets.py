"""Cases see what the command sees: the same masks, the same truth."""

from __future__ import annotations

import numpy as np

from pointlabel import annotate
from pointlabel.calibration.targets import cases_of, label_cases
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.weights import load_weights
from pointlabel.evaluation.targets import label_ious
from tests.calibration.drawn import scene_of


def test_overlap_is_that_of_annotated_masks():
    for seed in range(4):
        scene = scene_of(seed)
        cases = cases_of(scene.image, scene.points, scene.mask, "a")
        for params, tightness in ((DefaultParams(), 0.5), (DefaultParams(border_px=1.0), 0.4)):
            ours = label_cases(cases, load_weights(), params, tightness).iou
            alone = [
                label_ious(scene.mask, annotate(scene.image, point[None], params=params, tightness=tightness))[0]
                for point in scene.points
            ]
            np.testing.assert_allclose(ours, alone)


def test_a_point_without_a_target_gives_no_case():
    scene = scene_of(0)
    mask = scene.labels == 2
    (case,) = cases_of(scene.image, scene.points, mask, "a")
    assert case.true_area == mask.sum() == case.truth.sum()
    assert cases_of(scene.image, scene.points, np.zeros_like(mask), "a") == []
