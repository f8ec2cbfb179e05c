"""MSDANet: its wavelet, its blocks against their formulas, what joins where."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pointlabel.detectors import build
from pointlabel.detectors.blocks import upsample
from pointlabel.detectors.msdanet import DirectionalBlock, FrequencyAttention, MSDANet, TopDownJoin, haar_bands
from pointlabel.detectors.published import import_published


@pytest.fixture(scope="module")
def net() -> MSDANet:
    torch.manual_seed(8)
    net = build("msdanet", in_channels=3)
    assert isinstance(net, MSDANet)
    return net.eval()


@pytest.mark.parametrize("halve", [False, True])
def test_bands_are_convolutions_with_the_haar_filters(rng, halve):
    x = torch.from_numpy(rng.normal(size=(2, 1, 6, 8)))
    low, high = torch.ones(2, dtype=x.dtype) / 2**0.5, torch.tensor([1, -1], dtype=x.dtype) / 2**0.5
    found = haar_bands(x, halve=halve)
    for band, (down, across) in zip(found, ((high, low), (low, high), (high, high), (low, low)), strict=True):
        around = x if halve else F.pad(x, (1, 0, 1, 0))
        expected = F.conv2d(around, torch.outer(down, across)[None, None], stride=2 if halve else 1)
        torch.testing.assert_close(band, expected)


def test_frequency_attention_against_its_formula(rng):
    part = FrequencyAttention(4).eval()
    x = torch.from_numpy(rng.normal(size=(2, 4, 6, 5))).float()
    with torch.inference_mode():
        weighted = [x * weigh(band) for weigh, band in zip(part.pixels, haar_bands(x, halve=False), strict=True)]
        torch.testing.assert_close(part(x), F.relu(x + part.mix(torch.stack(weighted).sum(dim=0))))


def test_directional_block_against_its_formula(rng):
    block = DirectionalBlock(8).eval()
    x = torch.from_numpy(rng.normal(size=(1, 8, 12, 10))).float()
    with torch.inference_mode():
        merged = block.merge(torch.cat([branch(x) for branch in block.branches], dim=1))
        expected = F.relu(x + block.last(block.channels(block.frequency(merged))))
        torch.testing.assert_close(block(x), expected)
    for branch, reach in zip(block.branches, (0, 1, 4, 7), strict=True):
        layers = [layer for layer in branch.modules() if isinstance(layer, torch.nn.Conv2d)]
        assert sum(layer.dilation[0] * (layer.kernel_size[0] // 2) for layer in layers) == reach


def test_join_against_its_formula():
    join = TopDownJoin(8, 4).eval()
    coarse, fine = torch.rand(1, 8, 3, 4), torch.rand(1, 4, 6, 8)
    with torch.inference_mode():
        large = upsample(coarse, 2)
        expected = fine + join.narrow(large + join.correct(torch.cat([large, fine], dim=1)))
        torch.testing.assert_close(join(coarse, fine), expected)


@pytest.mark.parametrize(("in_channels", "own"), [(1, 29), (3, 23)])
def test_the_wavelet_of_the_image_joins_the_second_level(rng, in_channels, own):
    torch.manual_seed(9)
    net = build("msdanet", in_channels=in_channels).eval()
    assert isinstance(net, MSDANet)
    image = torch.from_numpy(rng.random((1, in_channels, 32, 48))).float()
    seen: dict[str, torch.Tensor] = {}
    net.encoder.firsts[1].register_forward_hook(lambda _, i, output: seen.update(first=output))
    net.encoder.rests[1].register_forward_hook(lambda _, inputs, o: seen.update(joined=inputs[0]))
    with torch.inference_mode():
        net(image)
    assert seen["first"].shape == (1, own, 16, 24)
    assert torch.equal(seen["joined"], torch.cat([*haar_bands(image, halve=True)[:3], seen["first"]], dim=1))


def test_finer_levels_reach_the_coarsest_through_their_maxima(net, rng):
    image = torch.from_numpy(rng.random((1, 3, 32, 48))).float()
    seen: dict[str, torch.Tensor] = {}
    levels: dict[int, torch.Tensor] = {}
    hooks = [net.encoder.join.register_forward_hook(lambda _, inputs, o: seen.update(join=inputs[0]))]
    for number, part in enumerate(net.encoder.rests):
        hooks.append(part.register_forward_hook(lambda _, i, output, n=number: levels.update({n: output})))
    with torch.inference_mode():
        net(image)
        sides = [F.relu(net.encoder.sides[n](F.max_pool2d(levels[n], 2 ** (4 - n)))) for n in (3, 2, 1, 0)]
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(seen["join"], torch.cat([levels[4], *sides], dim=1))


def test_idle_layers_are_frozen(net):
    frozen = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in net.named_parameters() if ".unused." in name}
    assert len(frozen) == 15


def test_fixed_filters_in_a_published_file_are_passed_over(net, tmp_path):
    constant = "stage.resnet1_2.FrequencyAttention.LH_DWT_2D_attation.w_lh"
    torch.save(net.state_dict() | {constant: torch.zeros(1, 1, 2, 2)}, tmp_path / "weights.pth")
    loaded, report = import_published(tmp_path / "weights.pth", "msdanet")
    assert report.complete
    assert report.in_channels == 3
    assert torch.equal(loaded.state_dict()["head.0.weight"], net.state_dict()["head.0.weight"])
