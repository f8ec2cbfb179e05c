"""Whole runs of the strategy: ablations, resuming, labels and weights that move, wrong labels that lose weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pointlabel.errors import InputError
from pointlabel.labeling import Labeller
from pointlabel.synthetic import draw_scene
from pointlabel.training import TrainConfig, train
from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.events import EpochDone
from pointlabel.training.run import read_metrics
from pointlabel.training.selection import read_weights, select_samples
from pointlabel.training.strategies.bilevel import Bilevel, BilevelOptions

pytestmark = pytest.mark.slow

N_EPOCHS = 10
OFTEN = {"every": 1, "weight_lr": 0.01}


def last_state(folder: Path) -> dict:
    return read_checkpoint(str(folder / "last.safetensors"))["trainer"]


@pytest.mark.parametrize(
    ("options", "moves"),
    [
        ({}, {"meta", "theta"}),
        ({"hypergradient": "head"}, {"meta", "theta"}),
        ({"hypergradient": "one-step"}, {"meta", "theta"}),
        ({"joint": True}, {"meta", "theta"}),
        ({"balance": False}, {"theta"}),
        ({"update_labels": False}, {"meta"}),
        ({"beta": 0.0}, {"meta", "theta"}),
        ({"theta_loss": "bce", "label_bce": 0.1, "diffused": "code"}, {"meta", "theta"}),
        ({"whole": True}, {"meta", "theta"}),
    ],
)
def test_each_ablation_leaves_out_what_it_names(options, moves, split_dataset, small_config, tmp_path):
    config = small_config(strategy="bilevel", label_method="diffusion", options={**OFTEN, **options}, outer_start=0.0)
    train(config, [split_dataset()], tmp_path / "run")
    state = last_state(tmp_path / "run")["strategy"]
    moved = {"meta"} if state["meta"]["out.weight"].abs().max() > 0 else set()
    moved |= {"theta"} if state["theta"]["raw"].abs().max() > 0 else set()
    assert moved == moves
    weights = np.array([row.weight for row in read_weights(tmp_path / "run")])
    assert (weights > 0).all()
    assert weights.mean() == pytest.approx(1, abs=0.02 if "meta" in moves else 0)
    assert (weights.std() > 0) == ("meta" in moves)
    lines = read_metrics(str(tmp_path / "run"))
    assert any("theta_d0" in line for line in lines) == ("theta" in moves)


def test_beta_and_the_validation_batch_reach_the_detector(split_dataset, small_config, tmp_path):
    data = split_dataset()
    nets = []
    for beta in (0.0, 0.83):
        options = {**OFTEN, "balance": False, "update_labels": False, "beta": beta}
        train(small_config(strategy="bilevel", options=options, outer_start=0.0), [data], tmp_path / str(beta))
        nets.append(last_state(tmp_path / str(beta))["net"])
    assert any((nets[0][name] != nets[1][name]).any() for name in nets[0])
    train(small_config(strategy="offline", mine="off"), [data], tmp_path / "offline")
    offline = last_state(tmp_path / "offline")["net"]
    assert all((nets[0][name] == offline[name]).all() for name in offline)  # with nothing left it is `offline`


def test_before_the_outer_start_it_is_offline(split_dataset, small_config, tmp_path):
    data = split_dataset()
    for strategy in ("bilevel", "offline"):
        train(small_config(strategy=strategy, outer_start=1.0), [data], tmp_path / strategy)
    (ours, _), (theirs, _) = (read_metrics(str(tmp_path / name)) for name in ("bilevel", "offline"))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


class Stopped(Exception):
    """What a test stops a run with."""


def stop_after(epoch):
    def report(event):
        if isinstance(event, EpochDone) and event.epoch == epoch:
            raise Stopped

    return report


@pytest.mark.parametrize("rule", ["agreement", "quality", "errors"])
def test_weights_by_a_rule_need_no_meta_classifier(rule, split_dataset, small_config, tmp_path):
    config = small_config(
        strategy="bilevel", options={**OFTEN, "weights": rule}, epochs=4, outer_start=0.0, outer_every=0.3
    )
    train(config, [split_dataset()], tmp_path / "run")
    state = last_state(tmp_path / "run")["strategy"]
    assert state["meta"]["out.weight"].abs().max() == 0
    assert state["by_rule"].std() > 0
    weights = np.array([row.weight for row in read_weights(tmp_path / "run")])
    assert (weights > 0).all()
    assert weights.std() > 0


@pytest.mark.parametrize(
    "options", [{}, {"hypergradient": "one-step"}, {"joint": True}, {"every": 3}, {"weights": "errors"}]
)
def test_a_resumed_run_ends_with_the_same_bits(options, split_dataset, small_config, tmp_path):
    data = split_dataset()
    config = small_config(
        strategy="bilevel", options={**OFTEN, **options}, epochs=4, outer_start=0.25, label_method="diffusion"
    )
    train(config, [data], tmp_path / "whole")
    with pytest.raises(Stopped):
        train(config, [data], tmp_path / "parts", report=stop_after(2))
    train(config, [data], tmp_path / "parts", mode="resume")
    whole, parts = (last_state(tmp_path / name) for name in ("whole", "parts"))
    assert {"net", "labels", "strategy", "streams"} < set(whole) == set(parts)
    for name in whole:  # all of the checkpoint but the seconds that it took
        assert flatten(whole[name]) == flatten(parts[name]), name
    assert (tmp_path / "whole/weights.csv").read_bytes() == (tmp_path / "parts/weights.csv").read_bytes()


def flatten(state):
    if isinstance(state, dict):
        return {key: flatten(value) for key, value in state.items()}
    if isinstance(state, list):
        return [flatten(each) for each in state]
    return state.tolist() if hasattr(state, "tolist") else state


def test_labels_follow_theta(split_dataset, small_config, tmp_path):
    options = {**OFTEN, "theta_lr": 10.0}  # to the end of its range at once
    config = small_config(strategy="bilevel", options=options, label_method="diffusion", epochs=3, outer_start=0.0)
    train(config, [split_dataset()], tmp_path / "run")
    lines = read_metrics(str(tmp_path / "run"))
    assert max(line.get("labels_changed", 0) for line in lines) > 0
    assert lines[0]["theta_beta"] in (pytest.approx(12 * 0.7), pytest.approx(12 * 1.3))


@pytest.mark.parametrize("redraw", [False, True])
def test_labels_are_drawn_anew_where_that_is_asked_for(redraw, split_dataset, small_config, tmp_path, monkeypatch):
    """A first label and two updates of each image: one stream of random numbers, or three; the same in another run."""
    seen: list[int] = []

    label = Labeller.label

    def spy(labeller, *places, rng, **options):
        seen.append(int(rng.bit_generator.state["state"]["state"]))
        return label(labeller, *places, rng=rng, **options)

    monkeypatch.setattr(Labeller, "label", spy)
    config = small_config(
        strategy="bilevel",
        label_method="d2d-code",
        options={"redraw": redraw},
        epochs=3,
        outer_start=0.0,
        outer_every=0.3,
    )
    data = split_dataset()
    runs = []
    for name in ("one", "other"):
        seen.clear()
        train(config, [data], tmp_path / name)
        runs.append(list(seen))
    assert runs[0] == runs[1]
    n_images = 8
    assert len(runs[0]) == 3 * n_images
    assert len(set(runs[0])) == (3 if redraw else 1) * n_images


def test_labels_of_a_folder_are_not_replaced(split_dataset, small_config, tmp_path):
    data = split_dataset()
    config = small_config(strategy="bilevel", options=OFTEN, outer_start=0.0, labels=str(data / "masks"))
    train(config, [data], tmp_path / "run")
    assert not any("theta_d0" in line for line in read_metrics(str(tmp_path / "run")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hypergradient": "exact"}, "hypergradient must be one of proxy, head, one-step, got 'exact'"),
        ({"theta_loss": "dice"}, "theta_loss must be one of soft-iou, bce, got 'dice'"),
        ({"beta": -1.0}, r"beta must lie in \[0, 100\], got -1"),
        ({"every": 0}, "every must be at least 1, got 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        BilevelOptions(**options)


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"weights": "errors", "joint": True}, {}, "joint learns the weights, and weights is errors"),
        ({"weights": "quality"}, {"labels": "masks"}, "weights quality needs labels of a method"),
    ],
)
def test_weights_by_a_rule_are_refused(options, changes, message, small_config):
    with pytest.raises(InputError, match=message):
        Bilevel(small_config(strategy="bilevel", **changes), BilevelOptions(**options))


def test_second_derivatives_and_compilation_exclude_each_other(split_dataset, small_config, tmp_path):
    config = small_config(strategy="bilevel", options={"hypergradient": "one-step"}, compile=True)
    with pytest.raises(InputError, match="one-step needs second derivatives"):
        train(config, [split_dataset()], tmp_path / "run")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """Drawn scenes, a third of whose training labels are 4 px too wide on every side, as leaking labels are."""
    folder = tmp_path_factory.mktemp("planted") / "scenes"
    for part in ("images", "masks_centroid", "labels", "img_idx"):
        (folder / part).mkdir(parents=True)
    for k in range(36):
        scene = draw_scene(seed=k, shape=(40, 40), n_targets=1, contrast=(10.0, 15.0))
        point = np.zeros(scene.mask.shape, bool)
        point[tuple(scene.points.astype(int).T)] = True
        label = ndimage.binary_dilation(scene.mask, iterations=4) if k < 24 and k % 3 == 0 else scene.mask
        for part, pixels in (("images", scene.image), ("masks_centroid", point), ("labels", label)):
            grey = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
            Image.fromarray(grey).save(folder / part / f"{k}.png")
    (folder / "img_idx/train.txt").write_text("".join(f"{k}\n" for k in range(24)))
    (folder / "img_idx/val.txt").write_text("".join(f"{k}\n" for k in range(24, 36)))
    return folder, {f"scenes/{k}" for k in range(0, 24, 3)}


@pytest.mark.parametrize("hypergradient", ["proxy", "head", "one-step"])
def test_wrong_labels_lose_weight(hypergradient, planted, tmp_path):
    folder, wrong = planted
    config = TrainConfig(
        strategy="bilevel",
        options={**OFTEN, "hypergradient": hypergradient},
        labels=str(folder / "labels"),
        crop=32,
        batch_size=8,
        epochs=N_EPOCHS,
        lr=3e-3,
        outer_start=0.1,
        validate_every=N_EPOCHS,
        checkpoint_every=N_EPOCHS,
        target_share=1.0,
        device="cpu",
    )
    train(config, [folder], tmp_path / "run")
    rows = read_weights(tmp_path / "run")
    of_wrong = np.mean([row.weight for row in rows if row.id in wrong])
    of_right = np.mean([row.weight for row in rows if row.id not in wrong])
    assert of_wrong < 0.85 < of_right
    chosen = set(select_samples(rows, 1 / 3))
    assert len(chosen & wrong) <= 1
