"""Shards of a prediction: done at the same time, killed, resumed and merged they end as a run without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.shards import merge, merge_shards
from pointlabel.synthetic import draw_scene
from pointlabel.training import TrainConfig, predict_images, train
from pointlabel.training.part import PredictionPart
from pointlabel.training.predict import PredictSummary

SIZES = ((64, 80), (37, 51), (64, 80), (64, 80), (9, 7), (64, 80), (33, 80))
OPTIONS: dict[str, Any] = {"threshold": 0.3, "formats": ("coco", "yolo", "npz"), "device": "cpu"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, a detector of a few steps, and `images` of several sizes, one of them damaged."""
    root = tmp_path_factory.mktemp("shards")
    for part in ("images", "masks", "masks_centroid"):
        (root / "data" / part).mkdir(parents=True)
    (root / "images").mkdir()
    for k, (height, width) in enumerate(SIZES):
        scene = draw_scene(seed=k, shape=(64, 80), n_targets=2)
        points = np.zeros(scene.mask.shape, np.uint8)
        points[tuple(scene.points.astype(int).T)] = 255
        masks = scene.mask.astype(np.uint8) * 255
        for part, pixels in (("images", scene.image), ("masks", masks), ("masks_centroid", points)):
            Image.fromarray(pixels).save(root / "data" / part / f"{k}.png")
        Image.fromarray(np.ascontiguousarray(scene.image[:height, :width])).save(root / f"images/{k}.png")
    (root / "images/bad.png").write_bytes(b"no image")
    config = TrainConfig(crop=32, epochs=12, batch_size=2, lr=0.01, device="cpu", strategy="full")
    train(config, [root / "data"], root / "run")
    return root


@pytest.fixture(scope="module")
def whole(home: Path) -> dict[str, bytes]:
    """The files of a prediction without shards."""
    predict_images(home / "run", home / "images", home / "whole", **OPTIONS)
    found = files(home / "whole")
    assert found["detections.csv"].count(b"\n") > 3
    return found


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def predict(home: Path, out: Path, shard: str, **more: Any) -> PredictSummary:
    return predict_images(home / "run", home / "images", out, shard=shard, **{**OPTIONS, **more})


def test_shards_at_the_same_time_end_with_the_bytes_of_one_run(home, whole, tmp_path):
    words = [sys.executable, "-m", "pointlabel", "-q", "predict", home / "run", home / "images", "-o", tmp_path / "out"]
    words += ["--threshold", "0.3", "--format", "coco,yolo,npz", "--device", "cpu"]
    works = [subprocess.Popen([*map(str, words), "--shard", f"{k}/2"]) for k in (1, 2)]
    assert sorted(work.wait(timeout=240) for work in works) == [0, 3]
    done = CliRunner().invoke(main, ["merge", str(tmp_path / "out")])
    assert done.exit_code == 3, done.output
    assert "shards 2, images 8, of which 1 failed" in done.output
    assert files(tmp_path / "out") == whole


def test_a_shard_that_was_stopped_is_resumed(home, whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    predict(home, out, "2/2")
    with monkeypatch.context() as patch:
        add = PredictionPart.add

        def stop(self: PredictionPart, *words: Any) -> None:
            add(self, *words)
            if self.n_images == 2:
                raise KeyboardInterrupt

        patch.setattr(PredictionPart, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            predict(home, out, "1/2")
    part = out / "manifest.1-of-2.jsonl"
    part.write_bytes(part.read_bytes() + b'{"id":"6","sta')
    with pytest.raises(InputError, match=r"shard 1/2 has not finished; the same command with --shard 1/2"):
        merge_shards(out)
    with pytest.raises(InputError, match="holds shard 1/2 already; `mode=resume` goes on with it"):
        predict(home, out, "1/2")
    done: list[str] = []

    def count(self: PredictionPart, *words: Any) -> None:
        done.append(words[0].id)
        add(self, *words)

    monkeypatch.setattr(PredictionPart, "add", count)
    summary = predict(home, out, "1/2", resume=True)
    assert (summary.n_images, len(done)) == (4, 2)
    predict(home, out, "1/2", resume=True)
    predict(home, out, "2/2", overwrite=True)
    assert len(done) == 2 + 3
    assert merge_shards(out).n_images == 8
    assert files(out) == whole


@pytest.mark.parametrize("moment", ["write_export", "write_prediction", "remove_file"])
def test_a_merge_that_is_killed_can_be_run_again(home, whole, tmp_path, monkeypatch, moment):
    for number in (1, 2):
        predict(home, tmp_path, f"{number}/2")
    with monkeypatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(merge, moment, stop)
        with pytest.raises(KeyboardInterrupt):
            merge_shards(tmp_path)
    merge_shards(tmp_path)
    assert files(tmp_path) == whole


@pytest.mark.usefixtures("whole")
def test_what_does_not_go_together_is_refused(home, tmp_path):
    predict(home, tmp_path, "1/2")
    before = files(tmp_path)
    other = "with this one, 2/2, in its settings: threshold 0.5 and 0.3"
    with pytest.raises(InputError, match=other):
        predict(home, tmp_path, "2/2", threshold=0.5)
    with pytest.raises(InputError, match=r"holds shards of a run \(shard.1-of-2.json\); join them by pointlabel merge"):
        predict_images(home / "run", home / "images", tmp_path, **OPTIONS, overwrite=True)
    with pytest.raises(InputError, match="`resume` goes on with a shard"):
        predict_images(home / "run", home / "images", tmp_path, resume=True)
    with pytest.raises(InputError, match="holds a run without shards; leave `shard` out"):
        predict(home, home / "whole", "1/2")
    assert files(tmp_path) == before
