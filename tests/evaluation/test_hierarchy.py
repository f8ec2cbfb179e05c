"""hIoU and its parts against the authors' toolkit, and what the order of blobs does to Pd and not to hIoU."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.hierarchy import match_opdc
from pointlabel.evaluation.metrics import Totals, score_image

seeds = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3)


def draw(seed):
    """Masks of a few blobs: moved, merged, split and left out in the prediction; one or both may be empty."""
    rng = np.random.default_rng(seed)
    true = np.zeros((24, 28), bool)
    for row, column, height, width in rng.integers((0, 0, 1, 1), (22, 26, 6, 6), (rng.integers(0, 7), 4)):
        true[row : row + height, column : column + width] = True
    predicted = np.roll(true, rng.integers(-1, 2, 2), (0, 1)) & (rng.random(true.shape) < rng.choice([0, 0.7, 1]))
    if rng.random() < 0.3:
        predicted = ndimage.binary_dilation(predicted)
    return predicted | (rng.random(true.shape) < rng.choice([0, 0.01])), true


def summarise(pairs, profile):
    totals = Totals()
    for predicted, true in pairs:
        totals.add(score_image(predicted, true))
    summary = totals.summary(profile)
    return {"hiou": summary["hiou"], **summary["hierarchy"]}


@settings(max_examples=50)
@given(seeds)
def test_the_legacy_profile_is_the_authors_toolkit(cases):
    """Not in the extra dev: its metadata asks for an older numpy than ours. It runs with ours all the same."""
    toolkit = pytest.importorskip("py_irstd_metrics")
    errors, whole = toolkit.HierarchicalIoUBasedErrorAnalysis(), toolkit.MatchingBasedMetrics()
    pairs = [draw(seed) for seed in cases]
    for predicted, true in pairs:
        errors.update(predicted.astype(float), true)
        whole.update(predicted.astype(float), true)
    ours = {name: value or 0.0 for name, value in summarise(pairs, "legacy").items()}
    found = {name: value.item() for name, value in (errors.get() | whole.get()).items()}
    names = {"loc_splitting": "loc_m2s_err", "loc_merging": "loc_s2m_err", "loc_interference": "loc_itf_err"}
    names |= {"loc_perception": "loc_pcp_err", "seg_merging": "seg_mrg_err", "seg_interference": "seg_itf_err"}
    names |= {"seg_perception": "seg_pcp_err", "pd_opdc": "probability_detection", "fa_opdc": "false_alarm"}
    assert ours == pytest.approx({name: found[names.get(name, name)] for name in ours})


@settings(max_examples=30)
@given(seeds)
def test_the_profiles_differ_in_images_without_blobs_only(cases):
    pairs = [draw(seed) for seed in cases]
    both = [pair for pair in pairs if pair[0].any() and pair[1].any()]
    assert summarise(both, "exact") == summarise(both, "legacy")


@settings(max_examples=30)
@given(seeds)
def test_each_level_adds_up_to_one(cases):
    parts = summarise([draw(seed) for seed in cases], "exact")
    for level in ("loc", "seg"):
        values = [value for name, value in parts.items() if name.startswith(f"{level}_")]
        assert values == [None] * len(values) or sum(values) == pytest.approx(1)


def test_an_image_without_a_blob_costs_nothing_but_in_the_toolkit():
    empty = np.zeros((9, 9), bool)
    target = empty.copy()
    target[3:6, 3:6] = True
    pairs = [(target, target), (empty, empty)]
    assert summarise(pairs, "exact")["hiou"] == 1
    assert summarise(pairs, "legacy")["hiou"] == pytest.approx(1 / 3)
    assert summarise([(empty, empty)], "exact")["hiou"] is None


def blobs(*rectangles):
    mask = np.zeros((20, 30), bool)
    for row, column, height, width in rectangles:
        mask[row : row + height, column : column + width] = True
    return mask


def test_one_blob_over_two_targets_and_two_blobs_in_one():
    two, one = blobs((5, 5, 3, 3), (5, 9, 3, 3)), blobs((5, 5, 3, 7))
    merged, split = summarise([(one, two)], "exact"), summarise([(two, one)], "exact")
    assert (merged["loc_iou"], merged["loc_merging"], merged["loc_perception"]) == (0.5, 0.5, 0)
    assert (merged["seg_merging"], merged["seg_interference"]) == (9 / 21, 3 / 21)
    assert (split["loc_iou"], split["loc_splitting"], split["loc_interference"]) == (0.5, 0.5, 0)
    far = summarise([(blobs((15, 20, 2, 2)), one)], "exact")
    assert (far["loc_interference"], far["loc_perception"], far["hiou"]) == (0.5, 0.5, 0)


def test_pd_depends_on_the_order_of_blobs_and_opdc_does_not():
    """The first target takes the first blob near it, also where the second target could have no other."""
    true, predicted = blobs((5, 6, 1, 1), (5, 10, 1, 1)), blobs((5, 8, 1, 1), (6, 5, 1, 1))
    found = {}
    for name, turn in (("as it is", slice(None)), ("mirrored", slice(None, None, -1))):
        score = score_image(predicted[:, turn], true[:, turn])
        matches, *_ = match_opdc(find_components(true[:, turn]), find_components(predicted[:, turn]))
        found[name] = score.n_found, int((matches >= 0).sum())
    assert found == {"as it is": (1, 2), "mirrored": (2, 2)}


def test_a_false_blob_of_a_found_targets_area_is_no_alarm_in_legacy_figures():
    true = blobs((5, 5, 2, 2))
    same, other = blobs((5, 5, 2, 2), (15, 20, 2, 2)), blobs((5, 5, 2, 2), (15, 20, 2, 3))
    counted = [
        score_image(mask, true).false_pixels(profile) for mask in (same, other) for profile in ("exact", "legacy")
    ]
    assert counted == [4, 0, 6, 6]


def test_a_nearer_speck_takes_the_target_from_the_blob_that_overlaps_it():
    """As in the toolkit, whose first assignment is by distance alone: the overlap then only says which pairs stay."""
    true = blobs((4, 4, 7, 7))
    true[6:9, 6:9] = False
    ring = true.copy()
    ring[4] = False
    assert match_opdc(find_components(true), find_components(ring))[0].tolist() == [0]
    speck = ring.copy()
    speck[7, 7] = True
    matches, wanted, claimed = match_opdc(find_components(true), find_components(speck))
    assert find_components(speck).areas[matches].tolist() == [1]
    assert (wanted.tolist(), claimed.tolist()) == ([True], [True, True])
