"""UIUNet: its blocks against their formulas, what sees what, batches of one image."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pointlabel.detectors import build
from pointlabel.detectors.uiunet import BatchNormOfMeans, CrossAttention, DilatedUBlock, UBlock, UIUNet


@pytest.fixture(scope="module")
def net() -> UIUNet:
    torch.manual_seed(4)
    net = build("uiunet")
    assert isinstance(net, UIUNet)
    return net


def like(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)


def test_every_level_sees_what_the_paper_draws(net):
    torch.manual_seed(5)
    parts = {f"{kind}{n}": part for kind in ("down", "up", "joins") for n, part in enumerate(getattr(net, kind))}
    seen, given = {}, {}
    hooks = [
        part.register_forward_hook(
            lambda _, inputs, output, n=name: (seen.update({n: inputs}), given.update({n: output}), None)[2]
        )
        for name, part in parts.items()
    ]
    net.eval()
    with torch.inference_mode():
        maps = net.maps(torch.rand(1, 1, 64, 64))
        for hook in hooks:
            hook.remove()
        for level in range(1, 6):
            assert torch.equal(seen[f"down{level}"][0], F.max_pool2d(given[f"down{level - 1}"], 2))
        deeper = {4: "down5", 3: "up4", 2: "up3", 1: "up2", 0: "up1"}
        for level, below in deeper.items():
            skip = given[f"down{level}"]
            enlarged = like(given[below], skip)
            if level:
                torch.testing.assert_close(seen[f"joins{level - 1}"], (enlarged, skip))
                assert torch.equal(seen[f"up{level}"][0], given[f"joins{level - 1}"])
            else:
                torch.testing.assert_close(seen["up0"][0], torch.cat([enlarged, skip], dim=1))
        sources = [*(given[f"up{level}"] for level in range(5)), given["down5"]]
        sides = [like(side(x), maps[0]) for side, x in zip(net.sides, sources, strict=True)]
        torch.testing.assert_close(maps[1:], sides)
        torch.testing.assert_close(maps[0], net.head(torch.cat(sides, dim=1)))


def test_cross_attention_against_its_formula():
    torch.manual_seed(6)
    join = CrossAttention(8).eval()
    deep, shallow = torch.randn(2, 8, 6, 5), torch.randn(2, 8, 6, 5)
    with torch.inference_mode():
        high = join.deep(deep)
        channels = join.channels(high)
        pixels = join.pixels(shallow * channels)
        expected = torch.cat([join.last(2 * shallow * channels), join.last(2 * high * pixels)], dim=1)
        torch.testing.assert_close(join(deep, shallow), expected)
    assert channels.shape == (2, 8, 1, 1)
    assert pixels.shape == (2, 1, 6, 5)


@pytest.mark.parametrize("block", [UBlock(3, 2, 4, n_levels=4), DilatedUBlock(3, 2, 4)])
def test_a_u_block_adds_its_entry(block):
    block.eval()
    torch.nn.init.zeros_(block.get_parameter("up.0.1.weight"))  # the small U-Net gives zeros
    x = torch.randn(1, 3, 16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(block(x), block.entry(x))


def test_a_u_block_is_a_small_u_net():
    torch.manual_seed(11)
    block = UBlock(3, 2, 4, n_levels=3).eval()
    x = torch.randn(1, 3, 16, 24)
    with torch.inference_mode():
        entry = block.entry(x)
        fine = block.down[0](entry)
        coarse = block.down[1](F.max_pool2d(fine, 2))
        out = block.up[1](torch.cat([block.bottom(coarse), coarse], dim=1))
        out = block.up[0](torch.cat([like(out, fine), fine], dim=1))
        torch.testing.assert_close(block(x), out + entry)
    assert block.bottom[0].dilation == (2, 2)


def test_how_far_a_dilated_u_block_sees():
    """Rows that the middle pixel depends on: the entry, then dilations 1, 2, 4, 8, 4, 2 and 1."""
    block = DilatedUBlock(1, 1, 1).eval()
    for name, parameter in block.named_parameters():
        torch.nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
    x = torch.ones(1, 1, 64, 64, requires_grad=True)
    block(x)[0, 0, 31, 31].backward()
    assert x.grad is not None
    rows = torch.nonzero(x.grad.abs().sum(dim=(0, 1, 3)))[:, 0]
    assert max(abs(int(row) - 31) for row in rows) == 1 + (1 + 2 + 4 + 8 + 4 + 2 + 1)


def test_a_batch_of_one_image_trains(net):
    net.train()
    maps = net(torch.rand(1, 1, 64, 64))
    assert len(maps) == 7
    assert all(bool(torch.isfinite(logits).all()) for logits in maps)


def test_batch_normalisation_of_means():
    layer, plain = BatchNormOfMeans(4), torch.nn.BatchNorm2d(4)
    many, one = torch.randn(3, 4, 1, 1), torch.randn(1, 4, 1, 1)
    torch.testing.assert_close(layer(many), plain(many))
    torch.testing.assert_close(layer.running_var, plain.running_var)
    before = layer.get_buffer("running_mean").clone()
    torch.testing.assert_close(layer(one), plain.eval()(one))
    assert torch.equal(layer.get_buffer("running_mean"), before)
    torch.testing.assert_close(layer.eval()(one), plain(one))
