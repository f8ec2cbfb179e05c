"""Shaped convolutions in the place of plain ones: in the detectors, in others' structures, and back again."""

from __future__ import annotations

import copy
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from pointlabel.convolutions import (
    KINDS,
    GaussianConv2d,
    PinwheelGaussianConv2d,
    find_replaced,
    fold_convolutions,
    replace_convolutions,
)
from pointlabel.convolutions.replace import CLASSES
from pointlabel.detectors import DETECTORS, build
from pointlabel.errors import InputError
from tests.convolutions.blocks_of_others import SmallRetinaNet, SmallYolo

OTHERS = [SmallYolo, SmallRetinaNet]


def image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2))


def plain_of_three(model: nn.Module) -> list[str]:
    return [name for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]


def flat(out: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    return out.flatten() if isinstance(out, torch.Tensor) else torch.cat([part.flatten() for part in out])


def shapes(out: torch.Tensor | list[torch.Tensor]) -> list[torch.Size]:
    return [part.shape for part in ([out] if isinstance(out, torch.Tensor) else out)]


def test_the_names_of_kinds():
    assert tuple(CLASSES) == KINDS


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector(name):
    torch.manual_seed(0)
    net = build(name).eval()
    grey = image(1, 1, 35, 50)
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    chosen = plain_of_three(net)
    with torch.no_grad():
        expected = net(grey)
        assert replace_convolutions(net, "gaussian") == len(chosen) > 10
        assert torch.equal(net(grey), expected), "a flat Gaussian changes nothing"
        assert find_replaced(net) == dict.fromkeys(chosen, "gaussian")
        for key, tensor in net.state_dict().items():
            assert key.endswith(".inverse_variance") or torch.equal(tensor, state[key])
        assert fold_convolutions(net) == len(chosen)
        assert replace_convolutions(net, "pinwheel") == len(chosen)
        assert net(grey).shape == expected.shape
    added = net.state_dict().keys() - state.keys()
    assert added == {f"{layer}.{own}" for layer in chosen for own in ("inverse_variance", "angle")}


@pytest.mark.parametrize("model_class", OTHERS)
def test_structures_of_others(model_class):
    torch.manual_seed(0)
    model = model_class().eval()
    x = image(2, 3, 72, 88)
    n_before = sum(parameter.numel() for parameter in model.parameters())
    with torch.no_grad():
        expected = model(x)
        assert replace_convolutions(model, "gaussian") == model_class.n_of_three
        out = model(x)
    assert shapes(out) == shapes(expected)
    assert torch.equal(flat(out), flat(expected))
    assert sum(parameter.numel() for parameter in model.parameters()) == n_before + model_class.n_of_three


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model_class", OTHERS)
def test_structures_of_others_train(model_class, kind):
    torch.manual_seed(0)
    model = model_class()
    before = model(image(2, 3, 64, 64))
    replace_convolutions(model, kind, sigma=1.0)
    out = model(image(2, 3, 64, 64))
    assert shapes(out) == shapes(before)
    assert not torch.equal(flat(out), flat(before))
    flat(out).square().mean().backward()
    own = {name: p for name, p in model.named_parameters() if name.endswith((".inverse_variance", ".angle"))}
    assert len(own) == model_class.n_of_three * (1 + (kind == "pinwheel"))
    for name, parameter in own.items():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
        assert parameter.grad.isfinite(), name


@pytest.mark.parametrize("kind", KINDS)
def test_folding_gives_the_same_output_by_plain_layers(kind):
    torch.manual_seed(0)
    model = SmallRetinaNet().eval()
    names = model.state_dict().keys()
    replace_convolutions(model, kind, sigma=0.9)
    x = image(1, 3, 64, 64)
    with torch.no_grad():
        expected = flat(model(x))
        assert fold_convolutions(model) == SmallRetinaNet.n_of_three
        torch.testing.assert_close(flat(model(x)), expected)
    assert model.state_dict().keys() == names
    assert find_replaced(model) == {}
    assert fold_convolutions(model) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_batch_normalisation_can_be_fused(kind):
    """What others' code does before inference: it multiplies the weights of each output channel."""
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    pair = nn.Sequential(conv, norm)
    with torch.no_grad():
        for tensor in (*norm.parameters(), *norm.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 2)
    replace_convolutions(pair, kind, sigma=0.8)
    pair.eval()
    x = image(1, 3, 9, 9)
    fused = nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
    torch.testing.assert_close(fused(x), pair(x))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_names_and_weights_stay(kind):
    layers = {
        "stride": nn.Conv2d(4, 6, 3, stride=2, padding=(1, 0), bias=False),
        "groups": nn.Conv2d(4, 8, 3, groups=2, padding="same", padding_mode="circular"),
        "dilated": nn.Conv2d(4, 4, 3, dilation=(2, 3), padding=3, dtype=torch.float64),
        "meta": nn.Conv2d(4, 4, 3, device="meta", dtype=torch.float16),
        "frozen": nn.Conv2d(4, 4, 3).requires_grad_(False),
    }
    settings = ("stride", "padding", "dilation", "groups", "padding_mode", "in_channels", "out_channels")
    model = nn.ModuleDict(layers)
    before = {name: {key: getattr(layer, key) for key in settings} for name, layer in layers.items()}
    weights = {name: (layer.weight, layer.bias) for name, layer in layers.items()}
    assert replace_convolutions(model.eval(), kind, sigma=2) == len(layers)
    for name, layer in layers.items():
        assert type(model[name]) is CLASSES[kind]
        assert model[name] is layer
        assert {key: getattr(layer, key) for key in settings} == before[name]
        assert layer.weight is weights[name][0]
        assert layer.bias is weights[name][1]
        assert not layer.training
        assert layer.inverse_variance.device == layer.weight.device
        assert layer.inverse_variance.dtype == layer.weight.dtype
        assert layer.inverse_variance.requires_grad == (name != "frozen")


def test_what_is_left_alone():
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(
        nn.ConvTranspose2d(2, 2, 3),
        nn.Conv2d(2, 2, 1),
        nn.Conv2d(2, 2, (3, 1)),
        nn.Conv1d(2, 2, 3),
        Own(2, 2, 3),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 2, 3)),
        nn.LazyConv2d(2, 3),
    )
    assert replace_convolutions(model, "gaussian") == 0
    assert find_replaced(model) == {}


