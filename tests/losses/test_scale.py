"""The scale family: strictly rising losses over the whole range of areas, and where the variance's is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointlabel import InputError
from pointlabel.losses import ScaleLoss, build_loss, scale_loss, scale_weight, soft_iou, soft_iou_loss
from tests.twins import losses as twin

N_PIXELS = 256 * 256
KINDS = ("variance", "ratio", "absolute", "signed")
STRICT = ("ratio", "absolute", "signed")
AREAS = (0.5, 1.0, 2.5, 9.0, 60.0, 1000.0, N_PIXELS - 1.0, float(N_PIXELS))


def grid(target: float) -> torch.Tensor:
    """Areas in (0, HW], dense near 0, near the target and everywhere, the target's own among them; ascending."""
    near = target * np.geomspace(1e-6, 1, 2000)
    parts = (
        np.geomspace(1e-3, N_PIXELS, 20_000),
        np.linspace(0, N_PIXELS, 50_001)[1:],
        target - near,
        target + near,
        [target],
    )
    areas = np.unique(np.concatenate(parts))
    return torch.from_numpy(areas[(areas > 0) & (areas <= N_PIXELS)])


@pytest.mark.parametrize("target", AREAS)
@pytest.mark.parametrize("kind", STRICT)
def test_the_loss_rises_strictly_on_each_side_at_fixed_iou(kind, target):
    areas = grid(target)
    weight = scale_weight(areas, torch.tensor(target, dtype=torch.float64), kind=kind)
    loss = 1 - 0.5 * weight
    below, above = areas <= target, areas >= target
    assert below.sum() > 1000
    assert (loss[below].diff() < 0).all()
    assert (loss[above].diff() > 0).all()
    assert areas[-1] == N_PIXELS
    assert weight.max() == 1
    assert areas[weight.argmax()] == target
    assert (weight > 0).all()


@pytest.mark.parametrize("target", [9.0, 60.0, 1000.0])
def test_the_variance_falls_back_beyond_twice_the_root_of_the_area(target):
    areas = grid(target)
    weight = scale_weight(areas, torch.tensor(target, dtype=torch.float64), kind="variance")
    turn = 2 * target**0.5
    for side, sign in ((areas >= target, 1), (areas <= target, -1)):
        difference, loss = (areas[side] - target).abs(), 1 - 0.5 * weight[side]
        order = difference.argsort()
        difference, steps = difference[order], loss[order].diff()
        assert difference[loss[order].argmax()] == pytest.approx(turn, rel=0.01), sign
        assert (steps[difference[1:] < 0.98 * turn] > 0).all()
        beyond = steps[difference[:-1] > 1.02 * turn]
        assert len(beyond) > 100
        assert (beyond < 0).all()
    assert weight[-1] > 0.93  # an answer that covers the image is taken for one of nearly the right size


@pytest.mark.parametrize("kind", STRICT)
def test_the_whole_loss_rises_too(kind):
    """Through logits: the same IoU, drawn with different areas."""
    areas, loss, iou = _losses_at_fixed_iou(kind)
    torch.testing.assert_close(iou, torch.full_like(iou, 0.03), rtol=1e-5, atol=0)
    assert (loss[areas <= 12].diff() < 0).all()
    assert (loss[areas >= 12].diff() > 0).all()


def test_the_whole_loss_with_the_variance_does_not():
    areas, loss, _ = _losses_at_fixed_iou("variance")
    assert (loss[areas >= 12].diff() < 0).any()
    assert loss[-1] < loss[(areas - 12 - 2 * 12**0.5).abs().argmin()]


