"""The choice of a style: planted ones are found, nothing is changed where nothing is better."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.calibration import Style, calibrate, choose
from pointlabel.calibration.choose import N_FOLDS
from pointlabel.calibration.styles import OPTIONS, Option
from pointlabel.calibration.targets import label_cases
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.style import fold_style, load_styles
from pointlabel.engine.default.weights import load_weights
from pointlabel.errors import InputError
from tests.calibration.drawn import cases_in, narrow, own, wide

WIDE = Option("wide", border_px=1.0)


def mean_iou(cases, style):
    weights = fold_style(load_weights(), load_styles(), style.numbers)
    return label_cases(cases, weights, style.params(DefaultParams())).iou.mean()


@pytest.mark.slow
@pytest.mark.parametrize("draw", [wide, narrow], ids=["wide", "narrow"])
def test_a_planted_style_is_found_and_holds_on_other_scenes(draw):
    found = calibrate(cases_in(draw))
    assert found.worth_using
    assert found.judged
    assert found.option == found.best
    assert min(np.subtract(found.after, found.before)) > 0.1
    assert 0.03 < found.interval[0] <= found.gain <= found.interval[1]
    assert abs(np.log(found.size_after)) < abs(np.log(found.size_before))
    others = cases_in(draw, first=100, n_images=4)
    assert mean_iou(others, found.style) > mean_iou(others, Style()) + 0.1


def test_where_nothing_is_to_be_learned_the_default_stays():
    found = calibrate(cases_in(own))
    assert not found.worth_using
    assert found.style == Style()
    assert found.option == "the default style" != found.best
    assert found.before == found.after == found.tried["the default style"]
    assert found.before[0] > 0.99
    assert (found.gain, found.interval) == (0.0, (0.0, 0.0))


def test_a_gain_of_half_the_images_is_not_sure_enough():
    mixed = [*cases_in(wide, 4), *cases_in(own, 4, first=4)]
    sure, unsure = (
        calibrate(mixed, options=(OPTIONS[0], Option("wide", border_px=1.0, least_gain=-0.2, n_errors=n)))
        for n in (0.0, 10.0)
    )
    assert sure.worth_using
    assert not unsure.worth_using
    assert unsure.best == "wide"
    assert unsure.error > 10 * sure.error == 0.0


def test_the_best_that_passes_is_taken():
    options = (OPTIONS[0], WIDE, Option("too wide", border_px=2.0), Option("proud", border_px=1.0, least_gain=0.9))
    found = calibrate(cases_in(wide, 5), options=options)
    assert found.option == "wide"
    assert found.style == Style(border_px=1.0)
    assert not calibrate(cases_in(wide, 5), options=(OPTIONS[0], options[-1])).worth_using


def test_a_style_is_judged_on_images_it_was_not_fitted_to(monkeypatch):
    cases = cases_in(wide, 7)
    fitted, judged = [], []
    fit, label = choose.fit_style, choose.label_cases

    def spy_fit(some, *rest):
        fitted.append({case.image for case in some})
        return fit(some, *rest)

    def spy_label(some, *rest):
        judged.append({case.image for case in some})
        return label(some, *rest)

    monkeypatch.setattr(choose, "fit_style", spy_fit)
    monkeypatch.setattr(choose, "label_cases", spy_label)
    calibrate(cases, options=OPTIONS[:2])
    images = {case.image for case in cases}
    assert len(judged) == 1 + N_FOLDS  # the default on all of them, then the style
    for one, other in zip(fitted[:N_FOLDS], judged[1:], strict=True):
        assert one == images - other
    assert set.union(*judged[1:]) == images


def test_targets_of_one_image_judge_each_other():
    cases = [case for case in cases_in(wide, 1) if case.image == "000"]
    assert len(cases) > 1
    found = calibrate(cases)
    assert found.judged
    assert "border moved by +1 px" not in found.tried  # one image cannot say whether the others are wide as well


def test_a_single_mask_has_the_safest_style():
    found = calibrate(cases_in(wide, 1)[:1])
    assert not found.judged
    assert found.option == OPTIONS[1].name
    assert 0 < np.linalg.norm(found.style.numbers) < 1


def test_progress_is_told():
    told = []
    calibrate(cases_in(own, 2), options=(OPTIONS[0], WIDE), report=lambda *now: told.append(now))
    assert told == [(1, 2), (2, 2)]


def test_no_mask_is_refused():
    with pytest.raises(InputError, match="needs at least one mask with a target, got none"):
        calibrate([])
