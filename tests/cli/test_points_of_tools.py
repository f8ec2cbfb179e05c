"""``annotate`` and its kin on points from other tools, from the command line and from standard input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.labeling import open_labeller
from tests.point_samples import MCLC, npy
from tests.point_writers import write_coco, write_csv, write_cvat, write_labelme, write_yolo

SHAPE = (64, 80)
POINTS = {"a": [(20.0, 30.0), (50.0, 70.0)], "b": [(12.0, 60.0)]}
IMAGES = {name: (SHAPE, points) for name, points in POINTS.items()}


def scene(points: list[tuple[float, float]], sign: int = 1) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(0).normal(120, 3, SHAPE)
    for row, column in points:
        image += sign * 90 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images ``frames/a.png`` and ``frames/b.png`` in the current folder."""
    (tmp_path / "frames").mkdir()
    for name, points in POINTS.items():
        Image.fromarray(scene(points)).save(tmp_path / "frames" / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "frames"


def annotate(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["annotate", *words, "-o", "out", "--method", "point"], input=stdin)


def targets() -> dict[str, list[tuple[float, float]]]:
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    return {line["id"]: [(target["y"], target["x"]) for target in line["targets"]] for line in lines}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["frames"], "ab"),
        (["frames", "-p", "frames"], "ab"),
        (["frames/a.png"], "a"),
        (["frames/a.png", "frames/b.png"], "ab"),
        (["frames/*.png", "-p", "frames/b.json"], "ab"),
    ],
)
def test_files_of_labelme_beside_the_images(frames, words, found):
    write_labelme(frames, IMAGES)
    result = annotate(*words)
    assert result.exit_code == 0, result.output
    expected = {name: POINTS[name] for name in found}
    if words[-1].endswith(".json"):
        expected["a"] = []
    assert targets() == expected


def test_one_file_of_points_beside_the_images(frames):
    write_cvat(frames, IMAGES)
    assert annotate("frames").exit_code == 0
    assert targets() == POINTS


def test_images_alone_still_ask_for_points(frames):
    result = annotate("frames")
    assert result.exit_code == 2
    assert "frames: not a data set" in result.stderr
    result = annotate("frames/a.png", "frames/b.png")
    assert "frames: no points lie beside these images; give --points" in result.stderr


def test_images_of_several_folders_go_by_the_folder_around_them(frames):
    for name in ("day", "night"):
        shutil.copytree(frames, f"all/{name}")
    places = {f"{name}/{each}": IMAGES[each] for name in ("day", "night") for each in "ab"}
    path = write_csv(Path("."), places)
    assert annotate("all/day", "all/night/b.png", "all/night/b.png", "-p", path).exit_code == 0
    assert targets() == {"day/a": POINTS["a"], "day/b": POINTS["b"], "night/b": POINTS["b"]}


def test_clicks_on_the_command_line(frames):
    result = annotate("frames/a.png", "--at", "30,20", "--at", "70.25,50")
    assert result.exit_code == 0, result.output
    assert targets() == {"a": [(20.0, 30.0), (50.0, 70.25)]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["frames/a.png", "--at", "30;20"], "a point must be X,Y in pixels, such as 120,43, got 30;20"),
        (["frames/a.png", "--at", "nan,1"], "a point must be X,Y in pixels"),
        (["frames", "--at", "30,20"], "clicks are of one image, got 2 images"),
        (["frames/a.png", "--at", "30,20", "-p", "x.csv"], "--at and --points exclude each other"),
    ],
)
def test_clicks_that_cannot_be(frames, words, sentence):
    result = annotate(*words)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_table_from_standard_input(frames):
    text = Path(write_csv(Path("."), IMAGES)).read_text()
    assert annotate("frames", "-p", "-", stdin=text).exit_code == 0
    assert targets() == POINTS
    assert (
        annotate("frames", "-p", "-", "--overwrite", stdin=Path(write_coco(Path("."), IMAGES)).read_text()).exit_code
        == 0
    )
    assert targets() == POINTS
    result = annotate("frames", "-p", "-", "--overwrite", stdin="image,x,y\na,one,2\n")
    assert "standard input, line 2: x must be a number, got 'one'" in result.stderr
    result = annotate("frames", "-p", "-", "--overwrite", stdin="")
    assert "standard input: it is empty" in result.stderr
    result = annotate("frames", "-p", "-", "--points-format", "yolo", "--overwrite", stdin="0 0.5 0.5 0.1 0.1\n")
    assert "standard input: points there must name their images, which text of YOLO does not" in result.stderr


