"""Predictions of a trained detector on whole images."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from pointlabel import InputError
from pointlabel.cli.main import main
from pointlabel.io.masks.read import read_grey_mask, read_mask
from pointlabel.training import load_run, predict_images, train
from pointlabel.training.evaluate import predict_maps, scored_test_set

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a dozen steps on a drawn data set; (run, images)."""
    from pointlabel.synthetic import draw_scene
    from pointlabel.training import TrainConfig

    root = tmp_path_factory.mktemp("predict")
    for part in ("images", "masks", "masks_centroid"):
        (root / "data" / part).mkdir(parents=True)
    for k in range(4):
        scene = draw_scene(seed=k, shape=(64, 80), n_targets=2)
        points = np.zeros(scene.mask.shape, np.uint8)
        points[tuple(scene.points.astype(int).T)] = 255
        for part, pixels in (
            ("images", scene.image),
            ("masks", scene.mask.astype(np.uint8) * 255),
            ("masks_centroid", points),
        ):
            Image.fromarray(pixels).save(root / "data" / part / f"{k}.png")
    config = TrainConfig(crop=32, epochs=12, batch_size=2, lr=0.01, device="cpu", strategy="full")
    train(config, [root / "data"], root / "run")
    images = root / "images"
    (images / "night").mkdir(parents=True)
    for k, (name, (height, width)) in enumerate(
        {"a": (64, 80), "b": (64, 80), "night/c": (37, 51), "d": (9, 7)}.items()
    ):
        pixels = draw_scene(seed=k, shape=(64, 80), n_targets=2).image[:height, :width]
        Image.fromarray(np.ascontiguousarray(pixels)).save(images / f"{name}.png")
    return root / "run", images


