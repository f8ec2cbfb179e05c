"""``pointlabel annotate`` on small real files: options, what is written, what is said."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.io.points.images import point_image
from pointlabel.synthetic import draw_scene

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three scenes with their point images and true masks; the folder is the current one."""
    for number, name in enumerate(("a", "b", "s/c")):
        scene = draw_scene(seed=number, shape=(64, 80), n_targets=2)
        for kind in ("images", "points", "truth"):
            (tmp_path / kind / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(tmp_path / f"images/{name}.png")
        point_image([(row, column) for row, column in scene.points], (64, 80)).save(tmp_path / f"points/{name}.png")
        Image.fromarray(scene.mask).save(tmp_path / f"truth/{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run the command on the folder with more arguments."""

    def call(*more: str, points: str = "points", method: str | None = "threshold") -> Result:
        words = ["annotate", "images", "-p", points, "-o", "out", *more]
        return CliRunner().invoke(main, [*words, "--method", method] if method else words)

    return call


def lines_of(folder: Path) -> dict[str, dict]:
    lines = map(json.loads, (folder / "out/manifest.jsonl").read_text().splitlines())
    return {line["id"]: line for line in lines}


def test_masks_manifest_and_table(run, folder):
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert sorted(lines_of(folder)) == ["a", "b", "s/c"]
    for name in ("a", "b", "s/c"):
        mask = np.asarray(Image.open(folder / f"out/masks/{name}.png"))
        assert mask.shape == (64, 80)
        assert mask[np.asarray(Image.open(folder / f"points/{name}.png")) > 0].all()
    said = dict(line.rsplit(maxsplit=1) for line in result.stderr.splitlines())
    assert {key: said[key] for key in ("images", "targets", "warnings", "errors")} == {
        "images": "3",
        "targets": "6",
        "warnings": "0",
        "errors": "0",
    }
    assert float(said["targets per second"]) > 0


def test_everything_that_can_be_written(run, folder):
    result = run("--soft", "--instances", "--overlay")
    assert result.exit_code == 0, result.output
    assert Image.open(folder / "out/soft/s/c.png").mode == "I;16"
    assert np.asarray(Image.open(folder / "out/instances/a.png")).max() == 2
    assert Image.open(folder / "out/overlay/s/c.png").mode == "RGB"
    assert (folder / "out/overlay/contact-sheet.png").exists()


def test_flags_are_counted_by_name(run, folder):
    (folder / "points.csv").write_text("image,x,y\na,30,30\na,31,30\na,32,30\n")
    result = run(points="points.csv")
    flags = [flag for target in lines_of(folder)["a"]["targets"] for flag in target["flags"]]
    assert flags
    said = dict(line.rsplit(maxsplit=1) for line in result.stderr.splitlines())
    assert {flag: said[f"  {flag}"] for flag in flags} == {flag: str(flags.count(flag)) for flag in flags}


def test_corner_origin(run, folder):
    (folder / "points.csv").write_text("image;x;y\na.png;30.5;20.5\n")
    assert run("--origin", "corner", points="points.csv").exit_code == 0
    (target,) = lines_of(folder)["a"]["targets"]
    assert (target["x"], target["y"]) == (30.0, 20.0)


def test_options_reach_the_method(run, folder):
    assert run("--set", "level=0.4", "--tightness", "0.7", "--polarity", "auto", "--seed", "5").exit_code == 0
    line = lines_of(folder)["a"]
    assert line["params"]["level"] == 0.4
    assert (line["tightness"], line["polarity"], line["seed"]) == (0.7, "auto", 5)


def test_labels_can_be_refined(run, folder):
    assert run("--refine", "crf").exit_code == 0
    assert lines_of(folder)["a"]["refine"] == "crf"
    refined = (folder / "out/masks/a.png").read_bytes()
    (folder / "c.toml").write_text("refine = 'crf'\n")
    assert run("--overwrite", "--config", "c.toml").exit_code == 0
    assert (folder / "out/masks/a.png").read_bytes() == refined
    assert run("--overwrite", "--config", "c.toml", "--refine", "none").exit_code == 0
    assert "refine" not in lines_of(folder)["a"]


@pytest.mark.parametrize("head", ["", "[annotate]\n"], ids=["flat", "table"])
def test_a_configuration_file_and_the_command_line_wins(run, folder, head):
    text = f"{head}method = 'threshold'\ntightness = 0.2\nsoft = true\non-error = 'stop'\n[params]\nlevel = 0.4\n"
    (folder / "c.toml").write_text(text)
    result = run("--config", "c.toml", "--tightness", "0.3", "--set", "window_px=31", method=None)
    assert result.exit_code == 0, result.output
    line = lines_of(folder)["a"]
    assert (line["tightness"], line["outputs"]) == (0.3, ["masks", "soft"])
    assert (line["params"]["level"], line["params"]["window_px"]) == (0.4, 31)


def test_a_configuration_file_may_name_the_folders(folder):
    (folder / "c.toml").write_text("images = 'images'\npoints = 'points'\nout = 'out'\nmethod = 'threshold'\n")
    assert CliRunner().invoke(main, ["annotate", "--config", "c.toml"]).exit_code == 0
    assert len(lines_of(folder)) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tightnes = 0.2", "c.toml: there is no option 'tightnes'; did you mean tightness?"),
        ("tightness = 7.0", "c.toml: tightness: 7.0 is not in the range 0<=x<=1."),
        ("[params]\nlevle = 0.4", "method threshold has no parameter levle; did you mean level?"),
        ("params = 3", "c.toml: params must be a table, got 3"),
        ("tightness = ", "c.toml: not a TOML file"),
    ],
)
def test_bad_configuration_files_are_named(run, folder, text, sentence):
    (folder / "c.toml").write_text(text)
    result = run("--config", "c.toml")
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not (folder / "out").exists()