def test_a_shared_layer_is_turned_once_and_what_is_turned_stays():
    shared = nn.Conv2d(2, 2, 3, padding=1)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Conv2d(2, 2, 3))
    assert replace_convolutions(model, "gaussian") == 2
    assert model[0] is model[2]
    assert replace_convolutions(model, "gaussian") == 0
    assert replace_convolutions(model, "pinwheel") == 0
    assert find_replaced(model) == {"0": "gaussian", "3": "gaussian"}


def test_where():
    def model():
        return nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 5), nn.Conv2d(1, 1, (1, 3)), nn.Conv2d(1, 1, 3))

    for where, expected in (
        (3, ["0", "3"]),
        (5, ["1"]),
        ((1, 3), ["2"]),
        (lambda name, layer: name == "3" or layer.kernel_size[1] == 5, ["1", "3"]),
        (lambda name, layer: False, []),
    ):
        net = model()
        assert replace_convolutions(net, "pinwheel", where=where) == len(expected)
        assert list(find_replaced(net)) == expected


def test_a_model_that_is_one_convolution():
    conv = nn.Conv2d(1, 1, 3)
    assert replace_convolutions(conv, "gaussian") == 1
    assert isinstance(conv, GaussianConv2d)
    assert find_replaced(conv) == {"": "gaussian"}


def test_the_start():
    net = nn.Sequential(nn.Conv2d(1, 1, 3))
    replace_convolutions(net, "pinwheel", sigma=1.5, angle=0.3)
    assert isinstance(net[0], PinwheelGaussianConv2d)
    assert float(net[0].sigma) == pytest.approx(1.5)
    assert float(net[0].angle.detach()) == pytest.approx(0.3)


def test_copies_of_a_model():
    torch.manual_seed(0)
    net = build("tiny").eval()
    replace_convolutions(net, "pinwheel", sigma=1.2)
    other = build("tiny").eval()
    replace_convolutions(other, "pinwheel")
    other.load_state_dict(net.state_dict())
    grey = image(1, 1, 20, 20)
    with torch.no_grad():
        expected = net(grey)
        for twin in (copy.deepcopy(net), other):
            assert torch.equal(twin(grey), expected)
        half = copy.deepcopy(net).bfloat16()(grey.bfloat16())
    scale = float(expected.abs().max())
    torch.testing.assert_close(half.float() / scale, expected / scale, atol=0.1, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "gausian"}, "unknown kind of convolution 'gausian'; did you mean gaussian"),
        ({"kind": "x"}, "unknown kind of convolution 'x'; there are gaussian, pinwheel"),
        ({"kind": "gaussian", "angle": 0.1}, "angle is for the kind pinwheel alone, got 0.1 with 'gaussian'"),
        ({"kind": "gaussian", "sigma": 0}, "sigma must be above 0 taps, or infinite for a flat Gaussian, got 0"),
        ({"kind": "pinwheel", "angle": math.nan}, "angle must be a finite number of radians, got nan"),
        ({"kind": "gaussian", "where": "3"}, "where must be the side of a kernel, .* or a function, got '3'"),
        ({"kind": "gaussian", "where": (3, 0)}, r"where must be the side of a kernel, .* got \(3, 0\)"),
    ],
)
def test_refusals_change_nothing(options, message):
    net = nn.Sequential(nn.Conv2d(1, 1, 3))
    with pytest.raises(InputError, match=message):
        replace_convolutions(net, **options)
    assert type(net[0]) is nn.Conv2d


def test_the_kinds_can_be_listed_without_torch():
    code = "import sys; from pointlabel.convolutions import KINDS; print(len(KINDS), 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == [str(len(KINDS)), "False"]
