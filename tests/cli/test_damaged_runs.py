"""Folders of runs and files of weights that are damaged: one sentence that names the file, and exit code 2."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.detectors import build
from pointlabel.detectors.onnx_detector import OnnxDetector
from pointlabel.detectors.published_file import read_published
from pointlabel.detectors.weights import load_weights, weights_to_bytes
from pointlabel.errors import InputError
from pointlabel.synthetic import draw_scene
from pointlabel.training import TrainConfig, load_run, train
from pointlabel.training.checkpoint import decode_state, encode_state, read_checkpoint
from pointlabel.training.run import read_metrics
from pointlabel.training.selection import read_weights
from pointlabel.training.stamp import read_stamp

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=3), st.just(10**400),
    st.sampled_from([[], {}, [1], ["a"], {"a": 1}, [[[[]]]], "train", "\x00", "\ud800"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data set with a test part and a run of one epoch on it."""
    root = tmp_path_factory.mktemp("damaged")
    data = root / "drawn"
    for part in ("images", "masks", "masks_centroid"):
        (data / part).mkdir(parents=True)
    for k in range(4):
        drawn = draw_scene(seed=k, shape=(40, 40), n_targets=1, margin_px=12)
        points = np.zeros(drawn.mask.shape, bool)
        points[tuple(drawn.points.astype(int).T)] = True
        for part, pixels in (("images", drawn.image), ("masks", drawn.mask), ("masks_centroid", points)):
            grey = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
            Image.fromarray(grey).save(data / part / f"{k}.png")
    (data / "img_idx").mkdir()
    (data / "img_idx" / "train.txt").write_text("0\n1\n2\n")
    (data / "img_idx" / "test.txt").write_text("3\n")
    train(TrainConfig(epochs=1, crop=32, batch_size=2, lr=0.01, device="cpu"), [data], root / "run")
    return root


@pytest.fixture
def copy(home, tmp_path):
    """A copy of the run, to be damaged."""
    return shutil.copytree(home / "run", tmp_path / "run")


def places(value, path=()):
    """Every place in a JSON value."""
    if path:
        yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*path, key))


def changed(data, held):
    """`held` with one place removed or replaced by something else, as hypothesis draws it."""
    value = json.loads(json.dumps(held))
    *path, last = data.draw(st.sampled_from(list(places(held))))
    inside = value
    for key in path:
        inside = inside[key]
    if data.draw(st.booleans()):
        del inside[last]
    else:
        inside[last] = data.draw(ODD)
    return value


def sentence_of(read, *arguments):
    """What a reader says of a file; nothing where it reads it."""
    try:
        read(*arguments)
    except InputError as error:
        return str(error)
    return None


QUIET = [HealthCheck.function_scoped_fixture]


@settings(suppress_health_check=QUIET, max_examples=100)
@given(st.data())
def test_any_change_of_run_json_is_read_or_named(home, copy, data):
    held = json.loads((home / "run" / "run.json").read_text())
    keys = {key: held[key] for key in ("config", "datasets", "names", "split", "scaling")}
    (copy / "run.json").write_text(json.dumps({**held, **changed(data, keys)}))
    said = sentence_of(read_stamp, str(copy))
    assert said is None or ("run.json: " in said and len(said) < 600)


@settings(suppress_health_check=QUIET, max_examples=60)
@given(st.data())
def test_any_change_of_a_checkpoint_is_read_or_named(home, data):
    sound = (home / "run" / "last.safetensors").read_bytes()
    size = int.from_bytes(sound[:8], "little")
    header = json.loads(sound[8 : 8 + size])
    state = json.loads(header["__metadata__"]["pointlabel_state"])
    header["__metadata__"]["pointlabel_state"] = json.dumps(changed(data, state))
    text = json.dumps(header).encode()
    damaged = len(text).to_bytes(8, "little") + text + sound[8 + size :]
    assert (sentence_of(decode_state, damaged, "last") or "last: ").startswith("last: ")


@settings(suppress_health_check=QUIET, max_examples=60)
@given(st.data())
def test_any_change_of_what_weights_say_of_themselves_is_read_or_named(home, tmp_path, data):
    sound = weights_to_bytes(build("tiny"))
    size = int.from_bytes(sound[:8], "little")
    header = json.loads(sound[8 : 8 + size])
    about = json.loads(header["__metadata__"]["pointlabel_detector"])
    header["__metadata__"]["pointlabel_detector"] = json.dumps(changed(data, about))
    text = json.dumps(header).encode()
    file = tmp_path / "w.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + sound[8 + size :])
    assert (sentence_of(load_weights, file) or f"{file}: ").startswith(f"{file}: ")