def test_resume_says_what_was_done_before(run, folder):
    run()
    (folder / "out/masks/b.png").unlink()
    result = run("--resume")
    assert result.exit_code == 0
    said = dict(line.rsplit(maxsplit=1) for line in result.stderr.splitlines())
    assert (said["images"], said["  done before"]) == ("3", "2")
    assert (folder / "out/masks/b.png").exists()
    assert "targets per second" not in run("--resume").stderr  # nothing was left to do


def test_overwrite_starts_anew(run, folder):
    run()
    assert run("--overwrite", "--set", "level=0.4").exit_code == 0
    assert {line["params"]["level"] for line in lines_of(folder).values()} == {0.4}


def test_one_file_and_a_glob(folder):
    for images, ids in (("images/s/c.png", ["c"]), ("images/**/?.png", ["a", "b", "s/c"])):
        points = "points/s" if ids == ["c"] else "points"
        words = ["annotate", images, "-p", points, "-o", "out", "--method", "threshold", "--overwrite"]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        assert sorted(lines_of(folder)) == ids
        assert all(len(line["targets"]) == 2 for line in lines_of(folder).values())


def test_colours_are_said_once(run, folder):
    for name in ("a", "b"):
        colour = np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)
        Image.fromarray(colour).save(folder / f"images/{name}.png")
    result = run()
    assert result.exit_code == 0
    assert result.stderr.count("colour channels differ") == 1
    assert "warning: 1 more like it (channels), all in the manifest" in result.stderr
    assert all("colour channels differ" in lines_of(folder)[name]["warnings"][0] for name in ("a", "b"))


def test_a_method_may_be_told_the_true_size(run, folder):
    result = run("--size-prior", "oracle", "--masks", "truth", method="d2d-paper")
    assert result.exit_code == 0, result.output
    line = lines_of(folder)["a"]
    assert line["params"]["size_prior"] == "oracle"
    assert len(line["true_mask_sha256"]) == 64
    resumed = run("--size-prior", "oracle", "--masks", "truth", "--resume", method="d2d-paper")
    assert "  done before" in dict(row.rsplit(maxsplit=1) for row in resumed.stderr.splitlines())
    (folder / "truth/b.png").unlink()
    result = run("--size-prior", "oracle", "--masks", "truth", "--overwrite", method="d2d-paper")
    assert result.exit_code == 3
    assert "error: b: b.png: there is no true mask for this image" in result.stderr


def test_quiet_says_errors_only(run, folder):
    (folder / "points/a.png").unlink()
    (folder / "images/b.png").write_bytes(b"")
    words = ["-q", "annotate", "images", "-p", "points", "-o", "out", "--method", "threshold"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 3
    assert result.stderr == "error: b: images/b.png: the file is empty (0 bytes)\n"


@pytest.mark.parametrize("wanted", [True, False])
def test_a_terminal_gets_a_progress_bar(folder, wanted):
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "pointlabel", "annotate", "images", "-p", "points", "-o", "out"]
    command += ["--method", "threshold", *([] if wanted else ["--no-progress"])]
    with open(controller, "rb", buffering=0) as reader:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal)
        output, _ = process.communicate(timeout=60)
        os.close(terminal)
        said = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := reader.read(65536):
                said += part
    assert process.returncode == 0
    assert output == b""
    assert (b"3/3" in said) == wanted
    assert (b"images/s" in said) == wanted
    assert b"targets per second" in said


def test_verbose_shows_where_an_error_came_from(folder):
    words = ["-v", "annotate", "images", "-p", "nowhere", "-o", "out", "--method", "threshold"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("Error: nowhere: no such file or folder\n")


def test_kernels_that_have_to_be_compiled_are_announced(run, monkeypatch):
    from pointlabel import kernel_cache as cache

    sentence = "compiling kernels once for this installation"
    monkeypatch.setitem(sys.modules, "numba", sys)
    monkeypatch.setattr(cache, "kernels_are_cached", lambda: False)
    assert sentence in run().stderr
    monkeypatch.setattr(cache, "kernels_are_cached", lambda: True)
    assert sentence not in run("--overwrite").stderr
