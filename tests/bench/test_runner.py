"""One method over images: its scores against the metrics' own, times, seeds; and the rows made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pointlabel import InputError, annotate
from pointlabel.bench.runner import BenchImage, join_runs, plan_setup, run_method
from pointlabel.bench.summaries import sort_rows, summarise
from pointlabel.errors import UnknownMethodError
from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.metrics import Totals, score_image
from pointlabel.evaluation.shapes import describe_targets
from pointlabel.evaluation.targets import label_ious, true_targets
from pointlabel.synthetic import draw_scene


def generator(seed, image_id):
    return np.random.default_rng([seed, int(image_id)])


def drawn_cases(n=4, first=0):
    scenes = [draw_scene(seed=k, shape=(64, 80), n_targets=2) for k in range(first, first + n)]
    return [BenchImage(f"{k}", scene.image, scene.points, scene.mask) for k, scene in enumerate(scenes)]


def features_of(cases):
    parts = []
    for case in cases:
        _, owners = true_targets(case.mask, case.points)
        described = describe_targets(case.image, case.mask)
        parts.append(np.concatenate([np.full((1, 4), np.nan), described])[owners])
    return np.concatenate(parts)


def test_scores_are_those_of_the_metrics():
    cases = drawn_cases()
    row = summarise(run_method(cases, plan_setup("threshold"), generator), features_of(cases))
    totals, ious, areas = Totals(), [], []
    for case in cases:
        labels = annotate(case.image, case.points, method="threshold")
        totals.add(score_image(labels.mask(), case.mask))
        ious += label_ious(case.mask, labels).tolist()
        areas += [target.area for target in labels.targets]
    true = features_of(cases)[:, 0]
    assert (row["iou"], row["niou"]) == pytest.approx((totals.summary()["iou"], totals.summary()["niou"]))
    assert row["poor"] == np.mean(np.array(ious) < 0.5)
    assert row["area_error"] == pytest.approx(np.mean(np.abs(areas - true) / true))
    assert row["area_ratio"] == pytest.approx(np.exp(np.mean(np.log(areas / true))))
    assert (row["images"], row["targets"], row["points_off"], row["seeds"]) == (4, 8, 0, 1)
    assert row["iou_std"] == row["niou_std"] == 0
    assert sum(group["targets"] for group in row["by_size"].values()) == 8
    assert np.average(
        [group["iou"] or 0 for group in row["by_scr"].values()],
        weights=[group["targets"] for group in row["by_scr"].values()],
    ) == pytest.approx(np.mean(ious))


def test_crops_are_the_masks():
    cases = drawn_cases(2)
    run = run_method(cases, plan_setup("default"), generator, keep_crops=True)
    for k, case in enumerate(cases):
        canvas = np.zeros(case.mask.shape, bool)
        for row, column, mask in run.crops[2 * k : 2 * k + 2]:
            assert mask.any(axis=0).all()
            canvas[row : row + mask.shape[0], column : column + mask.shape[1]] |= mask
        np.testing.assert_array_equal(canvas, annotate(case.image, case.points).mask())


def test_random_methods_take_every_seed_and_others_one():
    cases = drawn_cases(2)
    assert plan_setup("default", n_seeds=3).seeds == (0,)
    assert plan_setup("d2d-paper", n_seeds=3).seeds == (0,)
    assert plan_setup("d2d-paper", size_prior="fixed", n_seeds=3).seeds == (0, 1, 2)  # its windows are drawn
    setup = plan_setup("d2d-code", n_seeds=3, n_crf_iter=0)
    run = run_method(cases, setup, generator)
    assert run.inter.shape == (3, 2)
    assert run.ious.shape == run.areas.shape == (3, 4)
    row = summarise(run, features_of(cases))
    each = run.inter.sum(axis=1) / run.union.sum(axis=1)
    assert len(set(each.tolist())) > 1
    assert (row["iou"], row["iou_std"]) == pytest.approx((each.mean(), each.std(ddof=1)))
    options: dict[str, Any] = {"method": setup.method, "params": setup.params}
    masks = [annotate(c.image, c.points, **options, rng=generator(1, c.id)).mask() for c in cases]
    assert run.inter[1].tolist() == [int((mask & case.mask).sum()) for mask, case in zip(masks, cases, strict=True)]


def test_the_size_prior_reaches_methods_that_have_one():
    assert plan_setup("default", size_prior="oracle").size_prior == "none"
    setup = plan_setup("diffusion", size_prior="oracle")
    assert (setup.size_prior, setup.params.size_prior) == ("oracle", "oracle")
    cases = drawn_cases(2)
    known, unknown = (run_method(cases, plan_setup("diffusion", size_prior=p), generator) for p in ("oracle", "none"))
    assert not np.array_equal(known.areas, unknown.areas)
    with pytest.raises(InputError, match="0: size_prior oracle needs a true mask"):
        run_method([case._replace(mask=None) for case in cases], setup, generator)


def test_without_masks_there_are_times_only():
    cases = [case._replace(mask=None) for case in drawn_cases(3)]
    run = run_method(cases, plan_setup("point"), generator, repeat=2)
    row = summarise(run)
    assert run.times_ms.shape == (6,)
    assert 0 < row["ms_median"] <= row["ms_p90"] <= row["ms_p99"]
    assert row["first_ms"] > 0
    assert "iou" not in row


def test_points_off_target_and_images_without_points():
    image, mask = np.zeros((30, 30), np.uint8), np.zeros((30, 30), bool)
    mask[5:8, 5:8] = True
    image[mask] = 200
    cases = [
        BenchImage("0", image, np.zeros((0, 2)), mask),
        BenchImage("1", image, np.array([[6.0, 6], [25, 25]]), mask),
    ]
    run = run_method(cases, plan_setup("point"), generator)
    row = summarise(run, features_of(cases))
    assert (row["targets"], row["points_off"], row["images"]) == (2, 1, 2)
    assert row["iou"] == 9 / (9 + 9 + 9)  # the first image is missed, the second has a false block
    assert row["niou"] == 9 / 18 / 2
    assert row["poor"] == 0
    with pytest.raises(InputError, match="no image has a point; there is nothing to measure"):
        run_method(cases[:1], plan_setup("point"), generator)


def test_joined_runs_are_one_run():
    parts = [drawn_cases(2), drawn_cases(3, first=2)]
    setup = plan_setup("threshold")
    joined = join_runs([run_method(part, setup, generator) for part in parts])
    whole = run_method([*parts[0], *parts[1]], setup, generator)
    features = features_of([*parts[0], *parts[1]])
    np.testing.assert_array_equal(joined.image_of, whole.image_of)
    one, other = summarise(joined, features), summarise(whole, features)
    for name in ("iou", "niou", "poor", "area_error", "images", "targets", "by_size", "by_scr"):
        assert one[name] == other[name]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("defualt", {}, "unknown method 'defualt'; did you mean default"),
        ("default", {"size_prior": "true"}, "size_prior must be one of none, fixed, oracle, got 'true'"),
        ("default", {"n_seeds": 0}, r"n_seeds must lie in \[1, 1000\], got 0"),
        ("default", {"checkpoint": "x"}, "method default has no parameter checkpoint"),
    ],
)
def test_what_cannot_be_planned(name, options, message):
    with pytest.raises(InputError, match=message) as caught:
        plan_setup(name, **options)
    assert isinstance(caught.value, UnknownMethodError) == (name == "defualt")


def test_shapes_of_drawn_targets():
    mask = np.zeros((40, 40), bool)
    mask[3, 3] = True
    mask[10:14, 10:14] = True
    mask[20, 5:17] = True
    mask[30:33, 30] = mask[32, 30:33] = True
    image = np.where(mask, 200.0, 10.0) + np.random.default_rng(0).normal(0, 5, mask.shape)
    table = describe_targets(image, mask)
    assert table[:, 0].tolist() == find_components(mask).areas.tolist() == [1, 16, 12, 5]
    np.testing.assert_allclose(table[:3, 1], [1, 1, 12])
    np.testing.assert_allclose(table[:, 2], [1, 1, 1, 5 / 9])
    assert (table[:, 3] > 8).all()
    assert describe_targets(image, np.zeros_like(mask)).shape == (0, 4)


def test_rows_in_order_failed_ones_last():
    rows: list[dict[str, Any]] = [
        {"method": "a", "iou": 0.2},
        {"method": "b", "error": "no"},
        {"method": "c", "iou": 0.7},
    ]
    assert [row["method"] for row in sort_rows(rows, "iou", largest_first=True)] == ["c", "a", "b"]
    assert [row["method"] for row in sort_rows(rows, "iou", largest_first=False)] == ["a", "c", "b"]
