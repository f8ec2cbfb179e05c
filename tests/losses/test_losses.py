"""What holds for every loss: published values, twins, shapes, gradients, half precision, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pointlabel import InputError
from pointlabel.losses import (
    LOSSES,
    LocationLoss,
    Loss,
    build_loss,
    dice_loss,
    edge_bce_loss,
    focal_loss,
    heatmap_focal_loss,
    local_scr,
    location_loss,
    reem_loss,
    scale_loss,
    scr_weight,
    soft_iou,
    soft_iou_loss,
)
from tests.twins import losses as twin

FIXTURES = Path(__file__).parent.parent / "data" / "loss_fixtures.npz"
EVERY = (*LOSSES, "location", "centroid")
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def make(name: str, reduction: str = "none") -> Loss:
    """A loss by name; the location loss alone has none, being only a part of others."""
    if name in ("location", "centroid"):
        return LocationLoss(centroid=name == "centroid", reduction=reduction)  # type: ignore[arg-type]
    return build_loss(name, reduction=reduction)


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    with np.load(FIXTURES) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file}


@pytest.fixture
def batch(rng: np.random.Generator) -> Batch:
    """Logits, targets and images of five samples of 20 x 26 px in float64; one target is soft, the last is empty."""
    logits = rng.normal(-2, 2, (5, 1, 20, 26))
    target = np.zeros((5, 1, 20, 26))
    target[0, 0, 4:8, 5:9] = target[1, 0, 0:3, 20:26] = target[2, 0, 12, 12] = 1
    target[3, 0, 8:14, 2:9] = rng.random((6, 7))
    logits += 5 * (target > 0.5)
    image = rng.random((5, 3, 20, 26)) + 0.3 * target
    return torch.from_numpy(logits), torch.from_numpy(target), torch.from_numpy(image)


def test_published_values(published):
    logits, target, image = published["logits"], published["target"], published["image"]
    pairs = {
        "sls_warm": scale_loss(logits, target, epoch=5, warm_up_epochs=5),
        "sls_after": scale_loss(logits, target, epoch=6, warm_up_epochs=5),
        "sls_noloc": scale_loss(logits, target, location=False),
        "location_loss": location_loss(logits, target),
        "soft_iou": soft_iou(logits, target),
        "scr": local_scr(image, target),
        "scr_weight": scr_weight(local_scr(image, target)),
        "reem_lambda1": reem_loss(logits, target, image, epoch=50, warm_up_epochs=5),
        "reem_lambda1_before_start": reem_loss(logits, target, image, epoch=8, warm_up_epochs=5),
    }
    assert set(pairs) == set(published) - {"logits", "target", "image"}
    for name, value in pairs.items():
        np.testing.assert_allclose(value, published[name], rtol=0, atol=1e-5, err_msg=name)


Twin = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], float]
TWINS: dict[str, Twin] = {
    "soft-iou": lambda p, t, image: 1 - twin.soft_iou(p, t, 1.0),
    "dice": lambda p, t, image: 1 - twin.dice(p, t, 1.0),
    "focal": lambda p, t, image: twin.focal(p, t, 0.25, 2.0),
    "edge-bce": lambda p, t, image: twin.edge_bce(p, t, 4.0, 0.5),
    "heatmap-focal": lambda p, t, image: twin.heatmap_focal(p, t, 2.0, 4.0),
    "location": lambda p, t, image: twin.location(p, t),
    "centroid": lambda p, t, image: twin.location(p, t, centroid=True),
    "sls": lambda p, t, image: twin.scale(p, t, "variance"),
    "ratio": lambda p, t, image: twin.scale(p, t, "ratio"),
    "diff": lambda p, t, image: twin.scale(p, t, "absolute"),
    "signed": lambda p, t, image: twin.scale(p, t, "signed"),
    "reem": lambda p, t, image: twin.reem(p, t, image.mean(0)),
}


@pytest.mark.parametrize("name", EVERY)
def test_each_sample_equals_the_slow_twin(name, batch):
    logits, target, image = batch
    found = make(name)(logits, target, image=image)
    parts = zip(logits[:, 0].sigmoid().numpy(), target[:, 0].numpy(), image.numpy(), strict=True)
    np.testing.assert_allclose(found.numpy(), [TWINS[name](*part) for part in parts], rtol=2e-6)


@pytest.mark.parametrize(
    ("name", "options", "function"),
    [
        ("soft-iou", {"smooth": 0.5}, soft_iou_loss),
        ("dice", {"smooth": 0.5}, dice_loss),
        ("focal", {"alpha": 0.7, "gamma": 0.5}, focal_loss),
        ("edge-bce", {"edge_weight": 2.0, "easy_share": 0.3}, edge_bce_loss),
        ("heatmap-focal", {"gamma": 1.0, "leniency": 2.0}, heatmap_focal_loss),
        ("sls", {"location": False, "smooth": 0.1}, scale_loss),
        ("ratio", {"warm_up_epochs": 90}, lambda *args, **options: scale_loss(*args, kind="ratio", **options)),
        ("diff", {"smooth": 3.0}, lambda *args, **options: scale_loss(*args, kind="absolute", **options)),
        ("signed", {"location": False}, lambda *args, **options: scale_loss(*args, kind="signed", **options)),
    ],
)
def test_a_module_is_its_function(name, options, function, batch):
    logits, target, _ = batch
    assert torch.equal(build_loss(name, **options)(logits, target), function(logits, target, **options))
    assert all(f"{key}={value!r}" in repr(build_loss(name, **options)) for key, value in options.items())


def test_the_modules_of_location_and_reem_are_their_functions(batch):
    logits, target, image = batch
    assert torch.equal(LocationLoss()(logits, target), location_loss(logits, target))
    options: dict[str, Any] = {
        "reward_weight": 0.8,
        "kind": "signed",
        "location": False,
        "smooth": 0.1,
        "reward_delay_epochs": 2,
    }
    found = build_loss("reem", **options)(logits, target, image=image, epoch=8)
    assert torch.equal(found, reem_loss(logits, target, image, epoch=8, **options))


@pytest.mark.parametrize("name", EVERY)
def test_shapes_and_reductions(name, batch):
    logits, target, image = batch
    each = make(name)(logits, target, image=image)
    assert each.shape == (5,)
    assert make(name, "mean")(logits, target, image=image).item() == pytest.approx(each.mean().item())
    flat = make(name)(logits[:, 0], target[:, 0], image=image[:, 0])
    assert torch.equal(flat, make(name)(logits, target, image=image[:, :1]))
    order = torch.tensor([2, 0, 4, 3, 1])
    torch.testing.assert_close(make(name)(logits[order], target[order], image=image[order]), each[order])
    assert make(name)(logits.float(), target, image=image).dtype == torch.float32


@pytest.mark.parametrize("name", EVERY)
def test_bool_and_numbers_are_the_same_target(name, batch):
    logits, target, image = batch
    mask = target > 0.5
    expected = make(name)(logits, mask, image=image)
    for dtype in (torch.float32, torch.uint8, torch.float16):
        assert torch.equal(make(name)(logits, mask.to(dtype), image=image), expected)


@pytest.mark.parametrize("name", EVERY)
def test_arguments_stay_as_they_are(name, batch):
    copies = [values.clone() for values in batch]
    make(name)(batch[0], batch[1], image=batch[2])
    assert all(torch.equal(*pair) for pair in zip(batch, copies, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_everything_stays_on_the_device_of_the_arguments(name, batch):
    """Tensors without values take part in no operation with others, and whoever looked at a value would fail."""
    logits, target, image = (values.to("meta") for values in batch)
    result = make(name)(logits.requires_grad_(), target, image=image)
    result.sum().backward()
    assert result.device.type == "meta"
    assert logits.grad is not None


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"reem"}))
def test_a_list_of_maps_counts_each_alike(name, batch):
    logits, target, image = batch
    maps = [logits, -logits, logits / 2]
    expected = sum(make(name)(each, target, image=image) for each in maps) / 3
    torch.testing.assert_close(make(name)(maps, target, image=image), expected)
    torch.testing.assert_close(make(name, "mean")(tuple(maps), target, image=image), expected.mean())
    assert torch.equal(make(name)([logits], target, image=image), make(name)(logits, target, image=image))


def test_smaller_maps_are_compared_with_labels_of_their_size(batch, rng):
    logits, target, image = (values[..., :19, :] for values in batch)
    heads = [
        torch.from_numpy(rng.normal(-1, 2, (5, 1, rows, columns))) for rows, columns in ((19, 26), (10, 13), (5, 7))
    ]
    found = build_loss("sls", reduction="none")([logits, *heads], target, image=image)
    expected = [
        twin.deep(merged, [head[k, 0].sigmoid().numpy() for head in heads], target[k, 0].numpy(), "variance")
        for k, merged in enumerate(logits[:, 0].sigmoid().numpy())
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-6)
    mask = target > 0.5
    for dtype in (torch.bool, torch.uint8, torch.float32):
        assert torch.equal(
            build_loss("sls")([logits, *heads], mask.to(dtype)), build_loss("sls")([logits, *heads], mask.double())
        )


def test_maps_of_no_fitting_size_are_refused(batch):
    logits, target, _ = batch
    with pytest.raises(InputError, match=r"^target must have the logits' shape \(5, 1, 7, 26\), got \(5, 1, 20, 26\)$"):
        build_loss("sls")([logits, logits[..., :7, :]], target)


def test_only_the_map_of_the_evaluation_is_rewarded(batch, rng):
    """REEM as published: the heads have MSHNet's loss."""
    logits, target, image = batch
    side, small = -logits, torch.from_numpy(rng.normal(0, 1, (5, 1, 10, 13)))
    found = build_loss("reem", reduction="none")([logits, side, small], target, image=image)
    plain = build_loss("sls", reduction="none")([logits, side, small], target)
    reward = scale_loss(logits, target, reduction="none") - reem_loss(logits, target, image, reduction="none")
    assert (reward > 0).any()
    torch.testing.assert_close(plain - found, reward / 3)