RUBBISH = {
    "empty": b"", "binary": bytes(range(256)) * 4, "a word": b"true", "a list": b"[1]", "deep": b"[" * 100_000,
    "cut short": None, "header of 2^60": (2**60).to_bytes(8, "little") + b"{}",
    "offsets beyond": (lambda h: len(h).to_bytes(8, "little") + h)(
        b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'),
}  # fmt: skip


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
@pytest.mark.parametrize("name", ["run.json", "best.safetensors", "best.json"])
def test_commands_name_the_file_that_is_damaged(home, copy, tmp_path, name, rubbish):
    held = (copy / name).read_bytes()
    (copy / name).write_bytes(held[: len(held) // 2] if rubbish is None else rubbish)
    for words in (
        ["predict", copy, home / "drawn" / "images", "-o", tmp_path / "out"],
        ["runs", "compare", copy],
        ["export", copy, "-o", tmp_path / "a.onnx"],
    ):
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == 2, result.output
        (line,) = result.stderr.splitlines()
        assert f"{copy / name}" in line or f"{name}" in line
    assert not (tmp_path / "out").exists()


def resume(home, folder):
    """Go on with a run from the command line."""
    words = ["train", home / "drawn", "-o", folder, "--epochs", 1, "--crop", 32, "--batch-size", 2, "--lr", 0.01]
    return CliRunner().invoke(main, [*map(str, words), "--device", "cpu", "--resume"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epoch", "one"),
        ("epoch", 10**30),
        ("net", []),
        ("net", {}),
        ("optimizer", {"state": {}, "param_groups": 3}),
        ("labels", {"train": {"count": torch.tensor([5])}, "valid": None}),
        ("streams", {"train": None, "valid": None}),
        ("generator", torch.zeros(3)),
        ("torch", {"cpu": 1}),
    ],
)
def test_resume_names_the_checkpoint_that_does_not_fit(home, copy, key, value):
    state = read_checkpoint(str(copy / "last.safetensors"))
    state["trainer"][key] = value
    (copy / "last.safetensors").write_bytes(encode_state(state))
    before = (copy / "metrics.jsonl").read_bytes()
    result = resume(home, copy)
    assert result.exit_code == 2, result.output
    assert "last.safetensors: the checkpoint does not fit this run" in result.stderr.splitlines()[-1]
    assert (copy / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize("progress", [None, {}, {"best_epoch": 1, "best_score": "high", "seconds": 1.0}])
def test_resume_names_a_checkpoint_without_its_progress(home, copy, progress):
    state = read_checkpoint(str(copy / "last.safetensors"))
    (copy / "last.safetensors").write_bytes(encode_state({**state, "progress": progress}))
    result = resume(home, copy)
    assert result.exit_code == 2, result.output
    assert "last.safetensors: " in result.stderr.splitlines()[-1]


def test_weights_that_are_not_finite_are_refused(home, copy):
    tensors = safetensors.torch.load_file(copy / "best.safetensors")
    with safetensors.safe_open(copy / "best.safetensors", "pt") as file:
        about = file.metadata()
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[0] = torch.nan
    safetensors.torch.save_file(tensors, copy / "best.safetensors", about)
    with pytest.raises(InputError, match=r"best.safetensors: .* holds values that are not finite"):
        load_run(copy)


def test_damaged_lines_of_the_log_are_left_out(copy):
    good = (copy / "metrics.jsonl").read_bytes()
    bad = [b"\xff\xfe", b"[1]", b'{"epoch": "1"}', b'{"epoch": 2, "val_iou": "x"}', b"[" * 5000, b'{"epoch": true}']
    (copy / "metrics.jsonl").write_bytes(b"\n".join(bad) + b"\n" + good + b'{"epoch": 3')
    assert [line["epoch"] for line in read_metrics(str(copy))] == [1]


@pytest.mark.parametrize("row", [
    "m/a,0.5\r,0.3,1,4,1.5,0.8,3", "m/a,nan,0.3,1,4,1.5,0.8,3", "m/a,0.5", 'm/a,"0.5', "m/a,0.5,0.3,one,4,1.5,0.8,3",
    "m/a,0.5,0.3," + "9" * 5000 + ",4,1.5,0.8,3", "m/\0,0,0,0,0,0,0", "x" * 200_000 + ",0.5,0.3,1,4,1.5,0.8,3",
])  # fmt: skip
def test_a_damaged_table_of_weights_is_named(tmp_path, row):
    head = "id,weight,difficulty,n_targets,area,elongation,fill,scr\n"
    (tmp_path / "weights.csv").write_text(f"{head}m/b,0.5,0.3,1,4,1.5,0.8,3\n{row}\n", newline="")
    with pytest.raises(InputError, match=r"weights.csv, line .*: damaged"):
        read_weights(tmp_path)


def bomb(file, members):
    """A zip file of a few kilobytes whose members claim much."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name, data in members.items():
            out.writestr(f"archive/{name}", data)


def test_a_packed_checkpoint_is_not_inflated_beyond_what_it_may_take(tmp_path):
    zeros = bytes(64 << 20)
    bomb(
        tmp_path / "w.pth",
        {"data.pkl": pickle.dumps({}, 2), "version": b"3\n", **{f"data/{k}": zeros for k in range(5)}},
    )
    assert (tmp_path / "w.pth").stat().st_size < 4 << 20
    with pytest.raises(InputError, match=r"w.pth: not opened, since its \d+ bytes would take 3355\d+"):
        read_published(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"a": torch.zeros(1).expand(1 << 40)}, r"a of shape \(1099511627776,\) claims more than the file holds"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "a is no plain tensor of numbers"),
        ({"a": torch.empty(3, device="meta")}, "a is no plain tensor of numbers"),
        ({"a": torch.zeros(3, dtype=torch.complex64)}, "a holds complex numbers"),
        ({1: torch.zeros(3)}, "holds no weights by name"),
        ({"state_dict": {"model": {"net": torch.zeros(1)}}}, "holds no weights by name"),
        (torch.zeros(3), "holds no weights by name"),
    ],
)
def test_published_files_that_claim_or_hold_what_no_weights_are(tmp_path, held, message):
    torch.save(held, tmp_path / "w.pth")
    with pytest.raises(InputError, match=message):
        read_published(tmp_path / "w.pth")


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_files_that_are_neither_onnx_nor_a_checkpoint(tmp_path, rubbish):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "x.onnx"
    file.write_bytes(b"PK\x03\x04" * 9 if rubbish is None else rubbish)
    with pytest.raises(InputError, match=r"cannot be read as ONNX|does not say which detector"):
        OnnxDetector(file)
    with pytest.raises(InputError, match=r"no whole checkpoint of torch|could run code|the file is empty"):
        read_published(file)
    with pytest.raises(InputError, match="no such ONNX file"):
        OnnxDetector(tmp_path)
