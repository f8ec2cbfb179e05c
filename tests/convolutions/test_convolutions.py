"""The two convolutions: their kernels, what is learned, and that they go where a plain one goes."""

from __future__ import annotations

import copy
import io
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pointlabel.convolutions import GaussianConv2d, PinwheelGaussianConv2d
from pointlabel.errors import InputError

BOTH = [GaussianConv2d, PinwheelGaussianConv2d]
SETTINGS = [
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": 1, "stride": 2, "bias": False},
    {"kernel_size": 5, "padding": "same", "dilation": 2, "padding_mode": "reflect"},
    {"kernel_size": (1, 3), "padding": (0, 1), "groups": 2},
    {"kernel_size": 4, "padding": 2, "padding_mode": "circular"},
    {"kernel_size": 1},
]


def features(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5)).to(dtype)


def plain(layer: GaussianConv2d, kernel: torch.Tensor, **settings: Any) -> nn.Conv2d:
    """A plain convolution with that kernel and the bias of `layer`."""
    conv = nn.Conv2d(layer.in_channels, layer.out_channels, dtype=kernel.dtype, **settings)
    state = {"weight": kernel.detach()} | ({} if layer.bias is None else {"bias": layer.bias.detach()})
    conv.load_state_dict(state)
    return conv


def bar(size: int, degrees: float, width: float) -> torch.Tensor:
    """A bar through the centre of a square, `degrees` counter-clockwise from the direction of the columns.

    Each pixel holds the share of it that the bar covers, taken from 25 x 25 places.
    """
    fine = (np.arange(25 * size) + 0.5) / 25 - size / 2
    rows, columns = fine[:, None], fine[None, :]
    across = -rows * math.cos(math.radians(degrees)) - columns * math.sin(math.radians(degrees))
    covered = (np.abs(across) <= width / 2).reshape(size, 25, size, 25).mean(axis=(1, 3))
    return torch.from_numpy(covered).float()[None, None]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_flat_gaussian_is_the_plain_convolution(settings):
    torch.manual_seed(0)
    layer = GaussianConv2d(4, 6, **settings)
    assert layer.sigma == math.inf
    x = features(2, 4, 17, 14)
    assert torch.equal(layer(x), plain(layer, layer.weight, **settings)(x))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("layer_class", BOTH)
def test_output_is_that_of_the_shaped_kernel_and_of_the_same_size(layer_class, settings):
    torch.manual_seed(0)
    layer = layer_class(4, 6, sigma=0.8, **settings)
    x = features(2, 4, 17, 14)
    expected = plain(layer, layer.weight * layer.shape(), **settings)(x)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x[0]), expected[0])


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_the_gaussian(sigma):
    shape = GaussianConv2d(1, 1, (3, 6), sigma=sigma, dtype=torch.float64).shape()
    for i in range(3):
        for j in range(6):
            squared = (i - 1) ** 2 + (j - 2.5) ** 2
            assert float(shape[i, j].detach()) == pytest.approx(math.exp(-squared / (2 * sigma**2)), rel=1e-12)


def test_sigma_is_what_was_asked_for_and_below_zero_the_gaussian_is_flat():
    layer = GaussianConv2d(2, 2, 3, sigma=1.7)
    assert float(layer.sigma) == pytest.approx(1.7)
    with torch.no_grad():
        layer.inverse_variance.fill_(-0.3)
    assert torch.equal(layer.shape(), torch.ones(3, 3))
    assert layer.sigma == math.inf
    layer.shape().sum().backward()
    assert layer.inverse_variance.grad is not None
    assert layer.inverse_variance.grad < 0, "more of it would shrink the sum: it can come back"


@pytest.mark.parametrize("value", [-0.2, 0.0, 0.7])
def test_gradient_of_the_gaussian(value):
    """Against differences of the formula without the bound at 0."""
    layer = GaussianConv2d(2, 3, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.inverse_variance.fill_(value)
    x = features(1, 2, 9, 9, dtype=torch.float64)
    layer(x).square().sum().backward()
    squared = torch.arange(-2.0, 3.0, dtype=torch.float64).square()
    squared = squared[:, None] + squared

    def loss(inverse_variance):
        kernel = layer.weight * torch.exp(-inverse_variance * squared / 2)
        return nn.functional.conv2d(x, kernel, layer.bias).square().sum()

    learned = torch.tensor(max(value, 0.0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, learned)
    (expected,) = torch.autograd.grad(loss(learned), learned)
    torch.testing.assert_close(layer.inverse_variance.grad, expected)


def test_gradients_can_be_differentiated_again():
    layer = PinwheelGaussianConv2d(1, 1, 5, sigma=1.0)
    with torch.no_grad():
        layer.weight.fill_(0.2)
    loss = layer(features(1, 1, 9, 9)).square().sum()
    own = [layer.inverse_variance, layer.angle]
    first = torch.autograd.grad(loss, own, create_graph=True)
    second = torch.autograd.grad(first[0] + first[1], own)
    assert all(gradient != 0 for gradient in (*first, *second))


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 11])
def test_four_blades(size):
    """Each tap against the blade nearest to it, place by place."""
    for degrees in (0.0, 11.25, 30.0, 68.0):
        mask = PinwheelGaussianConv2d(1, 1, size, angle=math.radians(degrees)).mask()
        assert set(mask.unique().tolist()) <= {0.0, 1.0}
        assert torch.equal(mask, mask.rot90()), "a quarter turn of the mask changes nothing"
        for i in range(size):
            for j in range(size):
                up, right = (size - 1) / 2 - i, j - (size - 1) / 2
                off = math.atan2(up, right) - math.radians(degrees)
                across = math.hypot(up, right) * min(abs(math.sin(off)), abs(math.cos(off)))
                middle = max(abs(up), abs(right)) <= 0.5
                assert bool(mask[i, j]) == (middle or across <= 0.15 * size), (i, j)


