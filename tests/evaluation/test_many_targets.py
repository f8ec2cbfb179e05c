"""Targets by one pass over the image: the same answers as the obvious loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.matching import MATCH_DISTANCE_PX, match_targets, target_ious
from pointlabel.evaluation.scr import local_scr, target_scrs

masks = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.2, 0.5]))
quick = settings(max_examples=60, deadline=None)


def draw(case):
    height, width, seed, share = case
    rng = np.random.default_rng(seed)
    true = rng.random((height, width)) < share
    grown = ndimage.binary_dilation(true) & (rng.random(true.shape) < 0.8)
    return rng, true, np.roll(grown, rng.integers(0, 3, 2), (0, 1))


def slow_match(true, predicted):
    out = np.full(len(true), -1)
    for k, centroid in enumerate(true.centroids):
        for j, other in enumerate(predicted.centroids):
            if j not in out and np.hypot(*(other - centroid)) < MATCH_DISTANCE_PX:
                out[k] = j
                break
    return out


def slow_ious(true, predicted):
    nearest = ndimage.distance_transform_edt(true.labels == 0, return_distances=False, return_indices=True)
    inter, claimed = np.zeros(len(true)), np.zeros(len(true))
    for j in range(1, len(predicted) + 1):
        inside = predicted.labels == j
        met = np.unique(true.labels[inside & (true.labels > 0)])
        owners = true.labels[nearest[0][inside], nearest[1][inside]]
        for k in met:
            inter[k - 1] += np.count_nonzero(inside & (true.labels == k))
            claimed[k - 1] += np.count_nonzero(owners == k) if len(met) > 1 else np.count_nonzero(inside)
    return inter / (true.areas + claimed - inter)


@quick
@given(masks)
def test_matches_and_ious_are_those_of_the_loops(case):
    _, true, predicted = draw(case)
    ours, theirs = find_components(true), find_components(predicted)
    np.testing.assert_array_equal(match_targets(ours, theirs), slow_match(ours, theirs))
    np.testing.assert_array_equal(target_ious(ours, theirs), slow_ious(ours, theirs))


@quick
@given(masks)
def test_the_pixels_of_components(case):
    _, true, _ = draw(case)
    found = find_components(true)
    pixels = found.pixels()
    assert len(pixels) == len(found)
    for number, spots in enumerate(pixels, start=1):
        np.testing.assert_array_equal(spots, np.argwhere(found.labels == number))


@quick
@given(masks, st.booleans())
def test_contrasts_are_those_of_whole_images(case, holes):
    rng, true, _ = draw(case)
    image = rng.random(true.shape)
    image.flat[:2] = 0, 1  # so that the range stays
    if holes:
        image[rng.random(true.shape) < 0.1] = np.nan
    found = find_components(true)
    finite = image[np.isfinite(image)]
    if finite.size and finite.max() > finite.min():
        image = (image - finite.min()) / (finite.max() - finite.min())
    expected = [local_scr(image, found.labels == k, excluded=true, min_area_px=1) for k in range(1, len(found) + 1)]
    np.testing.assert_array_equal(target_scrs(image, found), np.array(expected))
