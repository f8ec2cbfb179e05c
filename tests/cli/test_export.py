"""The command export: from a file of weights and from a run, and each way to fail."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.convolutions import replace_convolutions
from pointlabel.detectors import build
from pointlabel.detectors.onnx_detector import OnnxDetector
from pointlabel.detectors.weights import load_weights, weights_to_bytes
from pointlabel.training import load_run

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def run(*arguments, group=()):
    return CliRunner().invoke(main, [*group, "export", *map(str, arguments)])


@pytest.fixture
def weights(tmp_path):
    """Weights of the small net with Gaussian convolutions."""
    torch.manual_seed(4)
    net = build("tiny", in_channels=3)
    replace_convolutions(net, "gaussian", sigma=1.4, where=lambda name, _: name.startswith("down"))
    (tmp_path / "tiny.safetensors").write_bytes(weights_to_bytes(net))
    return tmp_path / "tiny.safetensors"


def test_a_file_of_weights(tmp_path, weights, rng):
    out = tmp_path / "out" / "tiny.onnx"
    result = run(weights, "-o", out)
    assert result.exit_code == 0, result.output
    size = out.stat().st_size / 1e6
    assert f"tiny for 3-channel images, written to {out} ({size:.1f} MB)" in result.stdout
    assert "largest difference of logits from torch: " in result.stdout
    session = OnnxDetector(out)
    assert session.notes == {}
    image = rng.random((2, 3, 30, 41), dtype=np.float32)
    with torch.inference_mode():
        expected = load_weights(weights)(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.predict(image), expected, atol=1e-4)
    quiet = run(weights, "-o", out, group=["-q"])
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_a_run(tmp_path, draw_dataset, rng):
    folder = tmp_path / "run"
    options = ["--epochs", "1", "--crop", "32", "--label-method", "threshold", "--threshold", "0.4"]
    arguments = ["-q", "train", str(draw_dataset(n_images=6)), "--out", str(folder), *options]
    trained = CliRunner().invoke(main, arguments)
    assert trained.exit_code == 0, trained.output
    out = tmp_path / "run.onnx"
    result = run(folder, "-o", out)
    assert result.exit_code == 0, result.output
    loaded, session = load_run(folder), OnnxDetector(out)
    assert session.notes["threshold"] == 0.4
    assert session.notes["scaling"] == {"mean": loaded.scaling.mean, "deviation": loaded.scaling.deviation}
    image = rng.normal(size=(1, 1, 40, 24)).astype(np.float32)
    with torch.inference_mode():
        expected = loaded.net(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.predict(image), expected, atol=1e-4)


def test_refusals(tmp_path, weights, monkeypatch):
    result = run(weights, "-o", tmp_path / "tiny.pt")
    assert result.exit_code == 2
    assert "--out must end in .onnx, or be - for standard output, got" in result.stderr
    result = run(tmp_path / "none", "-o", tmp_path / "x.onnx")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    result = run(tmp_path, "-o", tmp_path / "x.onnx")
    assert result.exit_code == 2
    assert "no run of pointlabel train" in result.stderr
    (tmp_path / "notes.json").write_text(json.dumps({}))
    result = run(tmp_path / "notes.json", "-o", tmp_path / "x.onnx")
    assert result.exit_code == 2
    assert "notes.json: cannot be read as safetensors" in result.stderr
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run(weights, "-o", tmp_path / "x.onnx")
    assert result.exit_code == 1
    assert "the export needs onnx: pip install 'pointlabel[onnx]'" in result.stderr
    assert not (tmp_path / "x.onnx").exists()
