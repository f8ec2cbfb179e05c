"""Where the location loss wants an answer to lie: displaced as published, on the target where places are centroids."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pointlabel.losses import location_loss, scale_loss

SIZE, TARGET_PX = 128, 2.5
#: How far answers are moved down and to the right, pixels.
SHIFTS = [step / 10 for step in range(-20, 21)]
PUBLISHED: dict[str, Any] = {}
MENDED, WITHOUT = {"centroid": True}, {"location": False}


def distance(shift: float) -> torch.Tensor:
    """From the middle of the crop moved by `shift` down and to the right, (SIZE, SIZE) float64."""
    places = torch.arange(SIZE, dtype=torch.float64) - SIZE // 2 - shift
    return (places[:, None].square() + places.square()).sqrt()


def losses(radius: float, options: dict[str, Any], flip: bool = False) -> torch.Tensor:
    """Loss of a disc of this radius at each shift, against a disc of `TARGET_PX` in the middle."""
    target = (distance(0) < TARGET_PX).double().expand(len(SHIFTS), 1, SIZE, SIZE)
    logits = torch.stack([2 * (radius - distance(shift)) for shift in SHIFTS])[:, None].clamp(-20, 20)
    if flip:
        logits, target = logits.flip(-2, -1), target.flip(-2, -1)
    return scale_loss(logits, target, reduction="none", **options)


def pull(*arguments: Any) -> float:
    """How much more an answer costs half a pixel down and right than half a pixel up and left."""
    found = losses(*arguments)
    return float(found[SHIFTS.index(0.5)] - found[SHIFTS.index(-0.5)])


def best_shift(radius: float, options: dict[str, Any]) -> float:
    return SHIFTS[int(losses(radius, options).argmin())]


def test_as_published_too_wide_an_answer_is_drawn_to_the_first_pixel_and_too_narrow_a_one_away_from_it():
    assert best_shift(4.5, PUBLISHED) <= -0.3
    assert pull(4.5, PUBLISHED) > 4e-3
    assert pull(3.5, PUBLISHED) > 4e-3
    assert pull(2.0, PUBLISHED) < -4e-3


def test_the_pull_turns_with_the_image():
    assert pull(4.5, PUBLISHED, True) < -4e-3


@pytest.mark.parametrize("radius", [2.0, 3.5, 4.5])
@pytest.mark.parametrize("options", [MENDED, WITHOUT], ids=["centroid", "without location"])
def test_centroids_leave_an_answer_where_it_is(radius, options):
    assert best_shift(radius, options) == 0
    assert abs(pull(radius, options)) < 1e-4


def test_centroids_see_where_an_answer_lies_and_not_how_large_it_is():
    target = (distance(0) < TARGET_PX).double()[None]
    moved = torch.stack([20 * (4.5 - distance(shift)) for shift in (0, 1, 2)])
    found = location_loss(moved, target.expand(3, -1, -1), centroid=True, reduction="none")
    assert found[0] < 1e-6
    # Along the diagonal the length alone changes: by one of 64 pixels each.
    assert found[1:].tolist() == pytest.approx([1 - 64 / 65, 1 - 64 / 66], rel=1e-4)


def test_where_there_is_no_target_there_is_no_centroid():
    logits = torch.linspace(-3, 3, 256).reshape(1, 16, 16).requires_grad_()
    found = location_loss(logits, torch.zeros(1, 16, 16), centroid=True)
    found.backward()
    assert found == 0
    assert logits.grad is not None
    assert not logits.grad.any()
