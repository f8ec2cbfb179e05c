"""The command weights import: what it writes, what it prints, and each way to fail."""

from __future__ import annotations

import json
import os

import pytest
import torch
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.detectors import build
from pointlabel.detectors.weights import load_weights


def run(*arguments):
    return CliRunner().invoke(main, ["weights", "import", *map(str, arguments)])


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of the small net under its own names, as a training script would leave it."""
    torch.manual_seed(4)
    net = build("tiny", in_channels=3)
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "best.pth.tar")
    return tmp_path / "best.pth.tar"


def change(checkpoint, edit):
    """Edit the checkpoint's state dict in place."""
    held = torch.load(checkpoint, weights_only=True)
    edit(held["state_dict"])
    torch.save(held, checkpoint)


def test_weights_and_report_are_written(tmp_path, checkpoint):
    out = tmp_path / "out" / "tiny.safetensors"
    result = run(checkpoint, "--model", "tiny", "-o", out)
    assert result.exit_code == 0, result.output
    assert "matched by name" in result.stdout
    assert f"tiny for 3-channel images, without deep supervision, written to {out}" in result.stdout
    net = load_weights(out)
    expected = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(tensor, expected[f"module.{name}"]) for name, tensor in net.state_dict().items())
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["n_tensors"] == len(report["matched"]) == len(expected)
    assert (report["detector"], report["in_channels"], report["missing"]) == ("tiny", 3, [])


def test_less_than_all_is_refused_unless_partial(tmp_path, checkpoint):
    change(checkpoint, lambda state: state.pop("module.head.bias"))
    out = tmp_path / "tiny.safetensors"
    result = run(checkpoint, "--model", "tiny", "-o", out)
    assert result.exit_code == 1
    n = len(build("tiny", in_channels=3).state_dict())
    assert f"best.pth.tar: {n - 1} of the {n} tensors of tiny fit; 1 missing (the first: head.bias)" in result.stderr
    assert "--partial keeps what fits" in result.stderr
    assert not out.exists()
    first = run(checkpoint, "--model", "tiny", "-o", out, "--partial")
    assert first.exit_code == 0
    weights = out.read_bytes()
    run(checkpoint, "--model", "tiny", "-o", out, "--partial")
    assert out.read_bytes() == weights, "fresh weights come from the seed"
    assert json.loads(out.with_suffix(".json").read_text())["missing"] == ["head.bias"]


def test_names_by_order_are_warned_of(tmp_path, checkpoint):
    change(checkpoint, lambda state: state.update({"module.top.bias": state.pop("module.head.bias")}))
    result = run(checkpoint, "--model", "tiny", "-o", tmp_path / "tiny.safetensors")
    assert result.exit_code == 0
    assert "warning: 1 tensors have names that are not known here" in result.stderr
    assert "(the first: top.bias)" in result.stderr


class Trap:
    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


def test_a_file_that_would_run_code(tmp_path):
    torch.save({"state_dict": Trap(tmp_path / "trace")}, tmp_path / "bad.pth")
    result = run(tmp_path / "bad.pth", "--model", "tiny", "-o", tmp_path / "x.safetensors")
    assert result.exit_code == 2
    assert "bad.pth: not opened, since unpickling it could run code: it asks for " in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "trace").exists()


def test_the_wrong_model(tmp_path, checkpoint):
    result = run(checkpoint, "--model", "mshnet", "-o", tmp_path / "x.safetensors", "--partial")
    assert result.exit_code == 2
    assert "of mshnet fit" in result.stderr
    assert "the file fits tiny" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "tiny", "-o", "x.pth"], "--out must end in .safetensors, got x.pth"),
        (["--model", "resnet", "-o", "x.safetensors"], "'resnet' is not one of 'tiny'"),
    ],
)
def test_arguments(checkpoint, arguments, message):
    result = run(checkpoint, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