def rows_of(path):
    with open(path / "detections.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_masks_soft_maps_and_detections_agree(run, tmp_path):
    folder, images = run
    soft = predict_all(folder, images)
    threshold = float(np.median(soft["a"]))
    summary = predict_images(folder, images, tmp_path / "out", threshold=threshold)
    rows = rows_of(tmp_path / "out")
    assert len(rows) > 3
    assert (summary.n_images, summary.n_detections, summary.errors) == (4, len(rows), ())
    assert [row["image"] for row in rows] == sorted(row["image"] for row in rows)
    for name, probability in soft.items():
        mask = read_mask(tmp_path / f"out/masks/{name}.png")
        stored = read_grey_mask(tmp_path / f"out/soft/{name}.png")
        assert stored.levels.dtype == np.uint16
        assert np.abs(stored.soft() - probability).max() < 2e-5
        assert (mask == (probability > threshold)).all()
        mine = [row for row in rows if row["image"] == name]
        assert sum(int(row["area"]) for row in mine) == mask.sum()
        for row in mine:
            left, top, width, height = (int(row[key]) for key in ("left", "top", "width", "height"))
            box = np.s_[top : top + height, left : left + width]
            assert left <= float(row["x"]) <= left + width - 1
            assert top <= float(row["y"]) <= top + height - 1
            assert float(row["peak"]) <= probability[box].max() + 1e-4
            assert threshold < float(row["mean_score"]) + 1e-4 <= float(row["peak"]) + 2e-4


def predict_all(folder, images):
    """Probability maps, one image at a time, by the plainest way."""
    loaded = load_run(folder)
    out = {}
    for path in sorted(images.rglob("*.png")):
        with Image.open(path) as image:
            scaled = torch.from_numpy(loaded.scaling.apply(np.array(image)))
        with torch.no_grad():
            out[str(path.relative_to(images).with_suffix(""))] = loaded.net(scaled[None, None]).sigmoid()[0, 0].numpy()
    return out


def test_small_detections_are_left_out_of_masks_too(run, tmp_path):
    folder, images = run
    threshold = float(np.quantile(predict_all(folder, images)["a"], 0.9))
    predict_images(folder, images / "a.png", tmp_path / "all", threshold=threshold)
    every = rows_of(tmp_path / "all")
    least = 1 + min(int(row["area"]) for row in every)
    predict_images(folder, images / "a.png", tmp_path / "large", threshold=threshold, min_area=least, soft=False)
    large = rows_of(tmp_path / "large")
    assert [row for row in every if int(row["area"]) >= least] == large
    assert 0 < len(large) < len(every)
    assert read_mask(tmp_path / "large/masks/a.png").sum() == sum(int(row["area"]) for row in large)
    assert not (tmp_path / "large/soft").exists()


def test_an_image_that_cannot_be_read_is_told_and_the_others_are_done(run, tmp_path):
    folder, images = run
    (tmp_path / "in").mkdir()
    (tmp_path / "in/bad.png").write_bytes(b"no image")
    (tmp_path / "in/good.png").write_bytes((images / "a.png").read_bytes())
    summary = predict_images(folder, tmp_path / "in", tmp_path / "out")
    assert summary.n_images == 1
    assert "bad.png" in summary.errors[0]
    assert (tmp_path / "out/masks/good.png").exists()


def test_predictions_are_replaced_only_where_asked(run, tmp_path):
    folder, images = run
    predict_images(folder, images, tmp_path / "out")
    with pytest.raises(InputError, match="out holds predictions already; `overwrite` replaces them"):
        predict_images(folder, images, tmp_path / "out")
    predict_images(folder, images, tmp_path / "out", overwrite=True)
    (tmp_path / "mine/masks").mkdir(parents=True)
    (tmp_path / "mine/masks/a.png").write_bytes((images / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"masks/a\.png: not written by this program, and would be replaced"):
        predict_images(folder, images, tmp_path / "mine", overwrite=True)
    (tmp_path / "table").mkdir()
    (tmp_path / "table/detections.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"detections\.csv: not written by this program"):
        predict_images(folder, images, tmp_path / "table", overwrite=True)


def test_detections_are_exported_and_an_earlier_export_is_removed(run, tmp_path):
    folder, images = run
    out = tmp_path / "out"
    threshold = float(np.quantile(predict_all(folder, images)["a"], 0.9))
    predict_images(folder, images, out, threshold=threshold, formats=("instances", "npz", "coco", "yolo"))
    data = json.loads((out / "coco/instances.json").read_text())
    rows = rows_of(out)
    assert [each["file_name"] for each in data["images"]] == ["a.png", "b.png", "d.png", "night/c.png"]
    boxes = [[int(row[key]) for key in ("left", "top", "width", "height")] for row in rows]
    assert [each["bbox"] for each in data["annotations"]] == boxes
    assert [each["score"] for each in data["annotations"]] == pytest.approx(
        [float(row["mean_score"]) for row in rows], abs=1e-4
    )
    for name in ("a", "night/c"):
        numbers = read_grey_mask(out / f"instances/{name}.png").levels
        assert ((numbers > 0) == read_mask(out / f"masks/{name}.png")).all()
        assert numbers.max() == sum(row["image"] == name for row in rows)
        assert (out / f"npz/{name}.npz").exists()
    (out / "yolo/mine.txt").write_text("mine")
    predict_images(folder, images, out, overwrite=True, formats=("labelme",))
    assert {path.name for path in out.iterdir()} >= {"labelme", "masks", "soft", "yolo"}
    assert [path.name for path in (out / "yolo").rglob("*")] == ["mine.txt"]
    assert not (out / "coco").exists()
    assert not (out / "npz/a.npz").exists()
    (out / "labelme/a.json").write_text("mine")
    with pytest.raises(InputError, match=r"labelme/a\.json: changed since this program wrote it"):
        predict_images(folder, images, out, overwrite=True)


def test_wrong_arguments(run, tmp_path):
    folder, images = run
    with pytest.raises(InputError, match=r"no run of pointlabel train \(there is no run\.json\)"):
        predict_images(tmp_path, images, tmp_path / "out")
    with pytest.raises(InputError, match=r"threshold must lie in \[0, 1\], got 2"):
        predict_images(folder, images, tmp_path / "out", threshold=2)
    with pytest.raises(InputError, match="min_area must be at least 1, got 0"):
        predict_images(folder, images, tmp_path / "out", min_area=0)
    with pytest.raises(InputError, match="checkpoint must be one of best, last, got 'first'"):
        predict_images(folder, images, tmp_path / "out", checkpoint="first")


def test_best_and_last_are_the_epochs_they_say(run):
    folder, _ = run
    best, last = load_run(folder, "best"), load_run(folder, "last")
    same = all(torch.equal(tensor, last.net.state_dict()[name]) for name, tensor in best.net.state_dict().items())
    assert same == (best.about["epoch"] == last.about["epoch"])
    assert last.about["epoch"] == 12
    assert last.about["best_epoch"] == best.about["epoch"]
    assert not best.net.training
    assert not last.net.training


def test_maps_do_not_depend_on_what_shares_a_batch(run, rng):
    net = load_run(run[0]).net
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in ((16, 24), (16, 24), (20, 8), (16, 24))]
    device = torch.device("cpu")
    together = dict(predict_maps(net, inputs, device=device, batch_px=10**6))
    alone = dict(predict_maps(net, inputs, device=device, batch_px=1))
    assert together.keys() == alone.keys() == {0, 1, 2, 3}
    for index in together:
        assert together[index].shape == inputs[index].shape
        assert together[index] == pytest.approx(alone[index], abs=1e-5)


def test_the_protocol_of_the_paper_resizes_images_and_masks(split_dataset, small_config):
    from pointlabel.training.data import read_data
    from pointlabel.training.splits import open_sources

    config = small_config()
    data = read_data(open_sources([str(split_dataset())], config, train_masks=False), config)
    assert scored_test_set(data, "ours") is data.test
    scored = scored_test_set(data, "paper")
    assert data.test is not None
    assert data.test.masks is not None
    assert scored is not None
    assert scored.masks is not None
    for before, after, mask in zip(data.test.masks, scored.masks, scored.inputs, strict=True):
        assert after.shape == mask.shape == (256, 256)
        assert after.mean() == pytest.approx(before.mean(), rel=0.2)


def test_the_command_writes_a_page_and_evaluate_takes_its_table(run, tmp_path):
    folder, images = run
    page, out = tmp_path / "page.html", tmp_path / "out"
    threshold = str(float(np.median(predict_all(folder, images)["a"])))
    arguments = ["predict", str(folder), str(images), "-o", str(out), "--threshold", threshold, "--html", str(page)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert page.read_text().count("data-figure=") == len(rows_of(out)) > 3
    arguments = [str(out / "masks"), str(out / "masks"), "--detections", str(out / "detections.csv"), "--json"]
    scored = CliRunner().invoke(main, ["evaluate", *arguments])
    assert json.loads(scored.stdout)["ap50"] == 1
