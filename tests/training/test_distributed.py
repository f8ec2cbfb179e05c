"""Two processes that torchrun starts against one: sums and derivatives to rounding, whole runs, how they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from pointlabel import InputError
from pointlabel.detectors import DETECTORS, build
from pointlabel.training import load_run, loop, train
from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.devices import pick_device
from pointlabel.training.distributed import SharedBatch, WholeBatchNorm2d, synchronise
from pointlabel.training.events import EpochDone
from pointlabel.training.processes import Processes
from pointlabel.training.run import read_metrics

pytestmark = pytest.mark.slow

#: Largest difference of weights and scores that may come of sums of float32 in another order, after a few steps.
TOLERANCE = 1e-3
WORKER = Path(__file__).with_name("two_processes.py")


def torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in two processes."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([*start, *command], capture_output=True, text=True, env=environment, timeout=120)


def assert_same_run(one: Path, other: Path) -> None:
    """The same weights, state of the strategy, labels, lines and scores, but for rounding."""
    states = [read_checkpoint(str(folder / "last.safetensors"))["trainer"] for folder in (one, other)]
    for state in states:  # moments of gradients, which are larger than the weights they have moved
        del state["optimizer"]
        for name in ("meta_optimizer", "theta_optimizer"):
            state["strategy"].pop(name, None)
    assert_close(states[0], states[1])
    best = [dict(load_run(folder).net.state_dict()) for folder in (one, other)]
    assert_close(best[0], best[1])
    lines = [
        [
            {key: value for key, value in line.items() if not key.endswith("seconds")}
            for line in read_metrics(str(folder))
        ]
        for folder in (one, other)
    ]
    assert_close(lines[0], lines[1])
    scores = [{**json.loads((folder / "results.json").read_text()), "seconds": 0} for folder in (one, other)]
    assert_close(scores[0], scores[1])
    names = [sorted(path.relative_to(folder) for path in folder.rglob("*")) for folder in (one, other)]
    assert names[0] == names[1]


def assert_close(one: Any, other: Any, path: str = "") -> None:
    """Nested values that are equal, numbers and tensors up to `TOLERANCE`."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert list(one) == list(other), path
        for key in one:
            assert_close(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), path
        for place, pair in enumerate(zip(one, other, strict=True)):
            assert_close(pair[0], pair[1], f"{path}/{place}")
    elif isinstance(one, torch.Tensor) and one.is_floating_point():
        torch.testing.assert_close(one, other, atol=TOLERANCE, rtol=TOLERANCE, msg=lambda text: f"{path}: {text}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == (pytest.approx(other, abs=TOLERANCE) if isinstance(one, float) else other), path


class Stopped(Exception):
    """What a run is stopped with."""


def stop_after_an_epoch(event: Any) -> None:
    """A callback for a run."""
    if isinstance(event, EpochDone):
        raise Stopped(f"after epoch {event.epoch}")


def test_two_processes_do_what_one_does(split_dataset, small_config, tmp_path):
    dataset = split_dataset(n_train=10)
    outer = {"strategy": "bilevel", "outer_start": 0.0, "outer_every": 0.5}
    configs = {
        "offline": small_config(optimizer="sgd", batch_size=6, picture_every=2),  # the last batch has one image
        "proxy": small_config(optimizer="sgd", options={"every": 1}, **outer),
        "one-step": small_config(optimizer="sgd", options={"every": 2, "hypergradient": "one-step"}, **outer),
        "mined": small_config(optimizer="sgd", mine="on", start_probability=0.5, outer_start=0.0, outer_every=0.5),
        "resumed": small_config(optimizer="sgd", strategy="lesps", outer_start=0.0),
    }
    with pytest.raises(Stopped, match="after epoch 1"):
        train(configs["resumed"], [dataset], tmp_path / "two-resumed", report=stop_after_an_epoch)
    runs = [[each.as_dict(), str(dataset), str(tmp_path / f"two-{name}"), 0] for name, each in configs.items()]
    runs.append([configs["offline"].as_dict(), str(dataset), str(tmp_path / "bad"), 2])
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    found = torchrun(str(WORKER), str(tmp_path))

    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    # Each process measures how far it is from a process alone, whose last bits depend on where its arrays lie.
    for rank in ranks:
        for size in ("6", "5", "1"):
            assert max(rank[size].values()) < 1e-11, size
    assert ranks[0]["plain"] == pytest.approx(ranks[1]["plain"], rel=1e-6), "both end with the same numbers"
    for name in ("maps", "first", "second", "statistics", "one-step", "head"):
        assert ranks[0]["plain"][name] > 1e-4, "without the common statistics the same comparison fails"

    for name, config in configs.items():
        train(config, [dataset], tmp_path / f"one-{name}")
        assert_same_run(tmp_path / f"one-{name}", tmp_path / f"two-{name}")

    assert found.returncode == 1, "the last run has a loss that is not finite"
    assert found.stderr.count("is not finite in epoch 2, step 1; try a lower lr (now 0.01); the checkpoint of") == 1
    assert read_checkpoint(str(tmp_path / "bad/last.safetensors"))["trainer"]["epoch"] == 1


def test_the_command_speaks_once_and_fails_in_one_sentence(split_dataset, tmp_path):
    dataset, out = split_dataset(), tmp_path / "run"
    options = ["--crop", "32", "--epochs", "1", "--batch-size", "4", "--device", "cpu", "--out", str(out)]
    command = ["-m", "pointlabel", "train", str(dataset), *options]
    found = torchrun(*command)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("best epoch 1") == 1
    assert found.stderr.count("epoch 1 of 1: loss") == 1
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = torchrun(*command)  # what is wrong is found by the first process alone, while the other waits
    assert again.returncode == 1
    assert again.stderr.count("holds a run already") == 1
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_keeps_its_names(name):
    net = build(name)
    before = net.state_dict(keep_vars=True)
    assert synchronise(net, SharedBatch(Processes())) == 0
    n_found = synchronise(net, SharedBatch(Processes(0, 2)))
    assert n_found == sum(isinstance(layer, WholeBatchNorm2d) for layer in net.modules()) > 0
    assert not any(type(layer) is torch.nn.BatchNorm2d for layer in net.modules())
    after = net.state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[key] is before[key] for key in before)


def test_shares_of_a_batch_are_even_and_whole():
    for n, n_samples in ((1, 5), (2, 5), (3, 16), (4, 3)):
        shares = [range(n_samples)[Processes(rank, n).share(n_samples)] for rank in range(n)]
        assert [index for share in shares for index in share] == list(range(n_samples))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    both = Processes(1, 2, 1, 2)
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert pick_device("auto", both) == pick_device("cuda", both) == torch.device("cuda:1") == chosen[0]
    assert pick_device("cpu", both) == torch.device("cpu")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="device cuda:1 is one GPU, and 2 processes need one each; leave it out"):
        pick_device("cuda:1", both)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(
        InputError, match="2 processes need a GPU each, and torch sees 1; start fewer, or set device cpu"
    ):
        pick_device("cuda", both)


def test_compile_needs_one_process(split_dataset, small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "join_processes", lambda: nullcontext(Processes(0, 2)))
    with pytest.raises(InputError, match="compile works in one process, and there are 2; drop it"):
        train(small_config(compile=True), [split_dataset()], tmp_path / "run")
    assert not (tmp_path / "run").exists()
