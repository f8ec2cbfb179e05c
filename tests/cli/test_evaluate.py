"""The command evaluate on small files: its numbers, what it writes, and each way to fail."""

from __future__ import annotations

import csv
import importlib.util
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.evaluation.metrics import Totals, score_image


def run(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8) * 255 if array.dtype == bool else array).save(path)


def load(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def masks(rng):
    """Six true masks, the last one empty, and predictions that miss some pixels and add a few."""
    true = np.zeros((6, 32, 40), bool)
    for index in range(5):
        for row, column in rng.integers(2, 26, (2, 2)):
            true[index, row : row + 1 + index, column : column + 3] = True
    predicted = true & (rng.random(true.shape) < 0.8) | (rng.random(true.shape) < 0.002)
    return predicted, true


@pytest.fixture
def folders(tmp_path, masks):
    for index, (predicted, true) in enumerate(zip(*masks, strict=True)):
        save(tmp_path / "pred" / "sub" / f"{index}.png", predicted)
        save(tmp_path / "gt" / "sub" / f"{index}.png", true)
    return tmp_path / "pred", tmp_path / "gt"


@pytest.mark.parametrize("profile", ["exact", "legacy"])
def test_json_holds_the_metrics_and_nothing_else(folders, masks, profile):
    report = load(run(*folders, "--profile", profile, "--json"))
    totals = Totals()
    for pair in zip(*masks, strict=True):
        totals.add(score_image(*pair))
    expected = json.loads(json.dumps(totals.summary(profile)))
    assert {name: report[name] for name in expected} == expected
    assert report["missing"] == []
    assert report["images"] == 6
    assert report["images_with_targets"] == 5


def test_the_table_names_what_it_shows(folders):
    result = run(*folders)
    assert result.exit_code == 0
    report = load(run(*folders, "--json"))
    for text in ("6 images (1 without targets)", "nIoU, all images", "nIoU, images with targets", "(exact)", "82-200"):
        assert text in result.stdout
    assert f"{report['iou']:.4f}" in result.stdout
    assert f"{report['fa'] * 1e6:.2f}" in result.stdout
    assert "(legacy)" in run(*folders, "--profile", "legacy").stdout


def test_csv_has_a_row_for_each_image(folders, tmp_path):
    report = load(run(*folders, "--json", "--csv", tmp_path / "rows.csv"))
    rows = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert [row["id"] for row in rows] == [f"sub/{k}" for k in range(6)]
    assert sum(int(row["inter"]) for row in rows) / sum(int(row["union"]) for row in rows) == report["iou"]
    assert np.mean([float(row["iou"]) for row in rows]) == pytest.approx(report["niou"])
    assert {row["missing"] for row in rows} == {"0"}


def test_missing_predictions_count_as_empty_and_are_said(folders, tmp_path):
    pred, gt = folders
    before = load(run(pred, gt, "--json"))
    (pred / "sub" / "1.png").unlink()
    save(pred / "other.png", np.zeros((3, 3), bool))
    result = run(pred, gt, "--json", "--csv", tmp_path / "rows.csv")
    report = load(result)
    assert report["missing"] == ["sub/1"]
    assert report["recall"] < before["recall"]
    assert "1 true mask (sub/1) without a prediction, counted as empty" in result.stderr
    assert "left out what has no true mask: 1" in result.stderr
    rows = {row["id"]: row for row in csv.DictReader((tmp_path / "rows.csv").open())}
    assert (rows["sub/1"]["missing"], rows["sub/1"]["iou"]) == ("1", "0.0")
    quiet = CliRunner().invoke(main, ["-q", "evaluate", str(pred), str(gt), "--json"])
    assert quiet.stderr == ""


def test_the_threshold(tmp_path):
    save(tmp_path / "gt" / "a.png", np.array([[0, 1, 1, 1]], np.uint8))
    save(tmp_path / "pred" / "a.png", np.array([[0, 0, 1, 1]], np.uint8))
    result = run(tmp_path / "pred", tmp_path / "gt", "--json")
    assert result.exit_code == 2
    assert "every true mask is empty at --mask-threshold 127" in result.stderr
    assert "the largest value of the mask is 1" in result.stderr
    assert load(run(tmp_path / "pred", tmp_path / "gt", "--json", "--mask-threshold", 0))["iou"] == 2 / 3
    save(tmp_path / "gt" / "a.png", np.array([[0, 255, 255, 255]], np.uint8))
    result = run(tmp_path / "pred", tmp_path / "gt", "--json")
    assert load(result)["iou"] == 0
    assert "predictions without a value above the threshold: 1" in result.stderr


def test_grey_values_are_said(tmp_path):
    save(tmp_path / "gt" / "a.png", np.array([[0, 90, 200, 255]], np.uint8))
    save(tmp_path / "pred" / "a.png", np.array([[0, 0, 255, 255]], np.uint8))
    result = run(tmp_path / "pred", tmp_path / "gt", "--json")
    assert load(result)["iou"] == 1
    assert "cut at the threshold: 1" in result.stderr


def test_against_other_predictions(folders, tmp_path, masks, rng):
    for index, true in enumerate(masks[1][:5]):
        save(tmp_path / "b" / "sub" / f"{index}.png", true & (rng.random(true.shape) < 0.3))
    arguments = (*folders, "--against", tmp_path / "b")
    result = run(*arguments, "--json", "--csv", tmp_path / "rows.csv")
    report = load(result)
    difference = report["against"]["differences"]["iou"]
    assert difference["difference"] == pytest.approx(report["iou"] - report["against"]["iou"])
    assert 0 < difference["low"] <= difference["difference"] <= difference["high"]
    assert report["against"]["missing"] == ["sub/5"]
    assert "(sub/5)" in result.stderr
    assert load(run(*arguments, "--json")) == report
    assert load(run(*arguments, "--json", "--seed", 7))["against"]["differences"] != report["against"]["differences"]
    assert "against_iou" in (tmp_path / "rows.csv").read_text().splitlines()[0]
    table = run(*arguments).stdout
    assert f"{difference['low']:+.4f} to {difference['high']:+.4f}" in table


def test_rows_by_scr_need_images(folders, tmp_path, masks, rng):
    assert load(run(*folders, "--json"))["by_scr"] is None
    for index, true in enumerate(masks[1]):
        if index != 2:
            save(
                tmp_path / "images" / "sub" / f"{index}.png",
                (rng.integers(0, 60, true.shape) + true * 150).astype(np.uint8),
            )
    result = run(*folders, "--images", tmp_path / "images", "--json")
    report = load(result)
    counted = sum(group["targets"] for group in report["by_scr"].values())
    assert 0 < counted < report["targets"]
    assert "1 mask (sub/2) without an image" in result.stderr
    assert "local SCR" in run(*folders, "--images", tmp_path / "images").stdout
    save(tmp_path / "images" / "sub" / "0.png", np.zeros((32, 41), np.uint8))
    result = run(*folders, "--images", tmp_path / "images")
    assert result.exit_code == 3
    assert "is 41 x 32 px and" in result.stderr
    assert "2 masks (sub/0, sub/2) without an image" in result.stderr


@pytest.fixture
def soft(tmp_path, masks):
    for index, (predicted, true) in enumerate(zip(*masks, strict=True)):
        values = np.where(true, 50000, 0) + np.where(predicted & ~true, 20000, 0)
        save(tmp_path / "soft" / "sub" / f"{index}.png", values.astype(np.uint16))
    return tmp_path / "soft"


def test_soft_predictions_get_a_sweep(soft, folders, tmp_path):
    report = load(run(soft, folders[1], "--json"))
    assert report["iou"] == 1
    points = {point["threshold"]: point for point in report["curve"]}
    assert points[0.5]["iou"] == 1
    assert points[0.1]["iou"] == points[0.3]["iou"] < 1
    assert points[0.8]["pd"] == 0
    assert 0 < report["pd_fa_area"] <= 1
    assert load(run(soft, folders[1], "--json", "--soft-threshold", 0.2))["iou"] == points[0.2]["iou"]
    table = run(soft, folders[1]).stdout
    assert "area of the Pd-Fa curve" in table
    assert "Fa / million" in table
    (soft / "sub" / "0.png").unlink()
    assert load(run(soft, folders[1], "--json"))["missing"] == ["sub/0"]


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_curve_is_drawn(soft, folders, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    for _ in range(2):  # the second replaces the picture of the first
        result = run(soft, folders[1], "--plot", tmp_path / f"new/curve.{suffix}")
        assert result.exit_code == 0, result.output
    start = (tmp_path / f"new/curve.{suffix}").read_bytes()[:5]
    assert start == {"png": b"\x89PNG\r", "pdf": b"%PDF-", "svg": b"<?xml"}[suffix]


def test_json_names_a_file_or_standard_output(folders, tmp_path):
    path = tmp_path / "scores.json"
    result = run(*folders, "--json", path)
    assert "IoU, pooled over pixels" in result.stdout
    assert json.loads(path.read_text()) == load(run(*folders, "--json", "-"))
    result = run("--json", *folders)
    assert result.exit_code == 2
    assert "does not end in .json; for standard output write --json last, or --json -" in result.stderr


def test_plots_that_cannot_be(soft, folders, tmp_path, monkeypatch):
    result = run(*folders, "--plot", tmp_path / "c.png")
    assert result.exit_code == 2
    assert "holds 8-bit masks" in result.stderr
    result = run(soft, folders[1], "--plot", tmp_path / "c.doc")
    assert result.exit_code == 2
    assert "--plot writes .png, .pdf or .svg, got" in result.stderr
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else found(name))
    result = run(soft, folders[1], "--plot", tmp_path / "c.png")
    assert result.exit_code == 1
    assert "--plot needs matplotlib: pip install 'pointlabel[plot]'" in result.stderr


def test_predictions_of_two_kinds(soft, folders, masks):
    save(soft / "sub" / "3.png", masks[0][3])
    result = run(soft, folders[1])
    assert result.exit_code == 2
    assert "3.png is a mask of 8 bits and" in result.stderr
    assert "predictions must be of one kind" in result.stderr


def test_sizes_that_differ(folders):
    pred, gt = folders
    save(pred / "sub" / "4.png", np.zeros((32, 41), bool))
    result = run(pred, gt, "--json")
    assert result.exit_code == 3
    assert f"{pred / 'sub' / '4.png'} is 41 x 32 px and {gt / 'sub' / '4.png'} is 40 x 32 px" in result.stderr
    assert json.loads(result.stdout)["left_out"] == ["sub/4"]
    result = run(pred / "sub" / "4.png", gt / "sub" / "4.png")
    assert result.exit_code == 2
    assert "no pair can be compared, see above" in result.stderr
    assert result.stdout == ""


def test_no_common_ids(folders, tmp_path):
    save(tmp_path / "strange" / "x.png", np.zeros((4, 4), bool))
    result = run(tmp_path / "strange", folders[1])
    assert result.exit_code == 2
    assert f"{tmp_path / 'strange'} and {folders[1]} have no id in common" in result.stderr


@pytest.mark.parametrize("side", [0, 1])
def test_a_pair_with_a_damaged_mask_is_left_out(folders, tmp_path, side):
    (folders[side] / "sub" / "2.png").write_bytes(b"")
    result = run(*folders, "--json")
    assert result.exit_code == 3
    assert "2.png: the file is empty (0 bytes)" in result.stderr
    assert "1 pair (sub/2) with a file that cannot be used, left out of every number" in result.stderr
    report = json.loads(result.stdout)
    for folder in folders:
        (folder / "sub" / "2.png").unlink()
    assert {**report, "left_out": []} == load(run(*folders, "--json"))


def test_a_folder_that_is_not_there(folders, tmp_path):
    result = run(tmp_path / "none", folders[1])
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_a_csv_that_cannot_be_written(folders, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(*folders, "--csv", tmp_path / "file" / "rows.csv")
    assert result.exit_code == 1
    assert "cannot" in result.stderr
    assert str(tmp_path / "file") in result.stderr
    assert "Traceback" not in result.stderr


def test_two_files(folders):
    report = load(run(folders[0] / "sub" / "0.png", folders[1] / "sub" / "0.png", "--json"))
    assert report["images"] == 1
    assert 0 < report["iou"] <= 1


def test_real_points_of_another_size_are_named(data):
    """One point image of SIRST-v1 has another size than its mask, as published."""
    result = run(data / "SIRST-v1" / "masks_coarse", data / "SIRST-v1" / "masks", "--json")
    assert result.exit_code == 3
    assert "Misc_111.png is 592 x 400 px" in result.stderr
    report = json.loads(result.stdout)
    assert (report["left_out"], report["images"]) == (["Misc_111"], 426)


def test_the_parts_of_hiou_are_shown(folders):
    report = load(run(*folders, "--json"))
    parts = report["hierarchy"]
    assert report["hiou"] == pytest.approx(parts["loc_iou"] * parts["seg_iou"])
    shown = run(*folders, "--against", folders[1]).stdout
    assert f"{report['hiou']:.4f}" in shown
    for name in ("loc_merging", "loc_interference", "loc_perception", "seg_perception"):
        assert f"{parts[name]:.4f}" in shown
    assert "pixels of B" in shown


def test_boxes_of_a_table_and_of_soft_maps(tmp_path):
    true = np.zeros((20, 20), bool)
    true[3:6, 3:6] = True
    soft = np.where(true, 50_000, 0).astype(np.uint16)
    soft[15, 15] = 60_000
    save(tmp_path / "gt" / "a.png", true)
    save(tmp_path / "soft" / "a.png", soft)
    save(tmp_path / "masks" / "a.png", soft > 32_768)
    head = "image,x,y,left,top,width,height,area,peak,mean_score\n"
    table = tmp_path / "detections.csv"
    table.write_text(f"{head}a,4,4,3,3,3,3,9,0.5,0.9\na,15,15,15,15,1,1,1,0.9,0.5\nb,1,1,1,1,1,1,1,1,1\n")
    gt = tmp_path / "gt"
    assert load(run(tmp_path / "soft", gt, "--json"))["ap50"] == 0.5
    assert "ap50" not in load(run(tmp_path / "masks", gt, "--json"))
    found = {
        score: run(tmp_path / "masks", gt, "--detections", table, "--box-score", score, "--json")
        for score in ("peak", "mean")
    }
    assert {score: load(result)["ap50"] for score, result in found.items()} == {"peak": 0.5, "mean": 1}
    assert "1 image (b) without a true mask; their detections are left out" in found["peak"].stderr
    assert (
        "AP of boxes at IoU 0.5, by mean"
        in run(tmp_path / "masks", gt, "--detections", table, "--box-score", "mean").stdout
    )
    table.write_text(f"{head}b,1,1,1,1,1,1,1,1,1\n")
    result = run(tmp_path / "masks", gt, "--detections", table)
    assert result.exit_code == 2
    assert "has no detection in an image with a true mask" in result.stderr
