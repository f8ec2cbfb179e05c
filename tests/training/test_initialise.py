"""How a detector starts."""

from __future__ import annotations

import pytest
import torch

from pointlabel.detectors import DETECTORS, build
from pointlabel.training.initialise import MOST_DEVIATION, lower_start


def maps_of(net, image):
    maps = net(image)
    return [each.detach() for each in (maps if isinstance(maps, list) else [maps])]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_fresh_detector_answers_about_the_probability(name):
    torch.manual_seed(1)
    net = build(name)
    net.train()
    buffers = {key: buffer.clone() for key, buffer in net.named_buffers()}
    drawn = {key: parameter.clone() for key, parameter in net.named_parameters()}
    assert lower_start(net, 0.01) >= 1
    assert all(torch.equal(buffer, buffers[key]) for key, buffer in net.named_buffers())
    moved = {key for key, parameter in net.named_parameters() if not torch.equal(parameter, drawn[key])}
    assert {key.rpartition(".")[2] for key in moved} == ({"weight", "bias"} if name == "mlclnet" else {"bias"})
    for logits in maps_of(net, torch.randn(2, net.in_channels, 2 * net.multiple, 2 * net.multiple)):
        assert 0.001 < float(torch.sigmoid(logits.mean())) < 0.02  # MSHNet's fused map moves with its side maps, too
        assert float(logits.std()) < MOST_DEVIATION


def test_wide_logits_are_those_of_mlclnet_alone():
    """The scaling is for one detector: where another one's first logits get as wide, look at how it trains."""
    wide = []
    for name in DETECTORS:
        torch.manual_seed(1)
        net = build(name)
        net.train()
        logits = maps_of(net, torch.randn(2, net.in_channels, 2 * net.multiple, 2 * net.multiple))
        if max(float(each.std()) for each in logits) > MOST_DEVIATION:
            wide.append(name)
    assert wide == ["mlclnet"]


@pytest.mark.parametrize("warming_up", [False, True])
@pytest.mark.parametrize("name", DETECTORS)
def test_each_map_comes_out_of_its_layer(name, warming_up):
    torch.manual_seed(0)
    net = build(name).train()
    net.warming_up = warming_up
    image = torch.randn(2, net.in_channels, 2 * net.multiple, 2 * net.multiple)
    maps = net(image)
    maps = maps if isinstance(maps, list) else [maps]
    assert len(net.logit_layers) == len(maps)
    for layer, logits in zip(net.logit_layers, maps, strict=True):
        assert layer.bias is not None
        (slope,) = torch.autograd.grad(logits.sum(), [layer.bias], retain_graph=True)
        assert float(slope) == pytest.approx(logits.numel(), rel=1e-4)  # each pixel moves as much as the bias
