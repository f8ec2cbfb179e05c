"""The commands bench accuracy and bench timing: what they print and write, and each way to fail."""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel import annotate
from pointlabel.bench.methods import BenchJob, run_bench, survey_dataset
from pointlabel.bench.runner import plan_setup
from pointlabel.cli.bench_tables import print_accuracy
from pointlabel.cli.main import main
from pointlabel.evaluation.metrics import Totals, score_image
from pointlabel.folder.job import image_generator
from pointlabel.io.datasets import open_dataset
from pointlabel.io.samples import read_sample
from pointlabel.methods.table import BUILT_IN


def run(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def by_method(rows, dataset):
    return {row["method"]: row for row in rows if row["dataset"] == dataset}


def pooled_iou(folders, **options):
    totals = Totals()
    for folder in folders:
        for sample in map(read_sample, open_dataset(folder).entries):
            labels = annotate(sample.image, sample.points, rng=image_generator(0, sample.id), **options)
            assert sample.mask is not None
            totals.add(score_image(labels.mask(), sample.mask))
    return totals.summary()["iou"]


class Tags(HTMLParser):
    """Every tag of a page with its attributes; fails where one is not closed."""

    def __init__(self, text):
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def test_two_data_sets_with_everything_written(draw_dataset, tmp_path):
    folders = [draw_dataset("one", 3), draw_dataset("two", 4)]
    files = ["--json", tmp_path / "new" / "b.json", "--html", tmp_path / "b.html"]
    result = run("accuracy", *folders, "--methods", "default,point", *files)
    assert result.exit_code == 0, result.output
    stored = json.loads((tmp_path / "new" / "b.json").read_text())
    assert [row["dataset"] for row in stored["rows"]] == ["one", "one", "two", "two", "pooled", "pooled"]
    for name, chosen in (("one", folders[:1]), ("two", folders[1:]), ("pooled", folders)):
        rows = by_method(stored["rows"], name)
        assert rows["default"]["iou"] == pytest.approx(pooled_iou(chosen))
        assert rows["point"]["iou"] == pytest.approx(pooled_iou(chosen, method="point"))
        for row in rows.values():
            assert (row["points"], row["size_prior"], row["seeds"]) == ("centroid", "none", 1)
            assert 0 < row["ms_median"] <= row["ms_p90"] <= row["ms_p99"]
            assert row["first_ms"] > row["ms_median"]
            assert row["peak_mb"] is None or row["peak_mb"] >= row["start_mb"] > 0
    assert by_method(stored["rows"], "pooled")["default"]["targets"] == 14
    assert [(data["dataset"], data["images"], data["points"]) for data in stored["data"]] == [
        ("one", 3, 6),
        ("two", 4, 8),
    ]
    assert all(re.fullmatch("[0-9a-f]{64}", data["sha256"]) for data in stored["data"])
    assert stored["threads"]["OMP_NUM_THREADS"] == "1"
    assert {"machine", "versions", "options"} <= stored.keys()
    assert re.search(r"pooled: 7 images, 14 targets", result.stdout)
    assert result.stdout.index("default") < result.stdout.index("point ")  # the better one first
    assert "default on one: 3 images" in result.stderr

    page = (tmp_path / "b.html").read_text()
    tags = Tags(page).found
    assert not [
        value
        for _, attributes in tags
        for name, value in attributes.items()
        if name in ("src", "href") and value[0] != "#"
    ]
    assert {attributes.get("id") for tag, attributes in tags if tag == "section"} >= {
        "table",
        "size",
        "time",
        "windows",
    }
    windows = [attributes for _, attributes in tags if attributes.get("class") == "window"]
    assert 2 <= len(windows) <= 7
    assert all("data:image/png;base64," in attributes["style"] for attributes in windows)
    assert page.count('class="surface"') == len(windows)
    assert page.count('class="outline mask"') == 2 * len(windows)


@pytest.mark.parametrize("width", [20, 80, 200])
def test_no_figure_of_a_table_is_cut(width, monkeypatch, capsys):
    row = {"dataset": "SIRST-v1", "images": 427, "targets": 533, "points": "coarse", "method": "threshold", "seeds": 3}
    row |= {"size_prior": "oracle", "iou": 0.8271, "iou_std": 0.0031, "niou": 0.8119, "niou_std": 0.0022, "poor": 0.123}
    row |= {"area_error": 0.345, "ms_median": 1.2344, "ms_p90": 12.34, "ms_p99": 123.46, "first_ms": 45678}
    monkeypatch.setenv("COLUMNS", str(width))
    print_accuracy([row | {"peak_mb": 1234}])
    figures = "threshold oracle 0.827 ± 0.003 0.812 ± 0.002 12.3% 34.5% 1.234 12.3 123.5 45678 1234"
    assert figures in [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
def test_oracle_and_seeds_and_a_split(draw_dataset, tmp_path):
    folder = draw_dataset("set", 4)
    (folder / "img_idx").mkdir()
    (folder / "img_idx" / "train.txt").write_text("1\n3\n")
    options = ["--methods", "diffusion,default", "--size-prior", "oracle", "--seeds", 2, "--split", "train"]
    result = run("accuracy", folder, *options, "--points", "coarse", "--json", tmp_path / "b.json")
    assert result.exit_code == 0, result.output
    rows = by_method(json.loads((tmp_path / "b.json").read_text())["rows"], "set")
    assert (rows["diffusion"]["size_prior"], rows["diffusion"]["seeds"]) == ("oracle", 2)
    assert (rows["default"]["size_prior"], rows["default"]["seeds"]) == ("none", 1)
    assert rows["default"]["images"] == 2
    assert rows["default"]["points"] == "coarse"
    assert "±" in result.stdout


def test_a_method_that_fails_leaves_the_others(draw_dataset, tmp_path):
    folder = draw_dataset("set", 2)
    needy = next(name for name, method in BUILT_IN.items() if method.needs_checkpoint)
    options = ["--methods", f"{needy},point", "--checkpoint", f"{needy}={tmp_path / 'none'}"]
    result = run("accuracy", folder, *options, "--json", tmp_path / "b.json", "--html", tmp_path / "b.html")
    assert result.exit_code == 3, result.output
    rows = by_method(json.loads((tmp_path / "b.json").read_text())["rows"], "set")
    assert rows["point"]["iou"] > 0
    assert rows[needy].keys() == {"dataset", "points", "method", "size_prior", "error"}
    assert f"error: {needy} on set:" in result.stderr
    assert f"{needy} failed:" in result.stdout
    assert f"failed: {rows[needy]['error'][:20]}" in (tmp_path / "b.html").read_text()


def test_images_that_cannot_be_read_are_left_out(draw_dataset, tmp_path):
    folder = draw_dataset("set", 3)
    (folder / "images" / "1.png").write_bytes(b"no image")
    result = run("accuracy", folder, "--methods", "point", "--json", tmp_path / "b.json")
    assert result.exit_code == 3, result.output
    stored = json.loads((tmp_path / "b.json").read_text())
    assert stored["data"][0]["images"] == 2
    assert len(stored["data"][0]["left_out"]) == 1
    assert "warning: left out:" in result.stderr
    assert run("-q", "accuracy", folder).exit_code == 2  # -q belongs before bench


def test_ctrl_c_keeps_what_is_done(draw_dataset, tmp_path):
    command = [sys.executable, "-m", "pointlabel", "bench", "accuracy", str(draw_dataset("set", 2))]
    command += ["--methods", "point,default,threshold", "--json", str(tmp_path / "b.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("point on set"):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped: 1 of 3 runs are done" in said
    assert "point" in shown
    assert [row["method"] for row in json.loads((tmp_path / "b.json").read_text())["rows"]] == ["point"]


@pytest.mark.slow
def test_timing_needs_no_masks(draw_dataset, tmp_path):
    folder = draw_dataset("set", 3)
    shutil.rmtree(folder / "masks")
    result = run("timing", folder, "--methods", "point,threshold", "--repeat", 2, "--json", tmp_path / "t.json")
    assert result.exit_code == 0, result.output
    rows = by_method(json.loads((tmp_path / "t.json").read_text())["rows"], "set")
    assert all("iou" not in row and row["targets"] == 6 for row in rows.values())
    assert "times as fast" in result.stdout
    assert "as mclc" in result.stdout
    again = run("timing", folder / "images", "-p", folder / "masks_centroid", "--methods", "point")
    assert again.exit_code == 0, again.output
    assert "3 images, 6 targets, points: given" in again.stdout


def broken(part):
    return lambda folder: shutil.rmtree(folder / part)


def blank(folder):
    for path in (folder / "masks_centroid").iterdir():
        Image.fromarray(np.zeros((64, 80), np.uint8)).save(path)


@pytest.mark.parametrize(
    ("arguments", "change", "message"),
    [
        (["accuracy", "{}"], broken("images"), "needs the folder images/"),
        (["accuracy", "{}"], broken("masks"), "needs the folder masks/"),
        (["accuracy", "{}", "--points", "coarse"], broken("masks_coarse"), "needs the folder masks_coarse/"),
        (["accuracy", "{}", "--split", "train"], None, "split train needs the folder img_idx/"),
        (["accuracy", "{}"], blank, "no image has a point; there is nothing to measure"),
        (["accuracy", "{}", "{}"], None, "this data set is given twice"),
        (["accuracy", "{}", "--methods", "defualt,point"], None, "unknown method 'defualt'; did you mean default?"),
        (["accuracy", "{}", "--methods", " ,"], None, "--methods names no method"),
        (["accuracy", "{}", "--checkpoint", "sam"], None, "--checkpoint must be METHOD=DIR, got 'sam'"),
        (["accuracy", "{}", "--checkpoint", "sam=x"], None, "--checkpoint of sam: sam is not among the methods"),
        (["timing", "{}", "--size-prior", "oracle"], None, "oracle needs true masks, which bench timing does not read"),
        (
            ["timing", "{}/images", "-p", "{}/masks", "--split", "a"],
            None,
            "--split chooses images of a data set",
        ),
        (["timing", "{}/images", "-p", "{}/no.csv"], None, "no.csv: no such file or folder"),
    ],
)
def test_bad_input_is_one_sentence(draw_dataset, arguments, change, message):
    folder = draw_dataset("set", 2)
    if change is not None:
        change(folder)
    result = run(*(argument.format(folder) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_places_that_cannot_be_written_fail_before_the_work(draw_dataset, tmp_path, option):
    folder = draw_dataset("set", 2)
    (tmp_path / "file").write_text("")
    result = run("accuracy", folder, option, tmp_path / "file" / "b.json")
    assert result.exit_code == 1
    assert "file" in result.stderr
    assert "reading" not in result.stderr
    assert " on set" not in result.stderr


def test_a_process_that_dies_is_a_sentence(draw_dataset):
    dataset = open_dataset(draw_dataset("set", 2))
    survey = survey_dataset(dataset)
    many = replace(survey, dataset=replace(dataset, entries=dataset.entries * 500))

    def kill(job):
        for child in multiprocessing.active_children():
            child.kill()

    jobs = [BenchJob(plan_setup("point"), 0, chosen) for chosen in (many, survey)]
    first, second = run_bench(jobs, on_image=lambda job: kill(job) if job is jobs[0] else None)
    assert first.run is None
    assert first.error == "its process died with exit code -9, perhaps for want of memory"
    assert second.run is not None


def test_files_that_change_while_methods_run_are_said(draw_dataset):
    folder = draw_dataset()
    survey = survey_dataset(open_dataset(folder))
    shutil.copy(folder / "masks/1.png", folder / "masks/0.png")
    (done,) = run_bench([BenchJob(plan_setup("point"), 0, survey)])
    assert done.run is None
    assert done.error == f"{folder}: its files changed while methods ran on them; run again"
