"""A data set and its parts named one by one give the same, in every command."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main


def run(*words):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result


def masks_of(folder):
    return {path.name: path.read_bytes() for path in (folder / "masks").iterdir()}


@pytest.fixture
def dataset(draw_dataset):
    return draw_dataset("set", 3)


def test_annotate_takes_a_data_set(dataset, tmp_path):
    parts = ("-p", dataset / "masks_centroid")
    run("annotate", dataset / "images", *parts, "-o", tmp_path / "a")
    run("annotate", dataset, "-o", tmp_path / "b")
    assert masks_of(tmp_path / "a") == masks_of(tmp_path / "b")
    oracle = ("--method", "diffusion", "--size-prior", "oracle")
    run("annotate", dataset / "images", *parts, "-m", dataset / "masks", "-o", tmp_path / "c", *oracle)
    run("annotate", dataset, "-o", tmp_path / "d", *oracle)
    assert masks_of(tmp_path / "c") == masks_of(tmp_path / "d")


def test_a_table_of_clicks_stands_for_centroids(dataset, tmp_path):
    run("annotate", dataset, "-o", tmp_path / "a")
    run("points", dataset, "-o", dataset / "clicks.csv")
    shutil.rmtree(dataset / "masks_centroid")
    run("annotate", dataset, "-o", tmp_path / "b")
    assert masks_of(tmp_path / "a") == masks_of(tmp_path / "b")


def test_evaluate_and_bench_take_a_data_set_or_its_parts(dataset, tmp_path):
    run("annotate", dataset, "--method", "point", "-o", tmp_path / "out")
    scores = [run("evaluate", tmp_path / "out", true, "--json").stdout for true in (dataset, dataset / "masks")]
    assert json.loads(scores[0]) | {"gt": ""} == json.loads(scores[1]) | {"gt": ""}
    parts = (dataset / "images", "-p", dataset / "masks_centroid", "-m", dataset / "masks")
    rows = []
    for given in ((dataset,), parts):
        run("bench", "accuracy", *given, "--methods", "point", "--json", tmp_path / "b.json")
        rows.append(json.loads((tmp_path / "b.json").read_text())["rows"][0])
    assert rows[0]["iou"] == rows[1]["iou"] == json.loads(scores[0])["iou"]
    assert [row["points"] for row in rows] == ["centroid", "given"]


def test_what_is_no_data_set_is_said(dataset, tmp_path):
    result = CliRunner().invoke(main, ["annotate", str(dataset / "images"), "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "not a data set, which holds the folder images/; for other images give --points" in result.stderr
