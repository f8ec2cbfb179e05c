"""``pointlabel train`` and ``pointlabel split`` on drawn scenes: files, exit codes, messages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.training.config import TrainConfig

SMALL = ["--crop", "32", "--epochs", "2", "--batch-size", "4", "--device", "cpu"]


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def dataset(draw_dataset):
    """Ten drawn images, eight of them for training."""
    folder = draw_dataset(n_images=10)
    assert call("split", folder, "--ratio", "8:2").exit_code == 0
    return folder


def test_split_writes_lists_and_says_how_many(draw_dataset):
    folder = draw_dataset(n_images=10)
    done = call("split", folder, "--ratio", "6:2:2", "--seed", 3)
    assert (done.exit_code, done.stdout) == (0, "train 6, val 2, test 2\n")
    assert sorted(path.name for path in (folder / "img_idx").iterdir()) == ["test.txt", "train.txt", "val.txt"]
    again = call("split", folder)
    assert again.exit_code == 2
    assert "holds lists already (test, train, val); --overwrite replaces them" in again.stderr
    bad = call("split", folder, "--ratio", "6-2-2", "--overwrite")
    assert bad.exit_code == 2
    assert "ratio must be two or three positive numbers such as 6:2:2, got '6-2-2'" in bad.stderr


def test_train_predict_evaluate(dataset, tmp_path):
    done = call(
        "train", dataset, "-o", tmp_path / "run", *SMALL, "--label-method", "threshold", "--label-set", "level=0.4"
    )
    assert done.exit_code == 0, done.output
    assert re.search(r"protocol ours: scored at native size, epoch chosen by the validation labels", done.stdout)
    assert re.search(r"drawn +2 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+", done.stdout)
    assert "6 images to train on, 2 to validate, 2 to test" in done.stderr
    assert re.search(r"epoch 2 of 2: loss 0\.\d+, IoU 0\.\d+.*; \d+\.\d s, 0:00 left", done.stderr)
    config = json.loads((tmp_path / "run/run.json").read_text())["config"]
    assert (config["label_method"], config["label_params"], config["crop"]) == ("threshold", {"level": 0.4}, 32)
    predicted = call("predict", tmp_path / "run", dataset / "images", "-o", tmp_path / "out", "--device", "cpu")
    assert predicted.exit_code == 0, predicted.output
    assert re.fullmatch(r"10 images, \d+ detections in .*out\n", predicted.stderr)
    scored = call("evaluate", tmp_path / "out/masks", dataset / "masks", "--json")
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.stdout)["images"] == 10
    soft = call("evaluate", tmp_path / "out/soft", dataset / "masks", "--json")
    assert soft.exit_code == 0, soft.output
    again = call("predict", tmp_path / "run", dataset / "images", "-o", tmp_path / "out")
    assert again.exit_code == 2
    assert "out holds predictions already; --overwrite replaces them" in again.stderr


def test_an_image_that_cannot_be_read_gives_3(dataset, tmp_path):
    assert call("-q", "train", dataset, "-o", tmp_path / "run", *SMALL).exit_code == 0
    (dataset / "images/zz.png").write_bytes(b"no image")
    done = call("-q", "predict", tmp_path / "run", dataset / "images", "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert re.fullmatch(r"error: .*zz\.png.*\n", done.stderr)


def test_options_from_a_file_and_the_command_line_wins(dataset, tmp_path):
    (tmp_path / "c.toml").write_text(
        'model = "tiny"\ncrop = 48\n[train]\nepochs = 1\nbatch_size = 2\nlabel-kind = "soft"\n'
    )
    done = call("-q", "train", dataset, "-o", tmp_path / "run", "--config", tmp_path / "c.toml", "--crop", 32)
    assert (done.exit_code, done.output) == (0, "")
    config = json.loads((tmp_path / "run/run.json").read_text())["config"]
    assert [config[key] for key in ("crop", "epochs", "batch_size", "label_kind")] == [32, 1, 2, "soft"]
    (tmp_path / "bad.toml").write_text("epoch = 3\n")
    bad = call("train", dataset, "--config", tmp_path / "bad.toml")
    assert bad.exit_code == 2
    assert "there is no option 'epoch'; did you mean epochs?" in bad.stderr


def test_every_setting_has_its_option():
    named = {option.name for option in main.commands["train"].params}
    assert {item.name for item in fields(TrainConfig)} - named == {"options", "label_params", "loss_params"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "dnant"], "unknown detector 'dnant'; did you mean dnanet?"),
        (["--strategy", "pont"], "unknown strategy 'pont'; did you mean point?"),
        (["--epochs", "0"], "0 is not in the range 1<=x<=1000000"),
        (["--set", "x=1"], "strategy offline has no parameter x; it has none"),
        (["--resume", "--overwrite"], "--resume and --overwrite exclude each other"),
        (["--device", "cuda:9"], "device cuda:9 is not there"),
        (["--label-method", "diffusio"], "unknown method 'diffusio'; did you mean diffusion?"),
        (["--protocol", "paper", "--points", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_wrong_arguments_give_2_and_a_line(dataset, tmp_path, words, message):
    done = call("train", dataset, "-o", tmp_path / "run", *words)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_run_is_gone_on_with_or_replaced_only_where_asked(dataset, tmp_path):
    words = ["train", dataset, "-o", tmp_path / "run", *SMALL]
    assert call("-q", *words).exit_code == 0
    again = call(*words)
    assert again.exit_code == 2
    assert "run holds a run already; --resume goes on with it, --overwrite replaces it" in again.stderr
    other = call(*words, "--resume", "--lr", "0.1")
    assert other.exit_code == 2
    assert "run holds a run with lr 0.001, this one has lr 0.1; use the same settings" in other.stderr
    resumed = call(*words, "--resume")
    assert resumed.exit_code == 0
    assert "2 epochs are done" in resumed.stderr


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(dataset, tmp_path):
    command = [sys.executable, "-m", "pointlabel", "train", str(dataset), "-o", "run", *SMALL, "--epochs", "400"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2"):
                break
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert re.search(r"stopped: \d+ of 400 epochs are done; --resume goes on", rest)
    assert "Traceback" not in rest
    last = json.loads((tmp_path / "run/last.json").read_text())
    assert last["epoch"] >= 2


def test_the_default_folder_names_the_run(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("-q", "train", dataset, *SMALL, "--epochs", "1", "--strategy", "point", "--seed", 4).exit_code == 0
    assert (tmp_path / "runs/drawn-tiny-point-4/best.safetensors").exists()


@pytest.mark.parametrize(("score", "is_told"), [(0.0, True), (0.2, False)])
def test_a_detector_that_fell_silent_is_told(score, is_told):
    from pointlabel.cli.train_console import print_scores
    from pointlabel.training.loop import TrainResult

    @click.command()
    def told():
        print_scores(TrainResult("run", 1, score, None), "ours")

    assert ("no target of the held-out images is met" in CliRunner().invoke(told).stderr) == is_told
