"""The fit of a style: it follows the masks, the pull to the default holds, its gradients are right."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.calibration.choose import score
from pointlabel.calibration.fit import Pulls, border_loss, fit_style, score_loss
from pointlabel.calibration.targets import candidates_of, label_cases
from pointlabel.engine.default.params import N_STYLE, DefaultParams
from pointlabel.engine.default.style import fold_style, load_styles
from pointlabel.engine.default.weights import load_weights
from tests.calibration.drawn import cases_in, narrow, own, wide

PARAMS, WEIGHTS, STYLES = DefaultParams(), load_weights(), load_styles()
FREE = Pulls(0.1, 0.1)


def fitted(cases, pulls=FREE):
    return fit_style(cases, WEIGHTS, STYLES, PARAMS, pulls)


@pytest.mark.parametrize(("draw", "gain"), [(wide, 0.2), (narrow, 0.05)], ids=["wide", "narrow"])
def test_a_style_follows_the_masks(draw, gain):
    style = fitted(cases_in(draw, 6))
    others = cases_in(draw, 4, first=100)
    before, after = (label_cases(others, w, PARAMS) for w in (WEIGHTS, fold_style(WEIGHTS, STYLES, style)))
    assert score(after.inter, after.union) > score(before.inter, before.union) + gain


def test_a_pull_leads_to_the_default():
    lengths = [np.square(fitted(cases_in(wide, 3), Pulls(pull, pull))).sum() for pull in (1e6, 10.0, 1.0, 0.1)]
    assert lengths[0] < 1e-6
    assert lengths == sorted(lengths)


def test_the_same_masks_give_the_same_style():
    assert fitted(cases_in(own, 3)) == fitted(cases_in(own, 3))


def test_a_mask_of_one_pixel_is_fitted():
    """Nothing to draw a border from, and no search that ends in a traceback."""
    (case, *_) = cases_in(own, 1)
    lone = np.zeros_like(case.truth)
    lone[32, 32] = True
    for n in (1, 3):
        tiny = [type(case)(0, 0, f"{k}", case.window, case.regions, lone, 1) for k in range(n)]
        style = fitted(tiny)
        assert len(style) == N_STYLE
        assert np.isfinite(style).all()
        assert max(map(abs, style)) <= 3


@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_those_of_finite_differences(seed):
    cases = list(cases_in(wide, 3))
    at = np.random.default_rng(seed).uniform(-1, 1, N_STYLE)
    n = len(STYLES.score)
    for (loss, size), x, step in (
        (score_loss(candidates_of(cases), WEIGHTS.score, STYLES, 0.1), at[:n], 1e-6),
        (border_loss(cases, WEIGHTS, STYLES, PARAMS, 0.1), at[n:], 1e-2),  # in single precision
    ):
        assert size == len(x)
        there = [loss(x + sign * step * e)[0] for e in np.eye(size) for sign in (1, -1)]
        central = (np.array(there[::2]) - np.array(there[1::2])) / (2 * step)
        np.testing.assert_allclose(loss(x)[1], central, rtol=0.02, atol=1e-4)


def test_candidates_count_pixels_of_the_truth():
    cases = cases_in(wide)
    candidates = candidates_of(cases)
    for number, case in enumerate(cases[:4]):
        n_levels = case.regions.features.shape[1]
        for scale, levels in enumerate(case.regions.level_of):
            for level in (0, n_levels // 2, n_levels - 1):
                region = levels <= level
                at = scale * n_levels + level
                assert candidates.intersection[number, at] == (region & case.truth).sum()
                assert candidates.union[number, at] == (region | case.truth).sum()
