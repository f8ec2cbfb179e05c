"""ISNet: its gradient, its blocks against their formulas, what sees what, the edge map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pointlabel.detectors import build
from pointlabel.detectors.isnet import EdgeGate, ISNet, OrientedAttention, TaylorBlock, image_gradient
from pointlabel.detectors.published import import_published


@pytest.fixture(scope="module")
def net() -> ISNet:
    torch.manual_seed(2)
    net = build("isnet", in_channels=3)
    assert isinstance(net, ISNet)
    return net.eval()


@pytest.fixture
def image(rng):
    return torch.from_numpy(rng.random((1, 3, 32, 48))).float()


def test_gradient_against_its_formula(rng):
    x = rng.normal(size=(1, 2, 5, 6))
    expected = np.zeros_like(x)
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for c, i, j in np.ndindex(2, 5, 6):
        down = around[0, c, i + 2, j + 1] - around[0, c, i, j + 1]
        across = around[0, c, i + 1, j + 2] - around[0, c, i + 1, j]
        expected[0, c, i, j] = np.sqrt(down**2 + across**2 + 1e-6)
    np.testing.assert_allclose(image_gradient(torch.from_numpy(x)).numpy(), expected, rtol=1e-12)


def test_taylor_block_against_its_formula(rng):
    block = TaylorBlock(4).eval()
    x, guide = torch.from_numpy(rng.normal(size=(1, 4, 6, 5))).float(), torch.ones(1, 1, 6, 5)
    with torch.inference_mode():
        first = block.steps[0](x)
        second = F.relu(block.steps[1](F.relu(x + first)))
        expected = 3 * F.relu(first) + second + block.gate(second, guide)
        torch.testing.assert_close(block(x, guide), expected)


@pytest.mark.parametrize(("bias", "factor"), [(-200.0, 1.0), (0.0, 1.5), (200.0, 2.0)])
def test_the_gate_weighs_pixels_between_once_and_twice(rng, bias, factor):
    gate = EdgeGate(4).eval()
    torch.nn.init.zeros_(gate.get_parameter("gate.4.weight"))
    torch.nn.init.constant_(gate.get_parameter("gate.4.bias"), bias)
    x = torch.from_numpy(rng.normal(size=(1, 4, 6, 5))).float()
    with torch.inference_mode():
        torch.testing.assert_close(gate(x, torch.zeros(1, 1, 6, 5)), factor * gate.conv(x))


def test_oriented_attention_weighs_the_fine_map_along_rows_and_columns(rng):
    join = OrientedAttention(4).eval()
    coarse, fine = (torch.from_numpy(rng.normal(size=(1, 4, 6, 5))).float() for _ in range(2))
    with torch.inference_mode():
        low, high = join.mix(coarse), join.mix(fine)
        expected = sum(low + torch.sigmoid(part(low)) * high for part in (join.columns, join.rows))
        torch.testing.assert_close(join(coarse, fine), expected)
    assert join.rows.weight.shape == (4, 4, 1, 3)
    assert join.columns.weight.shape == (4, 4, 3, 1)


def test_the_logits_come_from_features_weighted_by_the_edges(net, image):
    seen: dict[str, torch.Tensor] = {}
    hook = net.head.register_forward_hook(lambda _, inputs, output: seen.update(features=inputs[0]))
    fine = net.up[0].register_forward_hook(lambda _, inputs, output: seen.update(fine=output))
    with torch.inference_mode():
        logits, edges = net.with_edges(image)
    hook.remove()
    fine.remove()
    large = F.interpolate(seen["fine"], scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(seen["features"], large * (1 + torch.sigmoid(edges)))
    assert logits.shape == edges.shape == (1, 1, 32, 48)


def test_each_taylor_block_is_gated_by_a_level_from_coarse_to_fine(net, image):
    levels, guides = {}, {}
    hooks = [net.down[2].register_forward_hook(lambda _, inputs, output: levels.update({0: output}))]
    for number, part in ((1, net.up[1]), (2, net.up[0])):
        hooks.append(part.register_forward_hook(lambda _, inputs, output, n=number: levels.update({n: output})))
    for number, block in enumerate(net.edges):
        hooks.append(block.register_forward_hook(lambda _, inputs, output, n=number: guides.update({n: inputs[1]})))
    with torch.inference_mode():
        net(image)
        for number, guide in guides.items():
            expected = net.guides[number](levels[number])
            expected = F.interpolate(expected, size=(32, 48), mode="bilinear", align_corners=True)
            torch.testing.assert_close(guide, expected)
    for hook in hooks:
        hook.remove()
    assert set(guides) == {0, 1, 2}


def test_edges_beside_the_logits_at_any_size(net, image):
    with torch.inference_mode():
        logits, edges = net.with_edges(image[..., :21, :37])
        assert torch.equal(logits, net(image[..., :21, :37]))
    assert edges.shape == (1, 1, 21, 37)


def test_idle_layers_are_frozen(net):
    frozen = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in net.named_parameters() if name.startswith("unused.")}


def test_fixed_filters_in_a_published_file_are_passed_over(net, tmp_path):
    constant = "grad_extractor.weight_v"
    torch.save(net.state_dict() | {constant: torch.zeros(1, 1, 2, 2)}, tmp_path / "weights.pth")
    loaded, report = import_published(tmp_path / "weights.pth", "isnet")
    assert report.complete
    assert report.in_channels == 3
    assert torch.equal(loaded.state_dict()["head.0.weight"], net.state_dict()["head.0.weight"])
