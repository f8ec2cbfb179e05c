"""GGLNet: its gradient, its blocks against their formulas, where the gradient joins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pointlabel.detectors import build
from pointlabel.detectors.blocks import SqueezeExcitation, upsample
from pointlabel.detectors.gglnet import GGLNet, GradientSupplement, TwoWayGuidance, gradient_magnitude


@pytest.fixture(scope="module")
def net() -> GGLNet:
    torch.manual_seed(7)
    net = build("gglnet", in_channels=3)
    assert isinstance(net, GGLNet)
    return net.eval()


def test_gradient_against_numpy(rng):
    x = rng.normal(size=(2, 3, 7, 6))
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.hypot(*np.gradient(around, axis=(2, 3)))[..., 1:-1, 1:-1]
    np.testing.assert_allclose(gradient_magnitude(torch.from_numpy(x)).numpy(), expected, rtol=1e-12)


def test_a_flat_image_has_no_gradient_and_gives_one():
    flat = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    gradient = gradient_magnitude(flat)
    assert float(gradient[..., 1:-1, 1:-1].detach().max()) < 1e-9
    gradient.sum().backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_the_gradient_joins_every_level_through_its_maxima(net, rng):
    image = torch.from_numpy(rng.random((1, 3, 32, 48))).float()
    seen, given = {}, {}
    hooks = []
    for number, (level, part) in enumerate(zip(net.encoder.levels, net.encoder.supplements, strict=True)):
        hooks.append(level.register_forward_hook(lambda _, i, output, n=number: given.update({n: output})))
        hooks.append(part.register_forward_hook(lambda _, inputs, o, n=number: seen.update({n: inputs})))
    with torch.inference_mode():
        net(image)
    for hook in hooks:
        hook.remove()
    gradient = gradient_magnitude(image)
    for number in range(5):
        assert torch.equal(seen[number][0], given[number])
        assert torch.equal(seen[number][1], F.max_pool2d(gradient, 2**number))


def test_the_supplement_adds_to_the_map(rng):
    part = GradientSupplement(1, 8).eval()
    x = torch.from_numpy(rng.normal(size=(1, 8, 6, 5))).float()
    gradient = torch.rand(1, 1, 6, 5)
    with torch.inference_mode():
        both = part.both(torch.cat([x, part.gradient(gradient)], dim=1))
        torch.testing.assert_close(part(x, gradient), F.relu(both + x))


def test_two_way_guidance_against_its_formula(rng):
    guide = TwoWayGuidance(16, 8).eval()
    coarse, fine = torch.rand(1, 16, 3, 4), torch.rand(1, 8, 6, 8)
    with torch.inference_mode():
        narrow = guide.narrow(upsample(coarse, 2))
        expected = fine * guide.channels(narrow) + narrow * guide.pixels(fine)
        torch.testing.assert_close(guide(coarse, fine), expected)


def test_squeeze_and_excitation_against_its_formula(rng):
    layer = SqueezeExcitation(8, 4).double()
    x = rng.normal(size=(2, 8, 5, 7))
    squeeze, expand = layer.squeeze.weight.detach().numpy(), layer.expand.weight.detach().numpy()
    weights = 1 / (1 + np.exp(-np.maximum(x.mean(axis=(2, 3)) @ squeeze.T, 0) @ expand.T))
    found = layer(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, x * weights[:, :, None, None], rtol=1e-12)