def test_shares_find_the_size_of_their_image(frames):
    Path("labels").mkdir()
    assert annotate("frames", "-p", write_yolo(Path("labels"), IMAGES)).exit_code == 0
    assert targets() == {
        name: [(pytest.approx(row), pytest.approx(column)) for row, column in points] for name, points in POINTS.items()
    }


def test_points_of_a_larger_copy_are_scaled(frames):
    larger = {name: ((128, 160), [(2 * r + 0.5, 2 * c + 0.5) for r, c in points]) for name, points in POINTS.items()}
    result = annotate("frames", "-p", write_coco(Path("."), larger))
    assert result.exit_code == 0
    assert targets() == POINTS
    assert "points scaled" in result.stderr


def test_an_export_may_cover_more_images_than_there_are(frames):
    more = {**IMAGES, "elsewhere": (SHAPE, [(1.0, 1.0)])}
    result = annotate("frames", "-p", write_coco(Path("."), more))
    assert result.exit_code == 0
    assert "image 2: there is no image elsewhere.png" in result.stderr


def test_pickled_tables_need_leave(frames):
    for name in POINTS:
        Path(f"info/{name}.npy").parent.mkdir(exist_ok=True)
        Path(f"info/{name}.npy").write_bytes(npy({**MCLC, "centroid_label_y": [12], "centroid_label_x": [60]}))
    result = annotate("frames", "-p", "info")
    assert result.exit_code == 2
    assert "--allow-pickle reads plain values" in result.stderr
    assert annotate("frames", "-p", "info", "--allow-pickle").exit_code == 0
    assert targets() == {"a": [(12.0, 60.0)], "b": [(12.0, 60.0)]}


@pytest.mark.parametrize("command", ["annotate", "calibrate", "train", "bench accuracy", "bench timing"])
def test_every_command_that_takes_points_takes_their_format(command):
    found: click.Command = main
    for word in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[word]
    assert {"points_format", "allow_pickle"} <= {parameter.name for parameter in found.params}


def test_a_named_format_reaches_the_other_commands(frames):
    path = write_csv(Path("."), IMAGES)
    words = ["bench", "timing", "frames", "-p", path, "--methods", "point", "--repeat", "1"]
    assert CliRunner().invoke(main, [*words, "--points-format", "csv"]).exit_code == 0
    result = CliRunner().invoke(main, [*words, "--points-format", "coco"])
    assert result.exit_code == 2
    assert "points.csv: " in result.stderr


# Polarity


def mixed() -> np.ndarray:
    bright, dark = POINTS["a"]
    return np.clip(scene([bright]).astype(float) + scene([dark], -1) - 120, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("polarity", ["bright", "dark", "auto"])
def test_a_points_own_polarity_goes_before_that_of_the_run(frames, polarity):
    Image.fromarray(mixed()).save(frames / "a.png")
    Path("p.csv").write_text("image,x,y,polarity\na,30,20,bright\na,70,50,dark\nb,60,12,\n")
    assert annotate("frames", "-p", "p.csv", "--polarity", polarity).exit_code == 0
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    found = {line["id"]: [target["polarity"] for target in line["targets"]] for line in lines}
    assert found == {"a": ["bright", "dark"], "b": ["bright" if polarity == "auto" else polarity]}


def test_a_labeller_takes_one_polarity_a_point():
    image, points = mixed(), np.array(POINTS["a"])
    labeller = open_labeller()
    both = labeller.label(image, points, polarity=["bright", "dark"])
    (again,) = labeller.label_many([(image, points, 0.5, ["auto", "auto"])])
    for k, polarity in enumerate(("bright", "dark")):
        alone = open_labeller(polarity=polarity).label(image, points[[k]])
        np.testing.assert_array_equal(both.targets[k].mask, alone.targets[0].mask)
        assert both.targets[k].polarity == again.targets[k].polarity == polarity
    with pytest.raises(InputError, match="polarity must have one entry a point, 2, got 1"):
        labeller.label(image, points, polarity=["dark"])
    with pytest.raises(InputError, match="polarity must be one of bright, dark, auto, got 'grey'"):
        labeller.label(image, points, polarity=["dark", "grey"])
