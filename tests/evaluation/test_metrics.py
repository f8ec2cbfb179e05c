"""Metrics against published numbers, against a slow obvious twin, and what must hold for any masks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pointlabel.errors import InputError
from pointlabel.evaluation.classes import SCR_BINS, SIZE_CLASSES, scr_bin, size_class
from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.metrics import Totals, score_image

FIXTURES = Path(__file__).parent.parent / "data" / "metric_fixtures.npz"
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.booleans())


@st.composite
def mask_pairs(draw):
    """Two masks of one shape, sparse enough to fall apart into several components."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random((2, *shape))
    densities = draw(st.tuples(st.floats(0.02, 0.5), st.floats(0.02, 0.5)))
    return values[0] < densities[0], values[1] < densities[1]


def flood(mask):
    """Components as sorted pixel lists, by a stack, in the order in which their first pixels are read."""
    left = {(int(r), int(c)) for r, c in np.argwhere(mask)}
    out = []
    for start in sorted(left):
        if start not in left:
            continue
        left.remove(start)
        stack, pixels = [start], []
        while stack:
            row, column = stack.pop()
            pixels.append((row, column))
            for near in [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    stack.append(near)
        out.append(sorted(pixels))
    return out


def centre(pixels):
    return [sum(axis) / len(pixels) for axis in zip(*pixels, strict=True)]


def twin(predicted, true):
    """The counts of one image by loops over pixels and pairs of components."""
    found, targets = flood(predicted), flood(true)
    free = list(range(len(found)))
    matched = []
    for target in targets:
        for index in free:
            if math.dist(centre(target), centre(found[index])) < 3:
                matched.append(index)
                free.remove(index)
                break
    areas = {len(found[index]) for index in matched}
    return {
        "n_targets": len(targets),
        "n_predicted": len(found),
        "n_found": len(matched),
        "false_px": sum(len(found[index]) for index in free),
        "false_px_legacy": sum(len(found[index]) for index in free if len(found[index]) not in areas),
        "inter": len({p for part in found for p in part} & {p for part in targets for p in part}),
        "union": len({p for part in found for p in part} | {p for part in targets for p in part}),
    }


def totals(pairs):
    out = Totals()
    for predicted, true in pairs:
        out.add(score_image(predicted, true))
    return out


@pytest.fixture(scope="module")
def fixtures():
    with np.load(FIXTURES) as file:
        return {name: file[name] for name in file}


@pytest.mark.parametrize(("profile", "fa"), [("exact", "fa"), ("legacy", "fa_legacy")])
def test_published_numbers(fixtures, profile, fa):
    summary = totals(zip(fixtures["pred"] > 0, fixtures["target"] > 0, strict=True)).summary(profile)
    assert summary["iou"] == pytest.approx(float(fixtures["iou"]), abs=1e-12)
    assert summary["niou"] == pytest.approx(float(fixtures["niou"]), abs=1e-12)
    assert summary["pd"] == pytest.approx(float(fixtures["pd"]), abs=1e-12)
    assert summary["pd"] == pytest.approx(float(fixtures["pd_legacy"]), abs=1e-12)
    assert summary["fa"] == pytest.approx(float(fixtures[fa]), abs=1e-12)
    assert summary["targets"] == int(fixtures["targets"])
    assert summary["images_empty"] == int(fixtures["empty_images"])
    assert summary["profile"] == profile


@settings(max_examples=200, deadline=None)
@given(mask_pairs())
def test_any_masks_agree_with_the_twin(pair):
    score = score_image(*pair)
    expected = twin(*pair)
    assert {name: getattr(score, name) for name in expected} == expected


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_components_agree_with_the_twin(mask):
    components, expected = find_components(mask), flood(mask)
    assert components.labels.dtype == np.int32
    assert components.areas.tolist() == [len(pixels) for pixels in expected]
    np.testing.assert_allclose(components.centroids.reshape(-1, 2), np.reshape([centre(p) for p in expected], (-1, 2)))
    for number, pixels in enumerate(expected, start=1):
        assert np.argwhere(components.labels == number).tolist() == [list(pixel) for pixel in pixels]


@settings(deadline=None)
@given(mask_pairs())
def test_swapping_the_masks(pair):
    here, there = score_image(*pair), score_image(pair[1], pair[0])
    assert here.iou == there.iou
    assert 0 <= here.iou <= 1
    assert (here.predicted_px, here.true_px) == (there.true_px, there.predicted_px)
    one, other = totals([pair]).summary(), totals([pair[::-1]]).summary()
    assert one["precision"] == other["recall"]
    assert one["f1"] == other["f1"]


@settings(deadline=None)
@given(st.lists(mask_pairs(), min_size=1, max_size=4))
def test_bounds(pairs):
    exact, legacy = totals(pairs).summary(), totals(pairs).summary("legacy")
    for name in ("iou", "niou", "niou_with_targets", "pd", "fa", "precision", "recall", "f1", "target_precision"):
        assert exact[name] is None or 0 <= exact[name] <= 1
    assert legacy["fa"] <= exact["fa"]
    if exact["iou"]:
        assert exact["iou"] <= min(exact["precision"], exact["recall"]) + 1e-12
        assert exact["f1"] == pytest.approx(2 * exact["iou"] / (1 + exact["iou"]))
    assert sum(group["targets"] for group in exact["by_size"].values()) == exact["targets"]


@given(MASKS)
def test_a_mask_against_itself(mask):
    summary = totals([(mask, mask)]).summary()
    assert summary["iou"] == (1.0 if mask.any() else None)
    assert summary["niou"] == (1.0 if mask.any() else 0.0)
    assert summary["fa"] == 0


def block(*corners, shape=(40, 40), side=3):
    mask = np.zeros(shape, bool)
    for row, column in corners:
        mask[row : row + side, column : column + side] = True
    return mask


def test_a_centroid_three_pixels_away_is_no_match():
    assert score_image(block((10, 10)), block((10, 13))).n_found == 0
    assert score_image(block((10, 10)), block((10, 12))).n_found == 1


def test_a_prediction_finds_one_target_only():
    true = np.zeros((20, 20), bool)
    true[10, 10] = true[10, 12] = True
    predicted = np.zeros((20, 20), bool)
    predicted[10, 11] = True
    score = score_image(predicted, true)
    assert (score.n_targets, score.n_found, score.false_px) == (2, 1, 0)


def test_legacy_forgets_a_false_blob_as_large_as_a_matched_one():
    score = score_image(block((5, 5), (25, 25)), block((5, 5)))
    assert (score.false_px, score.false_px_legacy) == (9, 0)
    assert (score.false_pixels("exact"), score.false_pixels("legacy")) == (9, 0)


def test_touching_corners_are_one_target():
    assert score_image(block((5, 5)), block((5, 5), (8, 8))).n_targets == 1


def test_images_without_targets_and_the_two_means():
    empty, mask = block(), block((5, 5))
    summary = totals([(mask, mask), (empty, empty), (mask, empty)]).summary()
    assert summary["niou"] == pytest.approx(1 / 3)
    assert summary["niou_with_targets"] == 1
    assert (summary["images"], summary["images_with_targets"], summary["images_empty"]) == (3, 1, 1)


def test_shares_of_nothing_are_none():
    empty = block()
    summary = totals([(empty, empty)]).summary()
    assert summary["niou"] == summary["fa"] == 0
    for name in ("iou", "niou_with_targets", "pd", "precision", "recall", "f1", "target_precision"):
        assert summary[name] is None
    assert summary["by_scr"] is None
    assert all(value is None for name, value in Totals().summary().items() if name in ("iou", "niou", "fa"))


def test_a_component_over_two_targets_is_shared_out():
    true = np.zeros((3, 11), bool)
    true[:, 0:3] = true[:, 8:11] = True
    score = score_image(np.ones((3, 11), bool), true)
    # The column in the middle is equally near to both and goes to one of them.
    assert sorted(target.iou for target in score.targets) == pytest.approx([9 / 18, 9 / 15])


@pytest.mark.parametrize(
    ("area", "name"),
    [
        (1, "<=9"),
        (9, "<=9"),
        (10, "10-25"),
        (25, "10-25"),
        (26, "26-81"),
        (81, "26-81"),
        (82, "82-200"),
        (200, "82-200"),
        (201, ">200"),
        (10**6, ">200"),
    ],
)
def test_size_classes(area, name):
    assert size_class(area) == name
    assert name in SIZE_CLASSES


@pytest.mark.parametrize(
    ("scr", "name"),
    [(0, "<1"), (0.999, "<1"), (1, "1-2"), (2, "2-4"), (3.99, "2-4"), (4, "4-8"), (8, ">8"), (12, ">8")],
)
def test_scr_bins(scr, name):
    assert scr_bin(scr) == name
    assert name in SCR_BINS


def test_rows_by_size_and_scr():
    true = block((5, 5), (25, 25))
    image = np.random.default_rng(0).normal(0, 1, true.shape)
    image[5:8, 5:8] += 100
    out = Totals()
    out.add(score_image(block((5, 5)), true, image))
    summary = out.summary()
    assert summary["by_size"]["<=9"] == {"targets": 2, "pd": 0.5, "iou": 0.5}
    assert summary["by_scr"][">8"] == {"targets": 1, "pd": 1.0, "iou": 1.0}
    assert sum(group["targets"] for group in summary["by_scr"].values()) == 2


def test_bad_input():
    with pytest.raises(InputError, match=r"predicted must have the shape of the true mask, \(4, 4\), got \(4, 5\)"):
        score_image(np.zeros((4, 5), bool), np.zeros((4, 4), bool))
    with pytest.raises(InputError, match="image must have the shape of the true mask"):
        score_image(np.zeros((4, 4), bool), np.zeros((4, 4), bool), np.zeros((5, 4)))
    with pytest.raises(InputError, match="profile must be one of exact, legacy, got 'fast'"):
        Totals().summary("fast")
