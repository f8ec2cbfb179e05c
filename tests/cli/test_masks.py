"""Masks by one rule in every command that reads them: what is refused before anything is written, and what is told."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main

N = 6


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def dataset(tmp_path, rng):
    """A data set with one target an image, masks of 0 and 255, points, and lists."""
    rows, columns = np.mgrid[:48, :64]
    for k in range(N):
        bump = 120 * np.exp(-((rows - 20) ** 2 + (columns - 24 - k) ** 2) / 6)
        save(tmp_path / f"ds/images/f{k}.png", (rng.normal(60, 4, bump.shape) + bump).clip(0, 255).astype(np.uint8))
        mask = np.uint8(255) * (bump > 40)
        point = np.zeros_like(mask)
        point[20, 24 + k] = 255
        save(tmp_path / f"ds/masks/f{k}.png", mask)
        save(tmp_path / f"ds/masks_centroid/f{k}.png", point)
    (tmp_path / "ds/img_idx").mkdir()
    (tmp_path / "ds/img_idx/train.txt").write_text("".join(f"f{k}\n" for k in range(4)))
    (tmp_path / "ds/img_idx/test.txt").write_text("f4\nf5\n")
    return tmp_path / "ds"


def change(dataset, function, folder="masks"):
    for path in (dataset / folder).iterdir():
        save(path, function(np.asarray(Image.open(path))))


def commands(dataset):
    """Every command that reads true masks, with what it would write."""
    images, masks, points, out = (dataset / name for name in ("images", "masks", "masks_centroid", "out"))
    train = ("--model", "tiny", "--crop", 32, "--epochs", 1, "--device", "cpu", "-o", out, "--no-progress")
    oracle = ("--method", "mclc", "--size-prior", "oracle", "--masks", masks, "--no-progress")
    return {
        "points": ("points", masks, "-o", out),
        "evaluate": ("evaluate", points, masks, "--csv", out),
        "annotate": ("annotate", images, "-p", points, "-o", out, *oracle),
        "bench": ("bench", "accuracy", dataset, "--methods", "point", "--json", f"{out}.json", "--no-progress"),
        "calibrate": ("calibrate", images, "-p", points, "-m", masks, "-o", out, "--no-progress"),
        "full": ("train", dataset, "--strategy", "full", *train),
        "offline": ("train", dataset, "--strategy", "offline", *train),
    }


NAMES = ("points", "evaluate", "annotate", "bench", "calibrate", "full", "offline")


@pytest.fixture(params=NAMES)
def command(request, dataset):
    if request.param in ("calibrate", "full", "offline"):
        pytest.importorskip("torch")
    return commands(dataset)[request.param]


@pytest.mark.parametrize("scale", ["8 bit", "16 bit"])
def test_masks_of_0_and_1_are_refused_with_the_option(command, dataset, scale):
    change(dataset, lambda mask: (mask // 255).astype(np.uint8 if scale == "8 bit" else np.uint16))
    result = run(*command)
    assert result.exit_code == 2, result.output
    assert "mask is empty at --mask-threshold 127" in result.stderr
    assert "masks of 0 and 1 need the threshold 0" in result.stderr
    assert ".py:" not in result.stderr
    assert not (dataset / "out").exists()


def test_inverted_masks_and_images_are_refused(command, dataset):
    change(dataset, lambda mask: 255 - mask)
    result = run(*command)
    assert result.exit_code == 2, result.output
    assert "cover more than half of their image" in result.stderr
    assert "is it inverted, or in the alpha channel?" in result.stderr
    for path in (dataset / "images").iterdir():
        save(dataset / "masks" / path.name, np.asarray(Image.open(path)))
    result = run(*command)
    assert result.exit_code == 2
    assert "files looked at are images, not" in result.stderr
    assert not (dataset / "out").exists()


@pytest.mark.parametrize("name", ["points", "evaluate", "annotate", "bench", "offline"])
def test_several_levels_are_told(dataset, name):
    if name == "offline":
        pytest.importorskip("torch")
    command = commands(dataset)[name]
    change(dataset, lambda mask: np.where(np.arange(64) < 4, 60, mask).astype(np.uint8))
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "1 whole area among them; numbered targets need --mask-threshold 0" in result.stderr
    assert ".py:" not in result.stderr


@pytest.mark.parametrize("name", ["points", "evaluate", "annotate", "bench", "full"])
def test_the_threshold_0_reads_masks_of_0_and_1(dataset, name):
    """The masks of 0 and 1 give what masks of 0 and 255 give."""
    if name == "full":
        pytest.importorskip("torch")
    words = commands(dataset)[name]
    outputs = []
    for threshold in (127, 0):
        result = run(*words, "--mask-threshold", threshold)
        assert result.exit_code == 0, result.output
        outputs.append(written(dataset, name))
        for path in sorted((dataset / "out").rglob("*"), reverse=True) if (dataset / "out").is_dir() else ():
            path.rmdir() if path.is_dir() else path.unlink()
        if (dataset / "out").is_dir():
            (dataset / "out").rmdir()
        else:
            (dataset / "out").unlink(missing_ok=True)
        change(dataset, lambda mask: mask // max(mask.max(), 1))
    assert outputs[0] == outputs[1]


def written(dataset, name):
    out = dataset / "out"
    if name == "annotate":
        lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        return [[target["area"] for target in line["targets"]] for line in lines]
    if name == "full":
        return json.loads((out / "results.json").read_text())["test"]
    if name == "bench":
        rows = json.loads(out.with_suffix(".json").read_text())["rows"]
        return [(row["iou"], row["by_size"]) for row in rows]
    return out.read_text() if out.is_file() else {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_run_with_another_threshold_is_not_resumed(dataset):
    words = commands(dataset)["annotate"]
    assert run(*words, "--mask-threshold", 10).exit_code == 0
    result = run(*words, "--resume")
    assert result.exit_code == 2
    assert "mask_threshold" in result.stderr
    assert run(*words, "--resume", "--mask-threshold", 10).exit_code == 0


def test_masks_under_other_forms_of_the_names(dataset):
    """``_pixels0`` and the form of a letter make no difference to any reader of masks."""
    for folder in ("images", "masks_centroid", "masks"):
        for path in list((dataset / folder).iterdir()):
            # One letter in the names of the masks, a letter and its accent in the others.
            name = f"\u00e9{path.stem}_pixels0.png" if folder == "masks" else f"e\u0301{path.stem}.png"
            path.rename(path.with_name(name))
    result = run(*commands(dataset)["annotate"])
    assert result.exit_code == 0, result.output
    result = run("evaluate", dataset / "masks", dataset / "masks", "--images", dataset / "images", "--json")
    assert json.loads(result.stdout)["by_scr"] is not None


def test_points_as_a_table(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("points", dataset / "masks", "-o", "coarse.csv").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "coarse.csv").open()))
    assert [row["image"] for row in rows] == [f"f{k}" for k in range(N)]
    piped = run("points", dataset / "masks", "-o", "-")
    assert piped.stdout == (tmp_path / "coarse.csv").read_text()
    assert f"points: {N}, masks: {N}" in piped.stderr
    assert not (tmp_path / "-").exists()
    result = run("points", dataset / "masks", "-o", "fine.csv", "--format", "png")
    assert result.exit_code == 2
    assert "leave --format out for a CSV" in result.stderr
    assert not (tmp_path / "fine.csv").exists()


def test_points_never_go_over_files_of_others(dataset):
    before = (dataset / "images/f0.png").read_bytes()
    result = run("points", dataset / "masks", "-o", dataset / "images")
    assert result.exit_code == 2
    assert "not written by this program, and would be replaced" in result.stderr
    assert (dataset / "images/f0.png").read_bytes() == before
    assert [run("points", dataset / "masks", "-o", dataset / "again").exit_code for _ in range(2)] == [0, 0]


def test_evaluate_writes_rows_to_standard_output(dataset):
    (dataset / "masks/f0.png").rename(dataset / "masks/=f0.png")
    result = run("evaluate", dataset / "masks", dataset / "masks", "--csv", "-")
    assert result.exit_code == 0
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["id"] for row in rows] == ["'=f0", *(f"f{k}" for k in range(1, N))]
    assert f"{N} predictions are the files of the true masks themselves" in result.stderr
    result = run("evaluate", dataset / "masks", dataset / "masks", "--csv", "-", "--json")
    assert result.exit_code == 2
    assert "exclude each other: standard output takes one of them" in result.stderr


def test_a_threshold_that_is_no_number(dataset):
    result = run("evaluate", dataset / "masks", dataset / "masks", "--mask-threshold", "nan")
    assert result.exit_code == 2
    assert "nan" in result.stderr


def test_points_given_as_masks_are_told(dataset):
    result = run("evaluate", dataset / "masks", dataset / "masks_centroid")
    assert result.exit_code == 0
    assert "every target of the true masks looked at is one pixel; are they points?" in result.stderr
