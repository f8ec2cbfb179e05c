"""U-Net with channel attention: the attention, the levels, the side outputs."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pointlabel.detectors import build
from pointlabel.detectors.blocks import upsample
from pointlabel.detectors.unet_ca import AttendedPair, UNetCA


@pytest.fixture
def image(rng):
    return torch.from_numpy(rng.random((2, 1, 32, 48))).float()


def test_channels_are_weighted_before_the_last_relu(rng):
    block = AttendedPair(3, 8).eval()
    x = torch.from_numpy(rng.normal(size=(1, 3, 6, 5))).float()
    with torch.inference_mode():
        out = block.body(x)
        torch.testing.assert_close(block(x), F.relu(out * block.channels(out)))


def test_levels_and_heads(image):
    torch.manual_seed(10)
    net = build("unet-ca", deep_supervision=True)
    assert isinstance(net, UNetCA)
    parts = {f"{kind}{level}": part for kind in ("down", "up") for level, part in enumerate(getattr(net, kind))}
    seen: dict[str, torch.Tensor] = {}
    given: dict[str, torch.Tensor] = {}
    for name, part in parts.items():
        part.register_forward_hook(
            lambda _, inputs, output, n=name: (seen.update({n: inputs[0]}), given.update({n: output}), None)[2]
        )
    net.train()
    with torch.no_grad():
        maps = net(image)
        assert torch.equal(seen["down3"], F.max_pool2d(given["down2"], 2))
        assert torch.equal(seen["up3"], torch.cat([given["down3"], upsample(given["down4"], 2)], dim=1))
        assert torch.equal(seen["up0"], torch.cat([given["down0"], upsample(given["up1"], 2)], dim=1))
        expected = [net.head(given["up0"])]
        expected += [upsample(side(given[f"up{n}"]), 2**n) for n, side in enumerate(net.sides, start=1)]
    assert len(maps) == 4
    torch.testing.assert_close(maps, expected)


def test_without_deep_supervision_there_are_no_side_heads(image):
    net = build("unet-ca")
    assert isinstance(net, UNetCA)
    assert not net.deep_supervision
    assert len(net.sides) == 0
    assert net(image).shape == (2, 1, 32, 48)