def _losses_at_fixed_iou(kind: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Areas, losses without location, and IoUs of answers to a target of 12 of 256 px, all with IoU 0.03."""
    n_pixels, n_target, iou = 256, 12, 0.03
    areas = torch.from_numpy(np.unique([*np.linspace(0.5, 250, 1500), float(n_target)]))
    both = iou * (areas + n_target) / (1 + iou)
    target = torch.zeros(len(areas), 1, 16, 16, dtype=torch.float64)
    target[:, 0, 5:8, 5:9] = 1
    hit, miss = both / n_target, (areas - both) / (n_pixels - n_target)
    probability = torch.where(target > 0, hit[:, None, None, None], miss[:, None, None, None])
    logits = probability.logit()
    loss = scale_loss(logits, target, kind=kind, location=False, reduction="none")  # type: ignore[arg-type]
    return areas, loss, soft_iou(logits, target)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_equal_the_twin_and_stay_in_range(kind, rng):
    predicted, target = rng.uniform(0.01, 5000, (2, 200))
    found = scale_weight(torch.from_numpy(predicted), torch.from_numpy(target), kind=kind)
    expected = [twin.weight(*pair, kind) for pair in zip(predicted, target, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)  # 1e-6 px beside areas down to 0.01 px
    corners = torch.tensor([0.0, 1e-9, 1.0, N_PIXELS])
    every = scale_weight(corners[:, None], corners[None, :], kind=kind)
    assert (every > 0).all()
    assert (every <= 1).all()
    assert (every.diagonal() == 1).all()


def test_how_the_kinds_differ():
    predicted, target = torch.tensor([5.0, 40.0]), torch.tensor(20.0)
    low, high = {}, {}
    for kind in KINDS:
        low[kind], high[kind] = scale_weight(predicted, target, kind=kind).tolist()  # type: ignore[arg-type]
    assert low["ratio"] == pytest.approx(1 / 4)
    assert high["ratio"] == pytest.approx(1 / 2)
    assert low["absolute"] == pytest.approx(20 / 35)
    assert high["absolute"] == pytest.approx(40 / 60)
    assert low["signed"] == low["ratio"]
    assert high["signed"] == high["absolute"]
    far = torch.tensor([1e-3, 1e7])
    assert scale_weight(far, target, kind="absolute").tolist() == pytest.approx([0.5, 0.5], rel=1e-4)


def test_all_begin_alike():
    target = torch.tensor(50.0, dtype=torch.float64)
    for difference in (-0.01, 0.01):
        for kind in KINDS:
            weight = scale_weight(target + difference, target, kind=kind)  # type: ignore[arg-type]
            assert (1 - weight).item() == pytest.approx(0.01 / 50, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_warm_up_is_soft_iou(kind, rng):
    logits = torch.from_numpy(rng.normal(0, 1, (3, 9, 9)))
    target = torch.from_numpy(rng.random((3, 9, 9)) > 0.7)
    loss = ScaleLoss(kind=kind, warm_up_epochs=7, reduction="none")
    plain = soft_iou_loss(logits, target, smooth=1e-6, reduction="none")
    assert torch.equal(loss(logits, target, epoch=0), plain)
    assert torch.equal(loss(logits, target, epoch=7), plain)
    after = loss(logits, target, epoch=8)
    assert (after > plain).all()
    assert torch.equal(after, loss(logits, target))
    assert torch.equal(ScaleLoss()(logits, target), scale_loss(logits, target))


def test_the_warm_up_lasts_six_epochs_and_the_reward_starts_after_eleven():
    """As published, where epochs count from 0 and both tests are for more than 5 and more than 10."""
    loss, reem = build_loss("sls"), build_loss("reem")
    logits, target = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
    target[0, 2:5, 2:5] = 1
    plain = loss(logits, target, epoch=0)
    assert [epoch for epoch in range(1, 13) if loss(logits, target, epoch=epoch) == plain] == [1, 2, 3, 4, 5, 6]
    same = [epoch for epoch in range(1, 13) if reem(logits, target, image=target, epoch=epoch) == loss(logits, target)]
    assert same == [7, 8, 9, 10, 11]


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match=r"^kind must be one of variance, ratio, absolute, signed, got 'log'$"):
        scale_weight(torch.ones(1), torch.ones(1), kind="log")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^smooth must be at least 1e-08, got 0.0$"):
        scale_weight(torch.ones(1), torch.ones(1), smooth=0)
