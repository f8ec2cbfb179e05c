"""Every detector as ONNX: the numbers of torch at any size, what the file says, and each way to fail."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from pointlabel.convolutions import KINDS, PinwheelGaussianConv2d, replace_convolutions
from pointlabel.detectors import DETECTORS, build
from pointlabel.detectors.base import Detector
from pointlabel.detectors.onnx_detector import OnnxDetector
from pointlabel.detectors.onnx_export import compare_with_onnx, detector_to_onnx
from pointlabel.errors import InputError, MissingExtraError, PointLabelError

pytestmark = pytest.mark.slow

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZES = [(1, 1, 1), (2, 37, 53), (1, 33, 18)]


def lived_in(name: str, in_channels: int = 1) -> Detector:
    """A detector whose batch normalisation is not the one of fresh weights, so that nothing in it is idle."""
    torch.manual_seed(0)
    net = build(name, in_channels=in_channels)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 2)
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.1)
    return net.eval()


def check(net: Detector, session: OnnxDetector, rng: np.random.Generator, sizes: list[tuple[int, int, int]]) -> None:
    """Logits within 1e-4 of the largest one, and probabilities within 1e-4."""
    for n_images, height, width in sizes:
        image = rng.random((n_images, net.in_channels, height, width), dtype=np.float32)
        with torch.inference_mode():
            expected = net(torch.from_numpy(image))
        logits = session.predict(image)
        assert logits.dtype == np.float32
        assert logits.shape == (n_images, 1, height, width)
        scale = max(1.0, float(expected.abs().max()))
        np.testing.assert_allclose(logits / scale, expected.numpy() / scale, rtol=0, atol=1e-4)
        torch.testing.assert_close(torch.from_numpy(logits).sigmoid(), expected.sigmoid(), rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def tiny() -> tuple[Detector, bytes]:
    """The small net and its file."""
    net = lived_in("tiny")
    return net, detector_to_onnx(net)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_at_any_size(name, rng):
    net = lived_in(name)
    session = OnnxDetector(detector_to_onnx(net), n_threads=1)
    assert (session.name, session.in_channels) == (name, 1)
    check(net, session, rng, SIZES)


def test_three_channels(rng):
    net = lived_in("tiny", in_channels=3)
    session = OnnxDetector(detector_to_onnx(net))
    assert session.in_channels == 3
    check(net, session, rng, [(2, 20, 30)])


@pytest.mark.parametrize("kind", KINDS)
def test_replaced_convolutions(kind, rng):
    net = lived_in("tiny")
    plain = detector_to_onnx(net)
    replace_convolutions(net, kind, sigma=1.1)
    session = OnnxDetector(detector_to_onnx(net))
    check(net, session, rng, SIZES)
    image = rng.random((1, 1, 16, 16), dtype=np.float32)
    assert np.abs(session.predict(image) - OnnxDetector(plain).predict(image)).max() > 0.01


def test_a_convolution_alone(tmp_path):
    layer = PinwheelGaussianConv2d(2, 3, 7, padding=3, sigma=1.5, angle=0.5).eval()
    x = torch.rand(1, 2, 12, 9)
    place = str(tmp_path / "layer.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(layer, (x,), place, input_names=["x"], dynamo=False)
    session = onnxruntime.InferenceSession(place, providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(out), layer(x).detach(), atol=1e-5, rtol=0)


def test_the_net_stays_as_it_is(rng):
    net = lived_in("tiny").half()
    net.train()
    next(net.children()).eval()
    modes = [layer.training for layer in net.modules()]
    state = copy.deepcopy(net.state_dict())
    data = detector_to_onnx(net)
    assert [layer.training for layer in net.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    check(net.float().eval(), OnnxDetector(data), rng, [(1, 9, 21)])


def test_deep_supervision_leaves_one_output(rng):
    net = build("unet-ca", deep_supervision=True).train()
    data = detector_to_onnx(net)
    assert [output.name for output in onnx.load_from_string(data).graph.output] == ["logits"]
    check(net.eval(), OnnxDetector(data), rng, [(1, 17, 16)])


def test_sizes_are_free_and_notes_are_kept(tiny):
    notes = {"scaling": {"mean": 0.4, "deviation": None}, "threshold": 0.3}
    data = detector_to_onnx(tiny[0], notes=notes)
    assert OnnxDetector(data).notes == notes
    assert OnnxDetector(tiny[1]).notes == {}
    for value in (*(graph := onnx.load_from_string(data).graph).input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        assert [bool(dim.dim_param) for dim in dims] == [True, False, True, True]
        assert dims[1].dim_value == 1


def test_comparison(tiny):
    net, data = tiny
    assert 0 <= compare_with_onnx(net, data) < 1e-4
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.head.bias.add_(0.01)
    with pytest.raises(
        PointLabelError, match=r"does not give what tiny does: at 45 x 70 pixels logits differ by 0\.01"
    ):
        compare_with_onnx(other, data)


def test_the_runtime_needs_no_torch(tmp_path, tiny):
    place = tmp_path / "tiny.onnx"
    place.write_bytes(tiny[1])
    code = (
        "import sys, numpy as np; from pointlabel.detectors.onnx_detector import OnnxDetector\n"
        "print(OnnxDetector(sys.argv[1], n_threads=1).predict(np.zeros((1, 1, 5, 7))).shape, 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "(1, 1, 5, 7) False"


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (1, 8, 8), (1, 1, 0, 8)])
def test_images_of_another_shape(tiny, shape):
    with pytest.raises(InputError, match=r"image must have shape \(B, 1, H, W\), got \("):
        OnnxDetector(tiny[1]).predict(np.zeros(shape))


def test_files_that_are_not_ours(tmp_path, tiny):
    place = tmp_path / "net.onnx"
    with pytest.raises(InputError, match=r"net\.onnx: no such ONNX file"):
        OnnxDetector(place)
    place.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"net\.onnx: cannot be read as ONNX"):
        OnnxDetector(place)
    model = onnx.load_from_string(tiny[1])
    del model.metadata_props[:]
    with pytest.raises(InputError, match="the ONNX file: the file does not say which detector it is"):
        OnnxDetector(model.SerializeToString())


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("onnx", r"the export needs onnx: pip install 'pointlabel\[onnx\]'"),
        ("onnxruntime", r"ONNX files need onnxruntime: pip install 'pointlabel\[onnx\]'"),
    ],
)
def test_a_missing_package(monkeypatch, tiny, package, message):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=message):
        compare_with_onnx(tiny[0], detector_to_onnx(tiny[0]))
