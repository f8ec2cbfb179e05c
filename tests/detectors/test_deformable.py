"""Deformable convolution: its slow twin, plain convolution, shifts, gradients, half precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pointlabel.detectors.deformable import DeformableConv2d, deformable_conv2d
from pointlabel.errors import InputError
from tests.twins import deformable as twin

# kernel, stride, padding, dilation, size of the image
CASES = [
    ((3, 3), (1, 1), (1, 1), (1, 1), (5, 6)),
    ((1, 3), (1, 1), (0, 1), (1, 1), (4, 5)),
    ((3, 1), (1, 1), (1, 0), (1, 1), (4, 5)),
    ((3, 2), (2, 1), (2, 1), (1, 2), (7, 6)),
    ((1, 1), (1, 1), (0, 0), (1, 1), (1, 1)),
]


def drawn(rng, case, spread=1.5):
    """Random arguments in float64; offsets reach over the border."""
    kernel, stride, padding, dilation, size = case
    n_taps = kernel[0] * kernel[1]
    out = [(size[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)]
    return {
        "x": rng.normal(size=(2, 3, *size)),
        "offset": rng.normal(size=(2, 2 * n_taps, *out)) * spread,
        "weight": rng.normal(size=(4, 3, *kernel)),
        "bias": rng.normal(size=4),
        "modulation": rng.random((2, n_taps, *out)),
    }


def as_tensors(arrays, dtype=torch.float64):
    return {name: torch.from_numpy(array).to(dtype) for name, array in arrays.items()}


@pytest.mark.parametrize("case", CASES)
def test_equals_its_twin(rng, case):
    _, stride, padding, dilation, _ = case
    arrays = drawn(rng, case)
    found = deformable_conv2d(**as_tensors(arrays), stride=stride, padding=padding, dilation=dilation)
    expected = twin.deformable_conv2d(**arrays, stride=stride, padding=padding, dilation=dilation)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_without_offsets_it_is_a_plain_convolution(rng, case):
    _, stride, padding, dilation, _ = case
    given = as_tensors(drawn(rng, case, spread=0.0)) | {"modulation": None}
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    expected = F.conv2d(given["x"], given["weight"], given["bias"], **settings)
    torch.testing.assert_close(deformable_conv2d(**given, **settings), expected)


@pytest.mark.parametrize(("shift", "rolled"), [((1, 0), (-1, 0)), ((0, -2), (0, 2))])
def test_offsets_are_row_then_column_and_move_the_sampling_point(rng, shift, rolled):
    x = torch.from_numpy(rng.normal(size=(1, 1, 9, 9)))
    offset = torch.tensor(shift, dtype=x.dtype).reshape(1, 2, 1, 1).expand(1, 2, 9, 9)
    out = deformable_conv2d(x, offset, torch.ones(1, 1, 1, 1, dtype=x.dtype))
    moved = torch.roll(x, rolled, dims=(2, 3))
    torch.testing.assert_close(out[..., 2:-2, 2:-2], moved[..., 2:-2, 2:-2])


def test_far_outside_the_image_is_zero(rng):
    given = as_tensors(drawn(rng, CASES[0])) | {"bias": None}
    given["offset"] = torch.full_like(given["offset"], 1e9)
    assert not deformable_conv2d(**given, padding=(1, 1)).any()


def test_gradients_and_their_gradients(rng):
    """The second derivatives are those that a differentiated training step needs."""
    case = ((3, 1), (1, 1), (1, 0), (1, 1), (3, 4))
    given = as_tensors(drawn(rng, case))
    for tensor in given.values():
        tensor.requires_grad_()

    def run(*values):
        return deformable_conv2d(**dict(zip(given, values, strict=True)), padding=(1, 0))

    assert torch.autograd.gradcheck(run, tuple(given.values()))
    assert torch.autograd.gradgradcheck(run, tuple(given.values()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_places_samples_as_finely_as_float32(rng, dtype):
    """At column 300 half precision counts in steps of 1/4 px (float16) and 2 px (bfloat16)."""
    x = torch.arange(400, dtype=torch.float32).remainder(2).expand(1, 1, 1, 400)
    offset = torch.zeros(1, 2, 1, 400)
    offset[:, 1] = 0.125
    weight = torch.ones(1, 1, 1, 1)
    expected = deformable_conv2d(x, offset, weight)
    found = deformable_conv2d(x.to(dtype), offset.to(dtype), weight.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=1e-2, rtol=0)


def test_the_layer_starts_as_half_a_plain_convolution(rng):
    layer = DeformableConv2d(3, 5, (1, 3))
    x = torch.from_numpy(rng.normal(size=(2, 3, 6, 7))).float()
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight / 2, padding=(0, 1)))


def test_the_layer_hands_its_offsets_and_modulation_on(rng):
    layer = DeformableConv2d(2, 2, (3, 1)).double()
    torch.nn.init.normal_(layer.offset.weight, std=0.5)
    x = rng.normal(size=(1, 2, 5, 4))
    raw = layer.offset(torch.from_numpy(x)).detach().numpy()
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    modulation = 1 / (1 + np.exp(-raw[:, 6:]))
    expected = twin.deformable_conv2d(x, raw[:, :6], weight, bias, modulation, (1, 1), (1, 0), (1, 1))
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("offset", (2, 9, 5, 6), r"offset must have shape \(2, 18, 5, 6\), got \(2, 9, 5, 6\)"),
        ("modulation", (2, 9, 3, 4), r"modulation must have shape \(2, 9, 5, 6\), got \(2, 9, 3, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(rng, name, shape, message):
    given = as_tensors(drawn(rng, CASES[0])) | {name: torch.zeros(shape)}
    with pytest.raises(InputError, match=message):
        deformable_conv2d(**given, padding=(1, 1))
