"""The command runs compare: its table, files, and each way to fail."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.io.masks.read import read_grey_mask
from pointlabel.training import TrainConfig, train

pytestmark = pytest.mark.slow


def run(*arguments):
    return CliRunner().invoke(main, ["runs", "compare", *map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two runs on six drawn images, two of them to test on."""
    from PIL import Image

    from pointlabel.synthetic import draw_scene

    root = tmp_path_factory.mktemp("runs")
    data = root / "drawn"
    for part in ("images", "masks", "masks_centroid"):
        (data / part).mkdir(parents=True)
    for k in range(6):
        drawn = draw_scene(seed=k, shape=(48, 56), n_targets=1, margin_px=12)
        points = np.zeros(drawn.mask.shape, bool)
        points[tuple(drawn.points.astype(int).T)] = True
        for part, pixels in (("images", drawn.image), ("masks", drawn.mask), ("masks_centroid", points)):
            grey = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
            Image.fromarray(grey).save(data / part / f"{k}.png")
    (data / "img_idx").mkdir()
    (data / "img_idx" / "train.txt").write_text("0\n1\n2\n3\n")
    (data / "img_idx" / "test.txt").write_text("4\n5\n")
    for strategy in ("offline", "point"):
        config = TrainConfig(strategy=strategy, epochs=3, crop=32, batch_size=2, lr=0.01)
        train(config, [data], root / strategy)
    return root


def test_table_json_html_and_plot(trained, tmp_path):
    html, data, plot = (tmp_path / name for name in ("a.html", "a.json", "a.png"))
    result = run(trained / "offline", trained / "point", "--html", html, "--json", data, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert "2 test images, protocol ours" in result.stdout
    held = json.loads(data.read_text())
    assert [row["name"] for row in held["runs"]] == ["offline", "point"]
    for row in held["runs"]:
        stored = json.loads((trained / row["name"] / "results.json").read_text())
        assert row["scores"] == stored["test"]["whole"]
        assert f"{row['scores']['iou']:.4f}" in result.stdout
        assert len(row["curve"]) == row["epochs"] == 3
    first, second = held["runs"]
    assert first["against_first"] is None
    gap = second["against_first"]["iou"]
    assert gap["difference"] == pytest.approx(second["scores"]["iou"] - first["scores"]["iou"])
    assert gap["low"] <= gap["difference"] <= gap["high"]
    text = html.read_text()
    assert not re.search(r'(src|href)="http', text)
    assert {"offline", "point", "truth", "drawn/4", "drawn/5"} <= set(re.findall(r"<b[^>]*>([^<]*)</b>", text))
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_run_against_itself_under_another_name(trained, tmp_path):
    import shutil

    long = "SIRST-v1-tiny-centroid-80-of-labels-without-clutter"
    shutil.copytree(trained / "offline", tmp_path / f"{long}-1")
    shutil.copytree(trained / "offline", tmp_path / f"{long}-2")
    result = run(tmp_path / f"{long}-1", tmp_path / f"{long}-2", "--json", tmp_path / "a.json")
    assert result.exit_code == 0, result.output
    table = "".join(line.strip("│ ").split(" ")[0] for line in result.stdout.splitlines() if line.startswith("│"))
    assert table.count(f"{long}-1") == 1  # each name as a whole, over as many lines as it takes
    assert table.count(f"{long}-2") == 2
    gap = json.loads((tmp_path / "a.json").read_text())["runs"][1]["against_first"]
    assert {name: tuple(each.values()) for name, each in gap.items()}["iou"] == (0.0, 0.0, 0.0)


def test_images_that_only_one_run_has_are_left_out(trained, tmp_path):
    import shutil

    shutil.copytree(trained / "point", tmp_path / "fewer")
    stamp = json.loads((tmp_path / "fewer" / "run.json").read_text())
    stamp["split"]["drawn"]["test"] = ["5"]
    (tmp_path / "fewer" / "run.json").write_text(json.dumps(stamp))
    result = run(trained / "offline", tmp_path / "fewer")
    assert result.exit_code == 0, result.output
    assert "note: 1 test images are not in every run and are left out; 1 are compared" in result.stderr
    stamp["split"]["drawn"]["test"] = ["0"]
    (tmp_path / "fewer" / "run.json").write_text(json.dumps(stamp))
    result = run(trained / "offline", tmp_path / "fewer")
    assert result.exit_code == 2
    assert "the test parts of these runs have no image in common" in result.stderr


def test_failures_are_one_sentence(trained, tmp_path, monkeypatch):
    for arguments, message in (
        ([tmp_path], "no run of pointlabel train (there is no run.json)"),
        ([trained / "point", trained / "point"], "this run is given twice"),
        ([trained / "point", "--plot", tmp_path / "a.gif"], "--plot writes .png, .pdf or .svg, got"),
        ([trained / "point", "--device", "cuda:99"], "device cuda:99 is not there"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.stderr.split())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(trained / "point", "--plot", tmp_path / "a.png")
    assert result.exit_code == 1
    assert "--plot needs matplotlib: pip install 'pointlabel[plot]'" in result.stderr


def test_the_masks_compared_are_those_of_predict(trained, tmp_path):
    from pointlabel.training import predict_images
    from pointlabel.training.compare import compare_runs

    found = compare_runs([trained / "offline"])
    predict_images(trained / "offline", trained / "drawn" / "images", tmp_path / "out")
    for image, mask in zip(found.images, found.runs[0].predictions, strict=True):
        stored = read_grey_mask(str(tmp_path / "out" / "masks" / f"{image.id.partition('/')[2]}.png")).mask()
        np.testing.assert_array_equal(mask, stored)


def test_a_run_on_a_table_of_clicks(trained, tmp_path):
    """Neither the table nor a folder of points has to be there when runs are compared."""
    import shutil

    folder = tmp_path / "drawn"
    shutil.copytree(trained / "drawn", folder)
    clicks = tmp_path / "clicks.csv"
    made = CliRunner().invoke(main, ["points", str(folder / "masks"), "-o", str(clicks), "--format", "csv"])
    assert made.exit_code == 0, made.output
    shutil.rmtree(folder / "masks_centroid")
    train(TrainConfig(points=str(clicks), epochs=1, crop=32, batch_size=2), [folder], tmp_path / "clicked")
    clicks.unlink()
    result = run(trained / "offline", tmp_path / "clicked")
    assert result.exit_code == 0, result.output
    assert "2 test images" in result.stdout
