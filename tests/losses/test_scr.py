"""SCR of a batch against its slow twin, against the evaluation's, and what must not matter to it; REEM's reward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointlabel import InputError
from pointlabel.evaluation.scr import local_scr as evaluation_scr
from pointlabel.losses import REEMLoss, local_scr, reem_loss, scale_loss, scr_weight, soft_iou
from tests.twins import losses as twin


def draw(rng: np.random.Generator, shape: tuple[int, int], n: int) -> tuple[NDArray, NDArray[np.bool_]]:
    """Images of noise with bright rectangles, one to three of them in each, many at the border."""
    images, masks = rng.normal(0.4, 0.1, (n, *shape)), np.zeros((n, *shape), bool)
    for mask in masks:
        for _ in range(rng.integers(1, 4)):
            corner, extent = rng.integers(-2, shape), rng.integers(1, 7, 2)
            rows, columns = (slice(max(a, 0), max(a + b, 0)) for a, b in zip(corner, extent, strict=True))
            mask[rows, columns] = True
    images[masks] += 0.25
    return images, masks


@pytest.mark.parametrize("shape", [(7, 9), (16, 16), (31, 18), (64, 48)])
def test_equal_to_the_slow_twin_and_to_the_evaluation(rng, shape):
    images, masks = draw(rng, shape, 24)
    masks[0] = False
    masks[1] = True
    masks[2] = True
    masks[2, 0, :4] = False
    images[3, rng.random(shape) < 0.2] = np.nan
    images[4, masks[4]] = np.inf
    images[5, ~masks[5]] = np.nan
    images[6] = 0.3
    images[7] = np.nan
    found = local_scr(torch.from_numpy(images), torch.from_numpy(masks))
    assert found.dtype == torch.float64
    slow = [twin.local_scr(*pair) for pair in zip(images, masks, strict=True)]
    np.testing.assert_allclose(found, slow, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        found, [evaluation_scr(*pair) for pair in zip(images, masks, strict=True)], rtol=1e-9, atol=1e-9
    )
    assert shape == (7, 9) or len(np.unique(found)) > 8
    single = local_scr(torch.from_numpy(images.astype(np.float32)), torch.from_numpy(masks))
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, slow, rtol=1e-4, atol=1e-6)


def test_scale_offset_dtype_and_flips_do_not_matter(rng):
    images, masks = draw(rng, (40, 33), 12)
    # Even extents have their centre rounded, so a flip moves the ring unless extents are odd.
    masks[:] = False
    masks[:, 10:15, 20:23] = True
    image, mask = torch.from_numpy(images), torch.from_numpy(masks)
    expected = local_scr(image, mask)
    assert (expected > 0).all()
    torch.testing.assert_close(local_scr(image * 180 + 30_000, mask), expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(local_scr((image * 180 + 30_000).float(), mask), expected.float(), rtol=1e-3, atol=0)
    torch.testing.assert_close(local_scr(-image, mask), expected)
    torch.testing.assert_close(local_scr(image.flip(1, 2), mask.flip(1, 2)), expected)
    torch.testing.assert_close(local_scr(image.mT, mask.mT), expected)
    codes = (image * 255).round().clamp(0, 255).to(torch.uint8)
    torch.testing.assert_close(local_scr(codes, mask), local_scr(codes.double(), mask).float(), rtol=1e-5, atol=0)


def test_channels_are_averaged_and_soft_targets_cut_at_one_half(rng):
    images, masks = draw(rng, (30, 30), 5)
    mask = torch.from_numpy(masks)
    colour = torch.from_numpy(images[:, None] + rng.normal(0, 0.1, (5, 3, 30, 30)))
    soft = torch.where(mask, 0.51, 0.5)
    expected = local_scr(colour.mean(1), mask)
    torch.testing.assert_close(local_scr(colour, soft[:, None]), expected)
    torch.testing.assert_close(local_scr(colour, mask[:, None]), expected)


def test_a_flat_image_has_none_whatever_its_level():
    mask = torch.zeros(2, 30, 30, dtype=torch.bool)
    mask[:, 10:14, 10:14] = True
    assert local_scr(torch.tensor([0.1, 30_000.7]).reshape(2, 1, 1).expand(2, 30, 30), mask).tolist() == [0, 0]


def test_small_targets_count_from_the_area_asked_for(rng):
    image = torch.from_numpy(rng.random((1, 30, 30)))
    mask = torch.zeros(1, 30, 30, dtype=torch.bool)
    mask[0, 15, 15:18] = True
    image[mask] = 3
    assert local_scr(image, mask).item() == 0
    assert local_scr(image, mask, min_area_px=3).item() > 4
    assert local_scr(image, torch.zeros_like(mask), min_area_px=0).item() == 0


def test_bad_shapes_are_named():
    x = torch.zeros(2, 3, 8, 8)
    message = r"^image must have shape \(B, C, H, W\).*got \(2, 3, 8, 8\) and \(2, 8, 9\)$"
    with pytest.raises(InputError, match=message):
        local_scr(x, torch.zeros(2, 8, 9))
    with pytest.raises(InputError, match=r"got \(1, 8, 8\) and \(2, 1, 8, 8\)$"):
        local_scr(x[:1, 0], torch.zeros(2, 1, 8, 8))
    with pytest.raises(InputError, match=r"got \(8, 8\) and \(8, 8\)$"):
        local_scr(x[0, 0], x[0, 0])
    with pytest.raises(InputError, match=r"^min_area_px must be at least 0, got -1$"):
        local_scr(x, x[:, 0], min_area_px=-1)


def test_the_weight_goes_from_three_to_one():
    weight = scr_weight(torch.tensor([0.0, 2.0, 12.0, torch.finfo(torch.float32).max]))
    assert weight.tolist() == pytest.approx([3, 2, 9 / 7, 1])


def test_the_reward_starts_late_and_dim_targets_earn_more(rng):
    image = torch.from_numpy(rng.normal(0, 1, (2, 1, 40, 40)))
    target = torch.zeros(2, 1, 40, 40)
    target[:, 0, 18:22, 18:22] = 1
    image[:, 0, 18:22, 18:22] += torch.tensor([1.0, 8.0])[:, None, None]
    logits = torch.from_numpy(rng.normal(-2, 1, (1, 1, 40, 40))).repeat(2, 1, 1, 1) + 4 * target
    loss = REEMLoss(reward_weight=0.5, warm_up_epochs=3, reward_delay_epochs=4, reduction="none")
    for epoch in (0, 3, 4, 7):
        plain = scale_loss(logits, target, epoch=epoch, warm_up_epochs=3, reduction="none")
        assert torch.equal(loss(logits, target, image=image, epoch=epoch), plain)
    rewarded = loss(logits, target, image=image, epoch=8)
    assert torch.equal(rewarded, loss(logits, target, image=image))
    reward = scale_loss(logits, target, reduction="none") - rewarded
    expected = 0.5 * scr_weight(local_scr(image, target)) * soft_iou(logits, target)
    torch.testing.assert_close(reward, expected)
    assert reward[0] > 1.2 * reward[1]


def test_no_gradient_flows_through_the_weight(rng):
    image = torch.from_numpy(rng.random((1, 1, 20, 20))).requires_grad_()
    target = torch.zeros(1, 1, 20, 20)
    target[0, 0, 8:12, 8:12] = 1
    logits = torch.zeros(1, 1, 20, 20, dtype=torch.float64, requires_grad=True)
    reem_loss(logits, target, image).backward()
    assert image.grad is None
    assert logits.grad is not None


def test_reem_without_its_image_says_so():
    x = torch.zeros(1, 1, 20, 20)
    with pytest.raises(InputError, match=r"^the loss reem needs image=, what the detector saw, got None$"):
        REEMLoss()(x, x)
    with pytest.raises(InputError, match=r"^the loss reem needs image="):
        REEMLoss()(x, x, epoch=0)  # at the first step, not when the reward starts
