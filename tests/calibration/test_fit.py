"""The learned parts: they follow the masks, the pull towards the defaults holds, and the engine does what torch did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointlabel.calibration.choose import score
from pointlabel.calibration.fit import learn_border, learn_score
from pointlabel.calibration.targets import candidates_of, inputs_of, label_cases, votes_of
from pointlabel.engine.default.params import N_BORDER_STYLE, N_SCORE_STYLE, DefaultParams
from pointlabel.engine.default.refine import refine, standardised
from pointlabel.engine.default.style import add_style
from pointlabel.engine.default.weights import load_weights
from tests.calibration.drawn import cases_in, wide

PARAMS, WEIGHTS = DefaultParams(), load_weights()


@pytest.fixture(scope="module")
def cases():
    return cases_in(wide)


@pytest.fixture(scope="module")
def votes(cases):
    return votes_of(cases, WEIGHTS, PARAMS)


def test_a_learned_border_follows_the_masks(cases, votes):
    style = learn_border(cases, votes, WEIGHTS, 0.01)
    assert len(style) == N_BORDER_STYLE
    before, after = (label_cases(cases, votes, add_style(WEIGHTS, (), s), PARAMS) for s in ((), style))
    assert score(after.inter, after.union) > score(before.inter, before.union) + 0.05


def test_a_learned_score_follows_the_masks(cases):
    candidates = candidates_of(cases)
    style = learn_score(candidates, np.arange(len(cases)), WEIGHTS, PARAMS, 0.01)
    assert len(style) == N_SCORE_STYLE
    outcomes = []
    for each in ((), style):
        weights = add_style(WEIGHTS, each, ())
        outcomes.append(label_cases(cases, votes_of(cases, weights, PARAMS), weights, PARAMS))
    assert score(outcomes[1].inter, outcomes[1].union) > score(outcomes[0].inter, outcomes[0].union) + 0.005


def test_a_strong_pull_leaves_the_defaults(cases, votes):
    at = np.arange(len(cases))
    assert max(map(abs, learn_score(candidates_of(cases), at, WEIGHTS, PARAMS, 1e6))) < 1e-3
    assert max(map(abs, learn_border(cases, votes, WEIGHTS, 1e6))) < 1e-3


def test_a_weaker_pull_goes_farther(cases, votes):
    lengths = [np.square(learn_border(cases, votes, WEIGHTS, strength)).sum() for strength in (1.0, 0.1, 0.01)]
    assert lengths[0] < lengths[1] < lengths[2]


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_the_engine_adds_the_border_style_to_the_logit(seed):
    """What `learn_border` computes in torch is what the compiled refinement does with the style."""
    style = np.random.default_rng(seed).normal(0, 0.3, N_BORDER_STYLE).astype(np.float32)
    case = cases_in(wide)[seed % len(cases_in(wide))]
    ((vote, field),) = votes_of([case], WEIGHTS, PARAMS)
    (pixels,) = inputs_of([case], [(vote, field)])
    plain, styled = (
        refine(case.window, case.regions, vote, field, add_style(WEIGHTS, (), s).refine)[pixels.rows, pixels.columns]
        for s in ((), tuple(style.tolist()))
    )
    sure = np.clip(plain.astype(float), 1e-6, 1 - 1e-6)
    logit = np.log(sure / (1 - sure)) + standardised(pixels.inputs, WEIGHTS.refine) @ style[:-1] + style[-1]
    np.testing.assert_allclose(styled, 1 / (1 + np.exp(-logit)), atol=2e-4)


def test_candidates_count_pixels_of_the_truth(cases):
    candidates = candidates_of(cases)
    for number, case in enumerate(cases[:4]):
        n_levels = case.regions.features.shape[1]
        for scale, levels in enumerate(case.regions.level_of):
            for level in (0, n_levels // 2, n_levels - 1):
                region = levels <= level
                at = scale * n_levels + level
                assert candidates.intersection[number, at] == (region & case.truth).sum()
                assert candidates.union[number, at] == (region | case.truth).sum()
