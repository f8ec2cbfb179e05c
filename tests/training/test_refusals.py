"""Runs that must fail: what they say, and that nothing on disk is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pointlabel import InputError
from pointlabel.errors import MissingExtraError, TrainingError
from pointlabel.training import train
from pointlabel.training.checkpoint import read_checkpoint, write_checkpoint
from pointlabel.training.run import read_metrics
from pointlabel.training.trainer import Trainer
from tests.training.outcomes import results

pytestmark = pytest.mark.slow


def test_a_loss_that_is_not_finite_ends_with_one_sentence(split_dataset, small_config, tmp_path, monkeypatch):
    sound = Trainer.sample_losses

    def broken(self, logits, batch):
        losses = sound(self, logits, batch)
        return losses * float("nan") if self.epoch == 2 else losses

    monkeypatch.setattr(Trainer, "sample_losses", broken)
    folder, config = split_dataset(), small_config(epochs=2)
    with pytest.raises(
        TrainingError, match=r"the loss of drawn/\d, .* is not finite in epoch 2, step 1; .*epoch 1 stays in .*run"
    ):
        train(config, [folder], tmp_path / "run")
    monkeypatch.setattr(Trainer, "sample_losses", sound)
    train(config, [folder], tmp_path / "run", mode="resume")
    train(config, [folder], tmp_path / "whole")
    assert results(tmp_path / "run") == results(tmp_path / "whole")


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "python"],
)
def test_out_of_memory_says_what_to_change(split_dataset, small_config, tmp_path, monkeypatch, error):
    def broken(self, image):
        raise error

    monkeypatch.setattr(Trainer, "forward", broken)
    with pytest.raises(TrainingError, match="out of memory with batch_size 4 and crop 32; take smaller ones"):
        train(small_config(), [split_dataset()], tmp_path / "run")


def test_other_errors_are_not_taken_for_memory(split_dataset, small_config, tmp_path, monkeypatch):
    def broken(self, image):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Trainer, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(small_config(), [split_dataset()], tmp_path / "run")


def test_a_folder_that_holds_another_run_is_refused(split_dataset, small_config, tmp_path):
    folder, out = split_dataset(), tmp_path / "run"
    train(small_config(epochs=1), [folder], out)
    with pytest.raises(
        InputError, match="run holds a run already; `mode=resume` goes on with it, `mode=overwrite` replaces it"
    ):
        train(small_config(epochs=1), [folder], out)
    with pytest.raises(InputError, match="run holds a run with loss soft-iou, this one has loss dice; use the same"):
        train(small_config(epochs=1, loss="dice"), [folder], out, mode="resume")
    (folder / "img_idx/train.txt").write_text("0\n1\n2\n3\n4\n5\n")
    with pytest.raises(InputError, match="run holds a run on other images, or on another split of them"):
        train(small_config(epochs=1), [folder], out, mode="resume")
    (out / "mine.txt").write_text("notes")
    train(small_config(epochs=1, loss="dice"), [folder], out, mode="overwrite")
    assert (out / "mine.txt").read_text() == "notes"
    with pytest.raises(InputError, match="mode must be one of new, resume, overwrite, got 'again'"):
        train(small_config(epochs=1), [folder], out, mode="again")


def test_files_that_no_run_wrote_are_not_replaced(split_dataset, small_config, tmp_path):
    (tmp_path / "run/labels").mkdir(parents=True)
    with pytest.raises(InputError, match="labels is in the way and no run wrote it; choose another folder"):
        train(small_config(), [split_dataset()], tmp_path / "run", mode="overwrite")


def test_a_checkpoint_of_another_detector_is_refused(split_dataset, small_config, tmp_path):
    folder, out = split_dataset(), tmp_path / "run"
    train(small_config(epochs=1), [folder], out)
    path = str(out / "last.safetensors")
    state = read_checkpoint(path)
    del state["trainer"]["net"]["head.bias"]
    write_checkpoint(path, state)
    with pytest.raises(InputError, match=r'last.safetensors: the checkpoint does not fit this run \(.*"head.bias"'):
        train(small_config(epochs=1), [folder], out, mode="resume")
    Path(path).write_bytes(b"")
    with pytest.raises(InputError, match=r"last.safetensors: the file is empty"):
        train(small_config(epochs=1), [folder], out, mode="resume")


def test_what_cannot_work_fails_before_anything_is_written(split_dataset, small_config, tmp_path, monkeypatch):
    folder, out = split_dataset(), tmp_path / "run"
    with pytest.raises(InputError, match="device cuda:7 is not there; this machine has"):
        train(small_config(device="cuda:7"), [folder], out)
    with pytest.raises(InputError, match="strategy offline has no parameter beta"):
        train(small_config(options={"beta": 1}), [folder], out)
    with pytest.raises(InputError, match="unknown method 'defalt'"):
        train(small_config(label_method="defalt"), [folder], out)
    monkeypatch.setattr("pointlabel.training.tensorboard.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pointlabel\[tensorboard\]'"):
        train(small_config(tensorboard=True), [folder], out)
    assert not out.exists()


def test_a_run_with_other_convolutions_is_refused(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    train(small_config(epochs=1), [folder], tmp_path / "run")
    with pytest.raises(InputError, match="a run with conv plain, this one has conv gaussian"):
        train(small_config(epochs=1, conv="gaussian"), [folder], tmp_path / "run", mode="resume")


def test_parameters_of_the_loss_count_and_wrong_ones_are_named_before_anything_is_written(
    split_dataset, small_config, tmp_path
):
    folder = split_dataset()
    losses = [
        train(small_config(epochs=1, loss="ratio", loss_params=params), [folder], tmp_path / name)
        and read_metrics(str(tmp_path / name))[0]["loss"]
        for name, params in (("plain", {}), ("smooth", {"smooth": 1.0}))
    ]
    assert losses[0] != losses[1]
    with pytest.raises(InputError, match="loss ratio has no option smoth; did you mean smooth"):
        train(small_config(loss="ratio", loss_params={"smoth": 1.0}), [folder], tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_a_full_disk_leaves_no_part_of_a_line_of_metrics(tmp_path):
    script = (
        "import resource, signal, sys\n"
        "from pointlabel.errors import OutputError\n"
        "from pointlabel.training.run import append_metrics\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "append_metrics('.', {'epoch': 1, 'loss': 0.5})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "try:\n"
        "    append_metrics('.', {'epoch': 2, 'loss': 0.25, 'val_iou': 0.125})\n"
        "except OutputError as error:\n"
        "    sys.exit(f'told: {error}')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "told: cannot write ./metrics.jsonl (File too large)" in done.stderr
    assert (tmp_path / "metrics.jsonl").read_text() == '{"epoch":1,"loss":0.5}\n'
