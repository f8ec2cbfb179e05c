"""The choice of a style: planted ones are found, nothing is changed where nothing is better."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.calibration import Style, calibrate, choose
from pointlabel.calibration.choose import N_FOLDS, _Workshop
from pointlabel.calibration.styles import OPTIONS, Option
from pointlabel.calibration.targets import label_cases, votes_of
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.weights import load_weights
from pointlabel.errors import InputError
from tests.calibration.drawn import cases_in, narrow, own, wide

pytestmark = pytest.mark.slow

FEW = (OPTIONS[0], Option("border learned at 0.1", border_strength=0.1), Option("wide", Style(border_px=1.0)))


def mean_iou(cases, style):
    votes = votes_of(cases, load_weights(), DefaultParams())
    return label_cases(cases, votes, load_weights(), style.params(DefaultParams()), style.tightness).iou.mean()


@pytest.mark.parametrize(("draw", "border_px"), [(wide, 1.0), (narrow, -1.0)], ids=["wide", "narrow"])
def test_a_planted_style_is_found_and_holds_on_other_scenes(draw, border_px):
    found = calibrate(cases_in(draw))
    assert found.worth_using
    assert found.style.border_px == border_px
    assert found.option == found.best == f"border moved by {border_px:+g} px"
    assert min(np.subtract(found.after, found.before)) > 0.1
    assert found.interval[0] > 0.05
    assert found.interval[0] <= found.gain <= found.interval[1]
    assert abs(np.log(found.size_after)) < 0.1 < abs(np.log(found.size_before))
    others = cases_in(draw, first=100, n_images=4)
    assert mean_iou(others, found.style) > mean_iou(others, Style()) + 0.1


def test_where_nothing_is_to_be_learned_the_defaults_stay():
    found = calibrate(cases_in(own))
    assert not found.worth_using
    assert found.style == Style()
    assert found.option == "the defaults" != found.best
    assert found.before == found.after == found.tried["the defaults"]
    assert found.before[0] > 0.99
    assert (found.gain, found.interval) == (0.0, (0.0, 0.0))


def test_a_style_of_half_the_images_is_not_sure_enough():
    mixed = [*cases_in(wide, 4), *cases_in(own, 4, first=4)]
    found = calibrate(mixed, options=(OPTIONS[0], Option("wide", Style(border_px=1.0), least_gain=-1.0)))
    assert found.best == "wide"
    assert found.confidence < 0.9
    assert not found.worth_using


def test_a_style_that_hurts_a_quarter_is_taken_only_where_it_wins_clearly_elsewhere():
    mixed = [*cases_in(wide, 8), *cases_in(own, 3, first=8)]
    options = (OPTIONS[0], Option("wide", Style(border_px=1.0), least_gain=-1.0))
    found = calibrate(mixed, options=options)
    assert found.confidence >= 0.9
    assert found.unhurt < 0.8
    assert found.median_gain >= 0.1
    assert found.worth_using
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "CLEAR", 2 * found.median_gain)
        assert not calibrate(mixed, options=options).worth_using


def test_the_same_masks_give_the_same_style():
    cases = cases_in(wide, 6)
    assert calibrate(cases, options=FEW) == calibrate(cases, options=FEW)


def test_a_style_is_judged_on_images_it_was_not_learned_from(monkeypatch):
    cases = cases_in(wide, 7)
    learned, judged = [], []
    find, judge = _Workshop.find, _Workshop.judge

    def spy_find(self, option, at):
        learned.append({cases[k].image for k in at})
        return find(self, option, at)

    def spy_judge(self, style, at):
        judged.append({cases[k].image for k in at})
        return judge(self, style, at)

    monkeypatch.setattr(_Workshop, "find", spy_find)
    monkeypatch.setattr(_Workshop, "judge", spy_judge)
    calibrate(cases, options=FEW[:2])
    images = {case.image for case in cases}
    assert len(judged) == 2 * N_FOLDS
    for one, other in zip(learned, judged, strict=False):  # the last one is learned from all, and not judged
        assert one == images - other
    assert learned[-1] == images
    assert set.union(*judged[:N_FOLDS]) == images


def test_free_styles_wait_for_more_images_and_progress_is_told():
    told = []
    options = (*FEW, Option("free", border_strength=1e-3, least_images=7))
    few = calibrate(cases_in(own, 6), options=options, report=lambda *now: told.append(now))
    assert "free" not in few.tried
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert "free" in calibrate(cases_in(own, 7), options=options).tried


def test_one_image_is_refused():
    with pytest.raises(InputError, match="masks with targets in at least 2 images, got 1"):
        calibrate(cases_in(own, 1))
