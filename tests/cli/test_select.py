"""``pointlabel select``, and the short names of ``train`` that go with the strategy bilevel."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main

pytestmark = pytest.mark.slow

TABLE = """id,weight,difficulty,n_targets,area,elongation,fill,scr
d/1,1.5,0.2,1,20,1.2,0.8,5
d/2,0.5,0.1,1,4,1.0,1.0,3
d/3,1.0,0.5,0,0,0,0,0
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/weights.csv").write_text(TABLE)
    return tmp_path / "run"


def invoke(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_the_list_and_the_plot_are_written(run, tmp_path):
    result = invoke("select", run, "--top", 0.34, "-o", tmp_path / "best.txt", "--plot", tmp_path / "weights.svg")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "best.txt").read_text() == "d/1\n"
    assert "1 of 3 training images, by weight" in result.output
    assert "area of the targets" in (tmp_path / "weights.svg").read_text()


def test_the_list_lies_in_the_run_by_default(run):
    assert invoke("-q", "select", run, "--by", "difficulty").output == ""
    assert (run / "top.txt").read_text() == "d/2\n"


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_plot_replaces_the_one_that_was_drawn_before(run, tmp_path, suffix):
    for _ in range(2):
        assert invoke("select", run, "--plot", tmp_path / f"weights.{suffix}").exit_code == 0


@pytest.mark.parametrize("name", ["weights.csv", "best.safetensors", "../image.png"])
def test_the_list_takes_the_place_of_no_other_file(run, name):
    place = run / name
    if not place.exists():
        place.write_bytes(b"\x89PNG\r\n\x1a\n\0")
    before = place.read_bytes()
    result = invoke("select", run, "-o", place)
    assert result.exit_code == 2
    assert "would replace what the command reads" in result.output or "would be replaced" in result.output
    assert place.read_bytes() == before


def test_failures_are_one_line(run, tmp_path):
    result = invoke("select", tmp_path)
    assert result.exit_code == 2
    assert "there is no weights.csv" in result.output
    result = invoke("select", run, "--plot", "weights.jpg")
    assert result.exit_code == 2
    assert "--plot writes .png, .pdf or .svg, got weights.jpg" in result.output
    assert invoke("select", run, "--top", "1.5").exit_code == 2


def settings(draw_dataset, tmp_path, *arguments):
    out = tmp_path / "run"
    data = draw_dataset("drawn", 8)
    small = ("--crop", 16, "--epochs", 1, "--batch-size", 8, "--no-progress", "--device", "cpu")
    result = invoke("-q", "train", data, "--out", out, *small, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads((out / "run.json").read_text())["config"]


def test_ablations_have_short_names(draw_dataset, tmp_path):
    flags = ("--no-balance", "--no-label-update", "--beta", 0, "--joint", "--hypergradient", "head")
    config = settings(draw_dataset, tmp_path, "--strategy", "bilevel", *flags)
    assert config["options"] == {
        "balance": False, "update_labels": False, "beta": 0.0, "joint": True, "hypergradient": "head",
    }  # fmt: skip


def test_the_command_line_goes_before_the_preset(draw_dataset, tmp_path):
    given = ("--preset", "d2d-code", "--label-method", "point", "--set", "beta=0.5")
    config = settings(draw_dataset, tmp_path, *given)
    assert (config["strategy"], config["lr"], config["schedule"]) == ("bilevel", 5e-4, "constant")
    assert (config["label_method"], config["epochs"]) == ("point", 1)
    assert config["options"]["beta"] == 0.5
    assert config["options"]["theta_loss"] == "bce"


def test_a_file_goes_before_the_preset_whatever_their_order(draw_dataset, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('lr = 0.002\nlabel-method = "point"\n[params]\nbeta = 0.25\n')
    config = settings(draw_dataset, tmp_path, "--config", path, "--preset", "d2d-code")
    assert (config["lr"], config["schedule"], config["options"]["beta"]) == (0.002, "constant", 0.25)


def test_short_names_of_another_strategy_are_refused(draw_dataset, tmp_path):
    result = invoke("train", draw_dataset(), "--out", tmp_path / "run", "--strategy", "offline", "--joint")
    assert result.exit_code == 2
    assert "strategy offline has no parameter joint" in result.output