def test_a_small_kernel_is_its_axes_or_its_diagonals():
    axes = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])
    diagonals = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    assert torch.equal(PinwheelGaussianConv2d(1, 1, 3).mask(), axes)
    for degrees in (-26, -10, 0, 26):
        assert torch.equal(PinwheelGaussianConv2d(1, 1, 3, angle=math.radians(degrees)).mask(), axes)
    for degrees in (27, 45, 63):
        assert torch.equal(PinwheelGaussianConv2d(1, 1, 3, angle=math.radians(degrees)).mask(), diagonals)


@pytest.mark.parametrize("size", [7, 9, 13])
def test_the_response_to_a_bar_peaks_at_its_angle(size):
    """Whether the mask turns over a bar or the bar under a mask; a mask that turned the other way would be 45 off.

    Small kernels have few masks, so equal responses fill a range of angles: its middle counts.
    """
    turns = np.arange(0, 90, 2.0)
    bars = torch.cat([bar(size, degrees, width=size / 3) for degrees in turns])
    layer = PinwheelGaussianConv2d(1, 1, size, bias=False)
    responses = np.empty((len(turns), len(turns)))  # mask, bar
    with torch.no_grad():
        layer.weight.fill_(1)
        for row, turn in zip(responses, turns, strict=True):
            layer.angle.fill_(math.radians(turn))
            row[:] = layer(bars).flatten().numpy()
    for table in (responses, responses.T):
        for degrees, row in zip(turns, table, strict=True):
            best = turns[np.isclose(row, row.max())]
            assert abs(((best - degrees + 45) % 90 - 45).mean()) <= 12, (degrees, best)
            assert row.max() > 1.2 * row.min()


@pytest.mark.parametrize("degrees", [10, 40, 75])
@pytest.mark.parametrize("start", [-30, -15, 15, 30])
def test_the_angle_turns_towards_a_bar(degrees, start):
    """By the straight-through estimator: the mask itself has no slope."""
    layer = PinwheelGaussianConv2d(1, 1, 7, bias=False, angle=math.radians(degrees + start))
    nn.init.ones_(layer.weight)
    x = bar(7, degrees, width=2)
    optimiser = torch.optim.SGD([layer.angle], lr=0.01)
    for _ in range(200):
        optimiser.zero_grad()
        (-layer(x)).sum().backward()
        optimiser.step()
    assert math.degrees(float(layer.angle.detach())) == pytest.approx(degrees, abs=5)


@pytest.mark.parametrize("layer_class", BOTH)
def test_no_parameters_but_one_sigma_and_one_angle(layer_class):
    layer = layer_class(16, 32, 7)
    own = dict(layer.named_parameters())
    names = {"weight", "bias", "inverse_variance"} | ({"angle"} if layer_class is PinwheelGaussianConv2d else set())
    assert own.keys() == names
    assert layer.state_dict().keys() == names
    assert all(own[name].numel() == 1 for name in names - {"weight", "bias"})


@pytest.mark.parametrize("layer_class", BOTH)
def test_gradients_reach_everything_from_the_start(layer_class):
    torch.manual_seed(1)
    layer = layer_class(3, 4, 3, padding=1)
    layer(features(2, 3, 8, 8)).square().mean().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("layer_class", BOTH)
def test_copies(layer_class):
    layer = layer_class(3, 4, 3, sigma=1.3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1)
    x = features(1, 3, 8, 8)
    other = layer_class(3, 4, 3)
    other.load_state_dict(layer.state_dict())
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    read = torch.load(file, weights_only=False)
    for twin in (copy.deepcopy(layer), other, pickle.loads(pickle.dumps(layer)), read):
        assert type(twin) is layer_class
        assert torch.equal(twin(x), layer(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layer_class", BOTH)
def test_other_dtypes(layer_class, dtype):
    torch.manual_seed(0)
    layer = layer_class(3, 4, 7, sigma=1.5)
    x = features(1, 3, 9, 9)
    expected = layer(x)
    out = layer.to(dtype)(x.to(dtype))
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), expected, atol=0.02, rtol=0.02)
    out.float().square().sum().backward()
    assert all(bool(torch.isfinite(parameter.grad).all()) for parameter in layer.parameters())


@pytest.mark.parametrize("layer_class", BOTH)
def test_autocast(layer_class):
    layer = layer_class(3, 4, 3, sigma=1.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(features(1, 3, 9, 9))
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert layer.inverse_variance.grad.dtype == torch.float32


def test_what_a_layer_says_of_itself():
    assert repr(GaussianConv2d(1, 2, 3)).endswith("stride=(1, 1), sigma=inf)")
    assert repr(PinwheelGaussianConv2d(1, 2, 3, sigma=0.5, angle=1)).endswith("sigma=0.5, angle=1)")


@pytest.mark.parametrize("sigma", [0, -1.0, math.nan])
@pytest.mark.parametrize("layer_class", BOTH)
def test_bad_sigma(layer_class, sigma):
    with pytest.raises(InputError, match=r"sigma must be above 0 taps, or infinite for a flat Gaussian, got"):
        layer_class(1, 1, 3, sigma=sigma)


@pytest.mark.parametrize("angle", [math.inf, math.nan])
def test_bad_angle(angle):
    with pytest.raises(InputError, match="angle must be a finite number of radians, got"):
        PinwheelGaussianConv2d(1, 1, 3, angle=angle)
