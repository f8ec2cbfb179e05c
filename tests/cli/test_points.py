"""The command points: what it writes, how it agrees with published points, and each way to fail."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.evaluation.sampling import points_from_mask


def run(*arguments):
    return CliRunner().invoke(main, ["points", *map(str, arguments)])


def save(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def marks(path):
    array = np.asarray(Image.open(path))
    assert set(np.unique(array)) <= {0, 255}
    return np.argwhere(array)


@pytest.fixture
def masks(tmp_path, rng):
    """Blobs, a ring whose centroid is not in it, and an empty mask."""
    blobs = np.zeros((40, 50), bool)
    blobs[3:6, 4:9] = blobs[20:32, 30:45] = True
    ring = np.zeros((30, 30), bool)
    ring[5:16, 5:16] = True
    ring[7:14, 7:14] = False
    save(tmp_path / "masks" / "sub" / "blobs.png", blobs)
    save(tmp_path / "masks" / "ring.png", ring)
    save(tmp_path / "masks" / "empty.png", np.zeros((20, 30), bool))
    return tmp_path / "masks"


@pytest.mark.parametrize("mode", ["centroid", "coarse"])
def test_one_pixel_masks(masks, tmp_path, mode):
    result = run(masks, "-o", tmp_path / "out", "--mode", mode, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert "points: 3, masks: 3" in result.stdout
    for image_id in ("sub/blobs", "ring", "empty"):
        mask = np.asarray(Image.open(masks / f"{image_id}.png")) > 0
        expected, _ = points_from_mask(mask, mode, seed=3, image_id=image_id)
        assert sorted(marks(tmp_path / "out" / f"{image_id}.png").tolist()) == sorted(expected.tolist())
        assert Image.open(tmp_path / "out" / f"{image_id}.png").size == mask.shape[::-1]


def test_what_happened_is_said(masks, tmp_path):
    result = run(masks, "-o", tmp_path / "out")
    assert "moved to the nearest pixel of their target, which they fell outside of: 1; the first: ring" in result.stderr
    assert "masks without a target: 1; the first: empty" in result.stderr
    quiet = CliRunner().invoke(main, ["-q", "points", str(masks), "-o", str(tmp_path / "again")])
    assert quiet.stderr == ""


def test_points_do_not_depend_on_the_other_masks(masks, tmp_path):
    run(masks, "-o", tmp_path / "all", "--mode", "coarse", "--seed", 1)
    (masks / "ring.png").unlink()
    run(masks, "-o", tmp_path / "some", "--mode", "coarse", "--seed", 1)
    here, there = (tmp_path / name / "sub" / "blobs.png" for name in ("all", "some"))
    assert here.read_bytes() == there.read_bytes()
    run(masks, "-o", tmp_path / "other", "--mode", "coarse", "--seed", 2)
    assert here.read_bytes() != (tmp_path / "other" / "sub" / "blobs.png").read_bytes()


def test_csv_holds_the_same_points(masks, tmp_path):
    save(masks / "with, comma.png", np.asarray(Image.open(masks / "ring.png")) > 0)
    result = run(masks, "-o", tmp_path / "points.csv", "--format", "csv")
    assert result.exit_code == 0, result.output
    run(masks, "-o", tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "points.csv").open()))
    assert {row["image"] for row in rows} == {"sub/blobs", "ring", "empty", "with, comma"}
    for image_id in ("sub/blobs", "ring", "with, comma"):
        points = [[int(row["y"]), int(row["x"])] for row in rows if row["image"] == image_id]
        assert sorted(points) == marks(tmp_path / "out" / f"{image_id}.png").tolist()
    assert [(row["x"], row["y"]) for row in rows if row["image"] == "empty"] == [("", "")]


def test_a_table_of_clicks_is_replaced_only_when_told(masks, tmp_path):
    clicks = tmp_path / "points.csv"
    clicks.write_text("image,x,y\nring,1,2\n")
    refused = run(masks, "-o", clicks)
    assert refused.exit_code == 2
    assert f"{clicks} is there already; --overwrite replaces it" in refused.stderr
    assert clicks.read_text() == "image,x,y\nring,1,2\n"
    assert run(masks, "-o", clicks, "--overwrite").exit_code == 0
    assert len(clicks.read_text().splitlines()) == 5


def test_the_csv_is_one_that_annotate_reads(masks, tmp_path):
    from pointlabel.io.points.readers import open_points

    run(masks, "-o", tmp_path / "points.csv", "--format", "csv")
    bound = open_points(tmp_path / "points.csv").bind({"sub/blobs", "ring", "empty"})
    rows = bound.entries["sub/blobs"].load().rows
    assert [(row.row, row.column) for row in rows] == [tuple(p) for p in marks_of(masks / "sub" / "blobs.png")]
    assert not bound.unknown
    assert bound.entries["empty"].load().rows == ()


def marks_of(path):
    return points_from_mask(np.asarray(Image.open(path)) > 0)[0].astype(float)


def test_the_threshold(tmp_path):
    save(tmp_path / "masks" / "a.png", np.zeros((4, 4), bool))
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "masks" / "a.png")
    result = run(tmp_path / "masks", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "every mask is empty at --mask-threshold 127" in result.stderr
    assert "the largest value of the mask is 1" in result.stderr
    assert not (tmp_path / "out").exists()
    assert "points: 1" in run(tmp_path / "masks", "-o", tmp_path / "out", "--mask-threshold", 0).stdout


def test_masks_are_never_overwritten(masks):
    before = (masks / "ring.png").read_bytes()
    result = run(masks, "-o", masks)
    assert result.exit_code == 2
    assert "would overwrite the mask; choose another folder for --out" in result.stderr
    assert (masks / "ring.png").read_bytes() == before


def test_failures(masks, tmp_path):
    result = run(tmp_path / "none", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    (tmp_path / "bare").mkdir()
    result = run(tmp_path / "bare", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "bare: no image found" in result.stderr
    (tmp_path / "file").write_text("")
    result = run(masks, "-o", tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr
    (masks / "ring.png").write_text("no image")
    result = run(masks, "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "error: " in result.stderr
    assert "ring.png: not a PNG" in result.stderr
    assert "points: 2, masks: 2" in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["blobs.png", "empty.png"]
    result = run(masks / "ring.png", "-o", tmp_path / "ring.csv")
    assert result.exit_code == 2
    assert not (tmp_path / "ring.csv").exists()
    assert run(masks).exit_code == 2


@pytest.mark.parametrize(
    "name", ["SIRST-v1", *(pytest.param(name, marks=pytest.mark.slow) for name in ("NUDT-SIRST", "IRSTD-1k"))]
)
def test_published_centroids(data, tmp_path, name):
    """Published points are the floor of the centroid of what is not 0, also where that lies outside the mask."""
    out = tmp_path / "out"
    result = run(data / name / "masks", "-o", out, "--mask-threshold", 0)
    moved = 0
    for path in sorted(out.glob("*.png")):
        here, there = marks(path), marks(data / name / "masks_centroid" / path.name)
        if here.tolist() != there[:, :2].tolist():
            mask = np.asarray(Image.open(data / name / "masks" / path.name).convert("L")) > 0
            assert not mask[tuple(there.T)].all()
            moved += 1
    assert f"which they fell outside of: {moved};" in result.stderr
    assert moved < 20
