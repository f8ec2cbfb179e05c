"""What holds for every detector of the table: its layers, its shapes, any size, gradients, dtypes, its weights."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from pointlabel.detectors import DETECTORS, build
from pointlabel.detectors.base import Detector
from pointlabel.detectors.padding import pad_to_multiple
from pointlabel.errors import InputError

FACTS = json.loads((Path(__file__).parents[1] / "data" / "detectors.json").read_text())
TITLES = {entry.title: name for name, entry in DETECTORS.items()}
SUPERVISED = [name for name, entry in DETECTORS.items() if entry.detector_class.has_side_outputs]
SIZES = [(37, 53), (1, 1), (2, 19)]

pytestmark = pytest.mark.filterwarnings("error")


def image(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3)).to(dtype)


@pytest.fixture(scope="module")
def nets() -> dict[str, Detector]:
    """Each detector for grey images in evaluation mode; do not change them."""
    torch.manual_seed(0)
    return {name: build(name).eval() for name in DETECTORS}


@pytest.mark.parametrize("title", FACTS)
def test_layers_are_the_published_ones(title):
    """With three channels and deep supervision as published: the heads of DNANet's side outputs are counted."""
    with torch.device("meta"):
        net = build(TITLES[title], in_channels=3)
    shapes = Counter(str(list(parameter.shape)) for parameter in net.parameters())
    assert shapes == FACTS[title]["shapes"]
    assert sum(shapes.values()) == FACTS[title]["tensors"]
    assert sum(parameter.numel() for parameter in net.parameters()) == FACTS[title]["parameters"]


def test_tiny_has_about_a_tenth_of_a_million_parameters():
    assert 80_000 < sum(parameter.numel() for parameter in build("tiny").parameters()) < 130_000


@pytest.mark.parametrize("name", DETECTORS)
def test_any_size_in_evaluation(nets, name):
    with torch.inference_mode():
        for size in SIZES:
            logits = nets[name](image(2, 1, *size))
            assert logits.shape == (2, 1, *size)
            assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_padding_is_by_reflection_and_nothing_else(nets, name):
    grey = image(1, 1, 21, 34)
    padded = pad_to_multiple(grey, nets[name].multiple)
    with torch.inference_mode():
        assert torch.equal(nets[name](grey), nets[name](padded)[..., :21, :34])


@pytest.mark.parametrize("name", DETECTORS)
def test_evaluation_is_deterministic_and_images_do_not_meet(nets, name):
    batch = image(3, 1, 32, 32)
    with torch.inference_mode():
        first = nets[name](batch)
        assert torch.equal(first, nets[name](batch))
        torch.testing.assert_close(first[1:2], nets[name](batch[1:2]), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", DETECTORS)
def test_training_reaches_every_parameter(name):
    torch.manual_seed(1)
    net = build(name, in_channels=3, deep_supervision=name in SUPERVISED)
    out = net(image(2, 3, 19, 30))
    maps = out if net.deep_supervision else [out]
    assert isinstance(maps, list)
    assert len(maps) > net.deep_supervision
    sizes = [(19, 30), (19, 30), (10, 15), (5, 8), (3, 4)] if name == "mshnet" else [(19, 30)] * len(maps)
    assert [logits.shape[2:] for logits in maps] == sizes
    assert all(logits.shape[:2] == (2, 1) for logits in maps)
    sum(logits.square().mean() for logits in maps).backward()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    untouched = {name for name, gradient in gradients.items() if gradient is None}
    assert untouched == {name for name in gradients if "unused" in name.split(".")}, (
        "layers that papers' codes carry idly"
    )
    reached = {name: gradient for name, gradient in gradients.items() if gradient is not None}
    assert [name for name, gradient in reached.items() if gradient.ndim > 1 and not gradient.any()] == []
    assert all(bool(torch.isfinite(gradient).all()) for gradient in reached.values())


@pytest.mark.parametrize("name", DETECTORS)
def test_float64_and_the_state_dict_go_round(nets, name):
    other = build(name).eval()
    other.load_state_dict(nets[name].state_dict())
    grey = image(1, 1, 24, 40)
    with torch.inference_mode():
        expected = nets[name](grey)
        assert torch.equal(other(grey), expected)
        logits = other.double()(grey.double())
    assert logits.dtype == torch.float64
    scale = float(expected.abs().max()) + 1e-6
    torch.testing.assert_close(logits.float() / scale, expected / scale, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SUPERVISED)
def test_side_outputs_only_when_asked_for_and_in_training_only(nets, name):
    grey = image(2, 1, 32, 32)
    with torch.device("meta"):
        plain = build(name, deep_supervision=False)(grey.to("meta"))
        maps = build(name, deep_supervision=True)(grey.to("meta"))
    assert isinstance(plain, torch.Tensor)
    assert len(maps) > 1
    assert maps[0].shape == plain.shape


@pytest.mark.parametrize("name", SUPERVISED)
def test_the_first_map_of_training_is_the_one_of_evaluation(nets, name):
    """Batch statistics aside: with them frozen, training and evaluation agree."""
    published = nets[name].deep_supervision
    net = copy.deepcopy(nets[name]) if published else build(name, deep_supervision=True).eval()
    grey = image(2, 1, 32, 32)
    with torch.inference_mode():
        expected = net(grey)
    net.train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()
    with torch.inference_mode():
        assert torch.equal(net(grey)[0], expected)


@pytest.mark.parametrize("name", sorted(DETECTORS.keys() - set(SUPERVISED)))
def test_nets_without_side_outputs_refuse_deep_supervision(name):
    with pytest.raises(InputError, match=r"deep_supervision must be False for \w+: it has no side outputs"):
        build(name, deep_supervision=True)


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (1, 8, 8), (1, 1, 0, 8), (0, 1, 8, 8)])
def test_images_of_another_shape(nets, shape):
    with pytest.raises(InputError, match=r"image must have shape \(B, 1, H, W\), got"):
        nets["tiny"](torch.zeros(shape))


def test_a_training_batch_of_one_pixel_at_the_deepest_level():
    with pytest.raises(InputError, match="more than one image of 16 x 16 pixels"):
        build("dnanet")(image(1, 1, 9, 16))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("DNANet", {}, "unknown detector 'DNANet'; did you mean dnanet"),
        ("zzz", {}, "unknown detector 'zzz'; there are tiny, mlclnet"),
        ("tiny", {"in_channels": 2}, "in_channels must be 1 or 3, got 2"),
    ],
)
def test_build_refuses(name, options, message):
    with pytest.raises(InputError, match=message):
        build(name, **options)


def test_the_table_can_be_listed_without_torch():
    code = "import sys; from pointlabel.detectors import DETECTORS; print(len(DETECTORS), 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == [str(len(DETECTORS)), "False"]
