"""When the mask of a larger window is taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pointlabel import annotate, get_method
from pointlabel.engine.default.larger import is_believed, needs_larger


@dataclass(frozen=True)
class Seen:
    found: bool = True
    touches: bool = False
    contrast: float = 20.0
    stability: float = 1.95
    best_score: float = 2.0
    area_px: int = 900


SPECK = Seen(contrast=4.0, area_px=12)


def test_a_large_clear_stable_target_is_believed():
    assert is_believed(Seen(), SPECK)


@pytest.mark.parametrize(
    "change",
    [
        {"found": False},
        {"touches": True},
        {"contrast": 7.9},
        {"stability": 1.8},
        {"best_score": -5.0},
        {"area_px": 199},
    ],
)
def test_each_doubt_keeps_the_first_mask(change: dict[str, Any]) -> None:
    assert not is_believed(replace(Seen(), **change), SPECK)


def test_a_coarser_view_of_the_first_mask_is_not_taken():
    assert not is_believed(Seen(area_px=900), replace(SPECK, area_px=600))


@pytest.mark.parametrize(
    ("first", "needed"),
    [(Seen(), False), (Seen(contrast=14.9), True), (Seen(found=False), True), (Seen(touches=True), True)],
)
def test_a_target_that_stands_out_needs_no_larger_window(first: Seen, needed: bool) -> None:
    assert needs_larger(first) == needed


def test_a_spot_on_a_cloud_keeps_its_mask(rng):
    rows, columns = np.indices((200, 200))
    squared = (rows - 100) ** 2 + (columns - 100) ** 2
    image = (
        60 + 60 * np.exp(-squared / (2 * 25**2)) + 25 * np.exp(-squared / (2 * 1.5**2)) + rng.normal(0, 1, rows.shape)
    )
    without, within = (
        annotate(image, [[100, 100]], params=get_method("default").params(enlarge=enlarge)).mask()
        for enlarge in (False, True)
    )
    assert 4 <= without.sum() <= 40
    np.testing.assert_array_equal(within, without)