@pytest.mark.parametrize("epoch", [0, None])
@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_those_of_the_function(name, epoch, batch):
    logits, target, image = (values[:, :, 3:10, 4:12] for values in batch)
    loss = make(name)
    logits = logits.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target, image=image, epoch=epoch), (logits,))


SIZE = (2, 1, 48, 64)
TARGETS = {
    "empty": torch.zeros(SIZE),
    "full": torch.ones(SIZE),
    "one pixel": torch.zeros(SIZE).index_put_(
        (torch.arange(2), torch.tensor(0), torch.tensor(5), torch.tensor(7)), torch.ones(2)
    ),
    "soft": torch.linspace(0, 1, 2 * 48 * 64).reshape(SIZE),
}
ANSWERS = {
    "nothing": torch.full(SIZE, -30.0),
    "everything": torch.full(SIZE, 30.0),
    "undecided": torch.zeros(SIZE),
    "largest": torch.tensor([6e4, -6e4]).reshape(2, 1, 1, 1).expand(SIZE),
    "overflown": torch.tensor([torch.inf, -torch.inf]).reshape(2, 1, 1, 1).expand(SIZE),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_no_nan_for_empty_and_full_in_any_precision(name, dtype):
    loss = make(name)
    image = torch.rand(SIZE, generator=torch.Generator().manual_seed(1))
    for kind, target in TARGETS.items():
        for answer, values in ANSWERS.items():
            logits = values.to(dtype).clone().requires_grad_()
            result = loss(logits, target.to(dtype), image=image.to(dtype))
            result.sum().backward()
            what = f"{name}, {kind} target, {answer}"
            assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
            assert logits.grad is not None
            assert logits.grad.dtype == dtype
            assert logits.grad.isfinite().all(), what
            assert not result.isnan().any(), what
            assert result.isfinite().all() or answer == "overflown", what


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_costs_no_accuracy_inside(name, rng):
    """The same rounded logits, once as they are and once in float32: nothing inside is done in half precision."""
    logits = torch.from_numpy(rng.normal(0, 3, (3, 1, 128, 128)))
    target = torch.from_numpy(rng.random((3, 1, 128, 128)) > 0.9)
    image = torch.from_numpy(rng.random((3, 1, 128, 128))).half()
    for dtype in (torch.float16, torch.bfloat16):
        half = logits.to(dtype)
        expected = make(name)(half.float(), target, image=image)
        assert torch.equal(make(name)(half, target, image=image), expected)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(make(name)(half, target, image=image), expected)


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"reem", "centroid"}))
def test_right_answers_cost_next_to_nothing(name, batch):
    target = (batch[1] > 0.5).double()
    loss = make(name)
    right, wrong = loss(60 * target - 30, target), loss(30 - 60 * target, target)
    assert (right < 2e-4).all()  # what the location loss adds to its denominators is left
    assert (right >= 0).all()
    assert (wrong > 0.5).all()
    assert (right < loss(6 * target - 3, target)).all()


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"centroid", "edge-bce"}))
def test_a_sample_without_target_asks_for_an_empty_answer(name):
    logits = torch.linspace(-3, 3, 16 * 16).reshape(1, 1, 16, 16).requires_grad_()
    nothing = torch.zeros(1, 1, 16, 16)
    make(name)(logits, nothing, image=nothing).sum().backward()
    assert logits.grad is not None
    # Its length carries this for the location loss and the scale family, and the first pixel has none.
    assert (logits.grad.flatten()[1:] > 0).all()
    assert make(name)(nothing - 40, nothing, image=nothing).item() < 1e-3


