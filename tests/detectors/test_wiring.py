"""What the papers draw: which maps each part of MLCLNet, ALCLNet, DNANet and MSHNet sees, and what attention weighs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pointlabel.detectors import blocks, build
from pointlabel.detectors.alclnet import BottomUpGate
from pointlabel.detectors.dnanet import DNANet
from pointlabel.detectors.mlclnet import MultiscaleContrast, contrast_branch
from pointlabel.detectors.mshnet import MSHNet


def seen_and_given(net: nn.Module, parts: dict[str, nn.Module], image: torch.Tensor) -> tuple[dict, dict]:
    """What went into each part and what came out of it in one evaluation."""
    seen, given = {}, {}
    for name, part in parts.items():
        part.register_forward_hook(
            lambda _, inputs, output, name=name: (seen.update({name: inputs[0]}), given.update({name: output}), None)[2]
        )
    with torch.inference_mode():
        net.eval()(image)
    return seen, given


def up(x: torch.Tensor, factor: float = 2) -> torch.Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)


def down(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=True)


@pytest.fixture
def image(rng):
    return torch.from_numpy(rng.random((1, 1, 32, 48))).float()


def test_nodes_of_dnanet_see_their_neighbours(image):
    net = build("dnanet")
    assert isinstance(net, DNANet)
    seen, x = seen_and_given(net, {**net.nodes, "merge": net.merge}, image)
    brought = {level: net.narrow[str(level)](x[f"{level}_{4 - level}"].clone()) for level in (4, 3, 2, 1)}
    expected = {
        "0_0": [image],
        "1_0": [F.max_pool2d(x["0_0"], 2)],
        "4_0": [F.max_pool2d(x["3_0"], 2)],
        "0_1": [x["0_0"], up(x["1_0"])],
        "1_1": [x["1_0"], up(x["2_0"]), down(x["0_1"])],
        "3_1": [x["3_0"], up(x["4_0"]), down(x["2_1"])],
        "2_2": [x["2_0"], x["2_1"], up(x["3_1"]), down(x["1_2"])],
        "1_3": [x["1_0"], x["1_1"], x["1_2"], up(x["2_2"]), down(x["0_3"])],
        "0_4": [x["0_0"], x["0_1"], x["0_2"], x["0_3"], up(x["1_3"])],
        "merge": [*(up(part, 2**level) for level, part in brought.items()), x["0_4"]],
    }
    assert len(x) == 15 + 1
    for name, parts in expected.items():
        torch.testing.assert_close(seen[name], torch.cat(parts, dim=1), atol=0, rtol=0)


def test_the_side_heads_of_dnanet_read_the_nodes_of_the_finest_level(image):
    net = build("dnanet").train()
    assert isinstance(net, DNANet)
    seen = {}
    for turn, head in enumerate(net.side_heads, start=1):
        head.register_forward_hook(lambda _, inputs, output, turn=turn: seen.update({turn: inputs[0]}))
        net.nodes[f"0_{turn}"].register_forward_hook(lambda _, inputs, output, turn=turn: seen.update({-turn: output}))
    with torch.no_grad():
        net(image)
    assert set(seen) == {1, 2, 3, -1, -2, -3}
    assert all(torch.equal(seen[turn], seen[-turn]) for turn in (1, 2, 3))


def test_levels_of_mshnet(image):
    net = build("mshnet")
    assert isinstance(net, MSHNet)
    parts = {f"{kind}{level}": part for kind in ("down", "up") for level, part in enumerate(getattr(net, kind))}
    heads = {f"head{level}": head for level, head in enumerate(net.heads)}
    seen, x = seen_and_given(net, {**parts, **heads, "merge": net.merge}, image)
    assert torch.equal(seen["down4"], F.max_pool2d(x["down3"], 2))
    assert torch.equal(seen["up3"], torch.cat([x["down3"], up(x["down4"])], dim=1))
    assert torch.equal(seen["up0"], torch.cat([x["down0"], up(x["up1"])], dim=1))
    scales = [x["head0"], up(x["head1"]), up(x["head2"], 4), up(x["head3"], 8)]
    assert torch.equal(seen["merge"], torch.cat(scales, dim=1))


def test_mshnet_warming_up_trains_the_finest_head_alone(image):
    torch.manual_seed(0)
    net = build("mshnet")
    assert isinstance(net, MSHNet)
    net.eval()
    with torch.inference_mode():
        after = net(image)
        net.warming_up = True
        before = net(image)
        net.train()
        alone = net(torch.cat([image, image]))
    assert not torch.equal(before, after)
    assert len(alone) == 1
    net(image)[0].mean().backward()
    idle = {name.partition(".")[0] for name, p in net.named_parameters() if p.grad is None}
    assert idle == {"heads", "merge"}
    assert net.heads[0].weight.grad is not None


@pytest.mark.parametrize(
    ("block", "reach"),
    [
        (contrast_branch(4, 1, 1), {0, 1}),
        (contrast_branch(4, 3, 3), {0, 1, 2, 3, 4}),  # taps 3 apart, each of them a window of 3
        (contrast_branch(4, 5, 5), set(range(8))),
        (MultiscaleContrast(4), set(range(8))),
    ],
)
def test_contrast_reaches_as_far_as_its_dilation_says(block, reach):
    """Rows that the middle pixel of the output depends on, as distances."""
    for parameter in block.parameters():
        nn.init.constant_(parameter, 0.1)
    x = torch.ones(1, 4, 31, 31, requires_grad=True)
    block(x)[0, :, 15, 15].sum().backward()
    assert x.grad is not None
    rows = torch.nonzero(x.grad.abs().sum(dim=(0, 1, 3)))[:, 0]
    assert {abs(int(row) - 15) for row in rows} == reach


@pytest.mark.parametrize(("bias", "weight"), [(-200.0, 0.0), (0.0, 0.5), (200.0, 1.0)])
def test_the_gate_of_alclnet_weighs_what_comes_from_below(bias, weight):
    gate = BottomUpGate(8, 4).eval()
    for name, value in (("gate.0.weight", 0.0), ("gate.0.bias", 0.0), ("gate.1.bias", bias)):
        nn.init.constant_(gate.get_parameter(name), value)
    coarse, fine = torch.rand(1, 8, 5, 6), torch.rand(1, 4, 10, 12)
    expected = fine + weight * gate.narrow(up(coarse))
    torch.testing.assert_close(gate(coarse, fine), expected)


def test_channel_attention_against_its_formula(rng):
    layer = blocks.ChannelAttention(32).double()
    x = rng.normal(size=(2, 32, 5, 7))
    squeeze = layer.squeeze.weight.detach().numpy()[:, :, 0, 0]
    expand = layer.expand.weight.detach().numpy()[:, :, 0, 0]
    logits = sum(expand @ np.maximum(squeeze @ pooled.T, 0) for pooled in (x.mean(axis=(2, 3)), x.max(axis=(2, 3))))
    weights = layer(torch.from_numpy(x)).detach().numpy()[:, :, 0, 0]
    np.testing.assert_allclose(weights, 1 / (1 + np.exp(-logits.T)), rtol=1e-12)


def test_spatial_attention_against_its_formula(rng):
    layer = blocks.SpatialAttention().double()
    x = rng.normal(size=(1, 6, 9, 8))
    kernel = layer.conv.weight.detach().numpy()[0]
    pooled = np.pad(np.stack([x[0].mean(axis=0), x[0].max(axis=0)]), ((0, 0), (3, 3), (3, 3)))
    logits = [[(kernel * pooled[:, i : i + 7, j : j + 7]).sum() for j in range(8)] for i in range(9)]
    weights = layer(torch.from_numpy(x)).detach().numpy()[0, 0]
    np.testing.assert_allclose(weights, 1 / (1 + np.exp(-np.array(logits))), rtol=1e-12)


def test_the_heads_of_mshnet_answer_at_their_own_size_and_are_merged_enlarged(image):
    torch.manual_seed(0)
    net = MSHNet(deep_supervision=True).train()
    seen: list[torch.Tensor] = []
    for head in net.heads:
        head.register_forward_hook(lambda layer, given, out: seen.insert(0, out))
    merged, *sides = net(image)
    assert [list(side.shape[2:]) for side in sides] == [[size // 2**n for size in image.shape[2:]] for n in range(4)]
    torch.testing.assert_close(sides, seen)
    large = [blocks.upsample(side, 2**n) for n, side in enumerate(sides)]
    torch.testing.assert_close(merged, net.merge(torch.cat(large, dim=1)))


def test_the_attention_block_adds_its_shortcut_last(rng):
    block = blocks.AttentionBlock(16, 16).eval()
    nn.init.zeros_(block.get_parameter("body.1.1.weight"))  # the body gives zeros
    x = torch.from_numpy(rng.normal(size=(1, 16, 6, 6))).float()
    assert torch.equal(block(x), F.relu(x))


def test_kaiming_spread():
    layer = nn.Conv2d(8, 64, 3)
    torch.manual_seed(0)
    blocks.init_kaiming(layer)
    assert float(layer.weight.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
    assert layer.bias is not None
    assert not layer.bias.any()
