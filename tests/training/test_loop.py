"""Whole runs on drawn scenes: what they write, that they repeat and resume bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from pointlabel import InputError, annotate
from pointlabel.convolutions import find_replaced
from pointlabel.io.masks.read import read_mask
from pointlabel.training import TrainResult, load_run, train
from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.events import EpochDone, StepDone, TrainingStarted, Working
from pointlabel.training.initialise import build_detector
from pointlabel.training.registry import STRATEGIES, StrategyEntry
from pointlabel.training.run import read_metrics
from pointlabel.training.strategies.offline import Offline
from pointlabel.training.trainer import Trainer
from tests.training.outcomes import results

pytestmark = pytest.mark.slow


class Stopped(Exception):
    """What a test stops a run with."""


def stop_at(epoch: int, step: int = 0) -> Callable[[Any], None]:
    """A callback that stops the run in the middle of an epoch, or after one with step 0."""

    def report(event: Any) -> None:
        place = (event.epoch, event.step) if isinstance(event, StepDone) else None
        if place == (epoch, step) or (step == 0 and isinstance(event, EpochDone) and event.epoch == epoch):
            raise Stopped

    return report


def scores(result: TrainResult) -> dict[str, Any]:
    """Scores on the test part, which the run has."""
    assert result.test is not None
    return result.test


def test_a_run_writes_what_it_promises(split_dataset, small_config, tmp_path):
    events: list[Any] = []
    config = small_config(epochs=3, picture_every=2)
    result = train(config, [split_dataset()], tmp_path / "run", report=events.append)
    folder = tmp_path / "run"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "run.json", "metrics.jsonl", "results.json", "best.safetensors", "best.json", "last.safetensors", "last.json",
        "labels", "pictures",
    }  # fmt: skip
    stamp = json.loads((folder / "run.json").read_text())
    assert stamp["config"] == config.as_dict()
    assert {"split_sha256", "versions", "split", "scaling", "machine"} <= stamp.keys()
    lines = read_metrics(str(folder))
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert {"lr", "loss", "val_iou", "val_loss", "seconds"} <= lines[0].keys()
    assert max(line["val_iou"] for line in lines) == result.best_score
    assert json.loads((folder / "best.json").read_text())["epoch"] == result.best_epoch
    test = json.loads((folder / "results.json").read_text())
    assert test["protocol"]["name"] == "ours"
    assert test["test"] == result.test
    assert scores(result)["whole"]["images"] == 2
    with Image.open(folder / "pictures/epoch-0002.png") as picture:
        assert picture.size == (3 * (80 + 4), 2 * (64 + 4))
    started = next(event for event in events if isinstance(event, TrainingStarted))
    assert (started.n_train, started.n_valid, started.n_test, started.n_steps) == (6, 2, 2, 2)
    assert sum(isinstance(event, StepDone) for event in events) == 6
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [1, 2, 3]
    assert {event.what for event in events if isinstance(event, Working)} == {"reading", "labelling"}
    assert events[-1].seconds_left == 0


def test_training_learns(split_dataset, small_config, tmp_path):
    config = small_config(strategy="full", epochs=20, batch_size=8, zoom=0)
    result = train(config, [split_dataset(n_train=16)], tmp_path / "run")
    losses = [line["loss"] for line in read_metrics(str(tmp_path / "run"))]
    assert np.mean(losses[-3:]) < 0.75 * np.mean(losses[:3])
    assert result.best_score > 0.25
    assert scores(result)["whole"]["iou"] > 0.25


def test_a_seed_fixes_everything_and_another_changes_it(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    state = torch.get_rng_state()
    train(small_config(epochs=1), [folder], tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), state), "a run leaves torch's own generator as it was"
    torch.manual_seed(99)
    train(small_config(epochs=1), [folder], tmp_path / "b")
    train(small_config(epochs=1, seed=1), [folder], tmp_path / "c")
    assert results(tmp_path / "a") == results(tmp_path / "b")
    assert results(tmp_path / "a")["net"] != results(tmp_path / "c")["net"]


def test_a_run_that_is_resumed_ends_with_the_same_bits(split_dataset, small_config, tmp_path):
    folder, config = split_dataset(), small_config(epochs=4, label_kind="soft")
    train(config, [folder], tmp_path / "whole", mode="resume")  # there is nothing to resume from
    for stop in ((1, 2), (2, 0), (4, 1)):  # before the first epoch is saved, between two, in the middle of one
        with pytest.raises(Stopped):
            train(config, [folder], tmp_path / "run", mode="resume", report=stop_at(*stop))
    train(config, [folder], tmp_path / "run", mode="resume")
    assert results(tmp_path / "run") == results(tmp_path / "whole")
    train(config, [folder], tmp_path / "run", mode="resume")  # there is nothing left to do
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_a_killed_run_ends_with_the_same_bits(split_dataset, small_config, tmp_path):
    folder, config = split_dataset(), small_config(epochs=4)
    code = (
        "import sys, torch\n"
        "from pointlabel.training import TrainConfig, train\n"
        "torch.set_num_threads(1)\n"
        f"config = TrainConfig(**{config.as_dict()!r})\n"
        f"train(config, [{str(folder)!r}], {str(tmp_path / 'run')!r}, mode='resume', report=print)\n"
    )
    with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("StepDone(epoch=2"):
                break
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (tmp_path / "run/metrics.jsonl").write_bytes((tmp_path / "run/metrics.jsonl").read_bytes() + b'{"epoch": 9, "lo')
    train(config, [folder], tmp_path / "run", mode="resume")
    train(config, [folder], tmp_path / "whole")
    assert results(tmp_path / "run") == results(tmp_path / "whole")
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_the_best_epoch_does_not_depend_on_test_masks(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    first = train(small_config(), [folder], tmp_path / "a")
    for name in ("8", "9"):
        path = folder / f"masks/{name}.png"
        Image.fromarray(np.roll(np.array(Image.open(path)), 20, axis=1)).save(path)
    second = train(small_config(), [folder], tmp_path / "b")
    assert results(tmp_path / "a")["best"] == results(tmp_path / "b")["best"]
    assert first.test != second.test


def test_training_masks_are_not_even_opened_under_points(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    for k in range(8):
        (folder / f"masks/{k}.png").write_bytes(b"no image")
    train(small_config(epochs=1, strategy="point"), [folder], tmp_path / "a")
    train(small_config(epochs=1, strategy="offline"), [folder], tmp_path / "b")
    with pytest.raises(InputError, match=r"masks/\d.png"):
        train(small_config(epochs=1, strategy="full"), [folder], tmp_path / "c")


def test_labels_are_those_of_annotate(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    train(small_config(epochs=1, label_method="threshold", tightness=0.7), [folder], tmp_path / "run")
    for path in (tmp_path / "run/labels/drawn").iterdir():
        with Image.open(folder / "images" / path.name) as image, Image.open(folder / "masks_centroid" / path.name) as p:
            points = np.argwhere(np.array(p))
            expected = annotate(np.array(image), points, method="threshold", tightness=0.7).mask()
        assert (read_mask(path) == expected).all()
    assert len(list((tmp_path / "run/labels/drawn").iterdir())) == 8


def test_labels_may_be_given_as_a_folder(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    full = train(small_config(strategy="full"), [folder], tmp_path / "full")
    given = train(small_config(labels=str(folder / "masks")), [folder], tmp_path / "given")
    assert results(tmp_path / "full")["net"] == results(tmp_path / "given")["net"]
    assert full.test == given.test
    shutil.copytree(folder / "masks", tmp_path / "given-masks/given")
    (tmp_path / "given-masks/given/3.png").unlink()
    with pytest.raises(InputError, match=r"given: there is no mask for drawn/3"):
        train(small_config(labels=str(tmp_path / "given-masks/given")), [folder], tmp_path / "lacking")
    assert not (tmp_path / "lacking/run.json").exists(), "the folder is free for another try"
    with pytest.raises(InputError, match="nowhere: no such folder; labels names the folder"):
        train(small_config(labels="nowhere"), [folder], tmp_path / "lacking")


def test_joined_data_sets_are_reported_whole_and_apart(split_dataset, small_config, tmp_path):
    a, b = split_dataset("a"), split_dataset("b", n_test=3)
    test = scores(train(small_config(epochs=1), [a, b], tmp_path / "run"))
    assert {name: part["images"] for name, part in test["parts"].items()} == {"a": 2, "b": 3}
    assert test["whole"]["images"] == 5


def test_points_from_a_table_need_no_data_set(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    rows = ["image,x,y"]
    for path in sorted((folder / "masks_centroid").iterdir()):
        with Image.open(path) as image:
            rows += [f"{path.stem},{column},{row}" for row, column in np.argwhere(np.array(image))]
    (tmp_path / "clicks.csv").write_text("\n".join(rows) + "\n")
    result = train(small_config(epochs=1, points=str(tmp_path / "clicks.csv")), [folder / "images"], tmp_path / "run")
    assert result.test is None
    with pytest.raises(InputError, match="images: training on true masks needs the folder masks/"):
        train(
            small_config(strategy="full", points=str(tmp_path / "clicks.csv")), [folder / "images"], tmp_path / "full"
        )


def test_the_protocol_of_the_paper_is_named_and_scores_at_256(split_dataset, small_config, tmp_path):
    folder = split_dataset()
    (folder / "img_idx/val.txt").write_text("6\n7\n")
    (folder / "img_idx/train.txt").write_text("0\n1\n2\n3\n4\n5\n")
    result = train(small_config(protocol="paper"), [folder], tmp_path / "run")
    stored = json.loads((tmp_path / "run/results.json").read_text())["protocol"]
    assert stored == {"name": "paper", "scored_at": "256 x 256", "epoch_chosen_by": "IoU of the test part"}
    lines = read_metrics(str(tmp_path / "run"))
    assert result.best_score == max(line["test_iou"] for line in lines)
    assert scores(result)["whole"]["iou"] == pytest.approx(result.best_score)
    bare = split_dataset("bare")
    (bare / "img_idx/test.txt").unlink()
    with pytest.raises(InputError, match="the protocol paper chooses the epoch on a test part"):
        train(small_config(protocol="paper"), [bare], tmp_path / "bare-run")


class Recorder(Offline):
    """Offline, with a log of what is called, weights, and numbers of its own."""

    calls: ClassVar[list[str]] = []

    def start(self, trainer):
        self.calls.append(f"start {trainer.epoch}")
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.drawn = 0.0

    def parameters(self):
        return [self.scale]

    def on_epoch_start(self, trainer):
        self.calls.append(f"epoch {trainer.epoch}")
        self.drawn = float(torch.rand(1, generator=trainer.generator))

    def objective(self, batch, trainer):
        step = super().objective(batch, trainer)
        held = trainer.validation_batch()
        losses = trainer.sample_losses(trainer.forward(held.image), held)
        return type(step)(step.objective * self.scale.sum() + losses.mean(), step.losses, step.logits)

    def after_step(self, batch, step, trainer):
        assert not step.losses.requires_grad
        assert step.logits[0].shape == batch.label.shape

    def on_epoch_end(self, trainer):
        probability = dict(trainer.predict(trainer.data.train))
        assert trainer.net.training
        if self.config.is_outer(trainer.epoch):
            for index, each in probability.items():
                trainer.data.train.set_label(index, each > 0.3)
        return {"drawn": self.drawn}

    def finish(self, trainer):
        self.calls.append(f"finish {trainer.epoch}")

    def state_dict(self):
        return {"scale": self.scale.detach(), "drawn": self.drawn}

    def load_state_dict(self, state):
        self.scale.data.copy_(state["scale"])
        self.drawn = state["drawn"]


@pytest.fixture
def recorder(monkeypatch):
    """The strategy `Recorder` in the table, under the name "offline", which configs know."""
    Recorder.calls.clear()
    monkeypatch.setattr(StrategyEntry, "strategy_class", property(lambda self: Recorder))
    assert STRATEGIES["offline"].strategy_class is Recorder
    return Recorder


def test_a_strategy_is_called_in_order_and_resumes_with_all_it_changed(recorder, split_dataset, small_config, tmp_path):
    folder, config = split_dataset(), small_config(epochs=3, outer_start=0.2, outer_every=0.3)
    train(config, [folder], tmp_path / "whole")
    assert recorder.calls == ["start 0", *(f"epoch {k}" for k in range(1, 4)), "finish 3"]
    with pytest.raises(Stopped):
        train(config, [folder], tmp_path / "run", report=stop_at(3, 1))
    train(config, [folder], tmp_path / "run", mode="resume")
    whole, run = results(tmp_path / "whole"), results(tmp_path / "run")
    assert whole == run
    last = read_checkpoint(str(tmp_path / "run/last.safetensors"))["trainer"]
    assert float(last["strategy"]["scale"]) != 1, "the detector's optimiser descends the strategy's parameters too"
    labels = read_checkpoint(str(tmp_path / "whole/last.safetensors"))["trainer"]["labels"]["train"]
    assert all(torch.equal(labels[key], last["labels"]["train"][key]) for key in labels)


def test_curves_are_written_where_tensorboard_is_there(split_dataset, small_config, tmp_path):
    pytest.importorskip("tensorboard")
    train(small_config(tensorboard=True), [split_dataset()], tmp_path / "run")
    (events,) = (tmp_path / "run/tensorboard").iterdir()
    assert b"val_iou" in events.read_bytes()


def test_a_detector_with_side_outputs_trains(split_dataset, small_config, tmp_path):
    result = train(small_config(model="mshnet", epochs=1), [split_dataset()], tmp_path / "run")
    assert load_run(tmp_path / "run").net.name == "mshnet"
    assert scores(result)["whole"]["images"] == 2


@pytest.mark.parametrize("name", ["isnet", "msdanet"])
def test_a_detector_with_frozen_layers_trains(name, split_dataset, small_config, tmp_path):
    folder = split_dataset()
    for options in ({}, {"strategy": "bilevel", "options": {"hypergradient": "one-step", "every": 1}}):
        config = small_config(model=name, epochs=1, outer_start=0, label_method="diffusion", **options)
        train(config, [folder], tmp_path / "run", mode="overwrite")
        torch.manual_seed(config.seed)
        fresh = dict(build_detector(config).named_parameters())
        net = load_run(tmp_path / "run").net
        as_drawn = {key for key, value in net.named_parameters() if torch.equal(value, fresh[key])}
        frozen = {key for key, value in net.named_parameters() if not value.requires_grad}
        assert 0 < len(frozen) < len(fresh)
        assert frozen <= as_drawn != set(fresh)


@pytest.mark.parametrize("kind", ["gaussian", "pinwheel"])
def test_shaped_convolutions_train_resume_and_are_read_back(kind, split_dataset, small_config, tmp_path):
    folder, config = split_dataset(), small_config(conv=kind)
    whole = train(config, [folder], tmp_path / "whole")
    with pytest.raises(Stopped):
        train(config, [folder], tmp_path / "run", report=stop_at(1))
    assert scores(train(config, [folder], tmp_path / "run", mode="resume")) == scores(whole)
    assert results(tmp_path / "run") == results(tmp_path / "whole")
    for checkpoint in ("best", "last"):
        net = load_run(tmp_path / "run", checkpoint).net
        assert len(find_replaced(net)) == 14  # all of tiny's but for the 1 x 1 ones
        assert set(find_replaced(net).values()) == {kind}
    fresh = dict(build_detector(config).named_parameters())
    assert all(not torch.equal(value, fresh[name]) for name, value in net.named_parameters() if name.endswith("sigma"))


def test_mshnet_warms_up_in_the_first_epochs(split_dataset, small_config, tmp_path, monkeypatch):
    seen: list[int] = []
    original = Trainer.sample_losses

    def counted(self: Trainer, logits: Any, batch: Any) -> Any:
        seen.append(len(logits))
        return original(self, logits, batch)

    monkeypatch.setattr(Trainer, "sample_losses", counted)
    config = small_config(model="mshnet", loss="sls", loss_params={"warm_up_epochs": 1}, batch_size=8)
    train(config, [split_dataset(n_train=6)], tmp_path / "run")
    assert seen == [1, 5]  # one batch an epoch: the finest head, then the merged map and four heads


class Spoiler(Offline):
    """Makes the merged map of the second epoch find nothing."""

    def on_epoch_start(self, trainer):
        if trainer.epoch == 2:
            trainer.net.merge.weight.data.zero_()
            trainer.net.merge.bias.data.fill_(-10)


def test_an_epoch_of_the_warm_up_is_scored_as_it_was_when_it_was_chosen(
    split_dataset, small_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(StrategyEntry, "strategy_class", property(lambda self: Spoiler))
    settings = {"loss": "sls", "loss_params": {"warm_up_epochs": 1}, "start_probability": 0.5, "lr": 1e-5}
    folder = split_dataset()
    (folder / "img_idx/val.txt").write_text("6\n7\n")
    (folder / "img_idx/train.txt").write_text("0\n1\n2\n3\n4\n5\n")
    result = train(small_config(model="mshnet", protocol="paper", **settings), [folder], tmp_path / "run")
    first, second = (line["test_iou"] for line in read_metrics(str(tmp_path / "run")))
    assert first > second == 0
    assert result.best_epoch == 1
    assert scores(result)["whole"]["iou"] == pytest.approx(first)
    assert load_run(tmp_path / "run", "best").net.warming_up
    assert not load_run(tmp_path / "run", "last").net.warming_up