def test_the_easier_half_of_the_pixels_is_left_alone():
    logits = torch.linspace(-3, 3, 16 * 16).reshape(1, 1, 16, 16).requires_grad_()
    build_loss("edge-bce")(logits, torch.zeros(1, 1, 16, 16)).backward()
    assert logits.grad is not None
    assert (logits.grad.flatten() > 0).tolist() == [False] * 128 + [True] * 128


X = torch.zeros(2, 1, 8, 8)


@pytest.mark.parametrize("name", ["soft-iou", "focal", "location", "reem"])
@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        (X[0, 0], X[0, 0], r"^logits must have shape \(B, 1, H, W\) or \(B, H, W\), none of them 0, got \(8, 8\)$"),
        (X.expand(2, 3, 8, 8), X.expand(2, 3, 8, 8), r"^logits must have shape .*, got \(2, 3, 8, 8\)$"),
        (X[:0], X[:0], r"^logits must have shape .* got \(0, 1, 8, 8\)$"),
        (X, X[:, 0], r"^target must have the logits' shape \(2, 1, 8, 8\), got \(2, 8, 8\)$"),
        (X.int(), X, r"^logits must be floating point, got torch.int32$"),
        (X, X + 255, r"^target must lie in \[0, 1\], got values from 255 to 255$"),
        (X, X - 0.5, r"^target must lie in \[0, 1\], got values from -0.5 to -0.5$"),
        (X, X * torch.nan, r"^target must lie in \[0, 1\], got values from nan to nan$"),
        (X, X.to(torch.complex64), r"^target must hold real numbers, got torch.complex64$"),
        ([], X, r"^logits must hold at least one map, got an empty sequence$"),
    ],
)
def test_bad_input_is_named(name, logits, target, message):
    with pytest.raises(InputError, match=message):
        make(name)(logits, target, image=X)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("soft-iou", {"smooth": 0.0}, r"^smooth must be at least 1e-08, got 0.0$"),
        ("dice", {"smooth": -1.0}, r"^smooth must be at least 1e-08, got -1.0$"),
        ("dice", {"smooth": float("nan")}, r"^option smooth of loss dice must be a finite number, got nan$"),
        ("focal", {"alpha": 1.5}, r"^alpha must lie in \[0, 1\], got 1.5$"),
        ("focal", {"gamma": -1}, r"^gamma must be at least 0, got -1.0$"),
        ("sls", {"warm_up_epochs": -1}, r"^warm_up_epochs must be at least 0, got -1$"),
        ("reem", {"reward_weight": -0.1}, r"^reward_weight must be at least 0, got -0.1$"),
        ("reem", {"reward_delay_epochs": -5}, r"^reward_delay_epochs must be at least 0, got -5$"),
        ("reem", {"kind": "square"}, r"^kind must be one of variance, ratio, absolute, signed, got 'square'$"),
        ("edge-bce", {"easy_share": 1.0}, r"^easy_share must lie in \[0, 1\), got 1.0$"),
        ("heatmap-focal", {"leniency": -1}, r"^leniency must be at least 0, got -1.0$"),
        ("focal", {"reduction": "sum"}, r"^reduction must be none or mean, got 'sum'$"),
    ],
)
def test_a_bad_option_is_named_when_the_loss_is_made(name, options, message):
    with pytest.raises(InputError, match=message):
        build_loss(name, **options)


def test_functions_check_their_options_too():
    with pytest.raises(InputError, match=r"^alpha must lie in"):
        focal_loss(X, X, alpha=2)
    with pytest.raises(InputError, match=r"^kind must be one of"):
        scale_loss(X, X, kind="area")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^reduction must be none or mean, got 'sum'"):
        dice_loss(X, X, reduction="sum")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^reward_weight must be at least 0"):
        reem_loss(X, X, X, reward_weight=-1)
