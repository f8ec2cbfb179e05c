"""``pointlabel calibrate`` on small real files: the style it writes, what it says, and each way to fail."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from scipy import ndimage

from pointlabel import annotate, get_method
from pointlabel.calibration import Style, calibrate, examples, read_examples
from pointlabel.cli.main import main
from pointlabel.engine.default.style import named_style
from pointlabel.io.points.images import point_image
from tests.calibration.drawn import Draw, own, scene_of, wide

N_IMAGES = 6


def draw(folder: Path, style: Draw) -> Path:
    """Scenes with points and masks in one style."""
    for part in ("images", "points", "masks"):
        (folder / part).mkdir(parents=True)
    for k in range(N_IMAGES):
        scene = scene_of(k)
        Image.fromarray(scene.image).save(folder / f"images/{k}.png")
        Image.fromarray(style(scene)).save(folder / f"masks/{k}.png")
        point_image([(row, column) for row, column in scene.points], scene.mask.shape).save(folder / f"points/{k}.png")
    return folder


def invoke(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def run(folder: Path, *more: object, out: str = "style.toml") -> Result:
    places = [folder / "images", "-p", folder / "points", "-m", folder / "masks", "-o", folder / out]
    return invoke("calibrate", *places, *more)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A data set with wide masks, and a run on it."""
    folder = draw(tmp_path_factory.mktemp("wide"), wide)
    return folder, run(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw(tmp_path, wide)


def test_the_report_and_the_style(learned):
    folder, result = learned
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    for text in (
        "18 targets in 6 images",
        "IoU, pooled",
        "changed: masks grown by 1 px",
        "\nworth using: ",
        "style.toml",
    ):
        assert text in result.stdout
    text = (folder / "style.toml").read_text()
    assert text.startswith("# Found by pointlabel calibrate from 18 targets in 6 images.\n# Held out")
    assert tomllib.loads(text)["params"]["border_px"] == 1.0


def test_annotate_uses_the_style(learned):
    folder, _ = learned
    words = ["annotate", folder / "images", "-p", folder / "points", "--config", folder / "style.toml"]
    result = invoke(*words, "-o", folder / "out")
    assert result.exit_code == 0, result.output
    params = get_method("default").params(border_px=1.0)
    for k in range(N_IMAGES):
        ours = np.asarray(Image.open(folder / f"out/masks/{k}.png")) > 0
        scene = scene_of(k)
        np.testing.assert_array_equal(ours, annotate(scene.image, scene.points, params=params).mask())
        truth = wide(scene)
        assert (ours & truth).sum() / (ours | truth).sum() > 0.7


def test_python_finds_the_same_style(learned):
    folder, _ = learned
    cases = read_examples(folder / "images", folder / "points", folder / "masks").cases
    found = calibrate(cases)
    result = run(folder, "--json", out="again.toml")
    report = json.loads(result.stdout)
    assert report["style"] == json.loads(json.dumps(asdict(found.style)))
    assert (report["gain"], report["interval"]) == (found.gain, list(found.interval))
    assert (report["before"], report["after"]) == (list(found.before), list(found.after))
    assert (report["n_images"], report["n_used"], report["worth_using"]) == (6, 6, True)
    assert (folder / "again.toml").read_bytes() == (folder / "style.toml").read_bytes()


def test_fitted_numbers_reach_the_method(learned, monkeypatch):
    """A style of many numbers is annotated with as in Python, digit for digit."""
    from pointlabel.calibration import choose

    folder, _ = learned
    assert calibrate.__defaults__ is None
    free = replace(choose.OPTIONS[4], least_gain=0.0)
    monkeypatch.setitem(calibrate.__kwdefaults__, "options", (choose.OPTIONS[0], free))
    assert run(folder, out="fitted.toml").exit_code == 0
    found = calibrate(read_examples(folder / "images", folder / "points", folder / "masks").cases)
    assert len(found.style.numbers) == 7
    words = ["annotate", folder / "images", "-p", folder / "points", "--config", folder / "fitted.toml"]
    assert invoke(*words, "-o", folder / "fitted", "--soft").exit_code == 0
    params = found.style.params(get_method("default").params())
    for k in range(N_IMAGES):
        labels = annotate(scene_of(k).image, scene_of(k).points, params=params)
        np.testing.assert_array_equal(np.asarray(Image.open(folder / f"fitted/masks/{k}.png")) > 0, labels.mask())


def test_annotate_draws_in_a_named_style(learned):
    folder, _ = learned
    words = ["annotate", folder / "images", "-p", folder / "points"]
    assert invoke(*words, "-o", folder / "tight", "--style", "tight").exit_code == 0
    params = get_method("default").params(style=named_style("tight"))
    for k in range(N_IMAGES):
        ours = np.asarray(Image.open(folder / f"tight/masks/{k}.png")) > 0
        np.testing.assert_array_equal(ours, annotate(scene_of(k).image, scene_of(k).points, params=params).mask())
    for more, sentence in (
        (["--style", "wide"], "there is no style 'wide'; there are infrared, exact, "),
        (["--style", "tight", "--method", "threshold"], "method threshold has no style; leave --style out"),
    ):
        result = invoke(*words, "-o", folder / "none", *more)
        assert result.exit_code == 2
        assert sentence in result.stderr
        assert not (folder / "none").exists()


def test_one_mask_is_enough(folder):
    for k in range(1, N_IMAGES):
        (folder / f"masks/{k}.png").unlink()
    mask = np.asarray(Image.open(folder / "masks/0.png")) > 0
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    Image.fromarray(parts == parts[mask][0]).save(folder / "masks/0.png")
    result = run(folder)
    assert result.exit_code == 0
    assert "not judged: a single mask leaves none to judge by" in result.stdout
    text = (folder / "style.toml").read_text()
    assert text.startswith("# Found by pointlabel calibrate from 1 target in 1 image.\n# Not judged")
    assert len(tomllib.loads(text)["params"]["style"]) == 7


def test_where_nothing_is_better_the_defaults_are_written(tmp_path):
    folder = draw(tmp_path, own)
    result = run(folder)
    assert result.exit_code == 0
    assert "changed: nothing\nnot worth using: of 10 ways tried, the one that came closest, " in result.stdout
    text = (folder / "style.toml").read_text()
    assert "# Not worth using: " in text
    assert tomllib.loads(text)["params"] == {"border_px": 0.0, "style": []}
    words = ["annotate", folder / "images", "-p", folder / "points", "-o"]
    assert invoke(*words, folder / "plain").exit_code == 0
    assert invoke(*words, folder / "styled", "--config", folder / "style.toml").exit_code == 0
    for k in range(N_IMAGES):
        assert (folder / f"plain/masks/{k}.png").read_bytes() == (folder / f"styled/masks/{k}.png").read_bytes()


def test_a_file_that_is_there_is_kept(folder):
    (folder / "style.toml").write_text("mine")
    result = run(folder)
    assert result.exit_code == 2
    assert "style.toml is there already; --overwrite replaces it" in result.stderr
    assert (folder / "style.toml").read_text() == "mine"
    assert run(folder, "--overwrite").exit_code == 0
    assert tomllib.loads((folder / "style.toml").read_text())["params"]["border_px"] > 0


def test_what_is_left_out_is_said(folder, monkeypatch):
    (folder / "masks/5.png").unlink()
    monkeypatch.setattr(examples, "MOST", 4)
    result = run(folder)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "note: 1 image without a mask, left out",
        "note: 1 image more than needed, left out: --seed drew 4",
    ]
    assert "in 4 images" in result.stdout
    quiet = CliRunner().invoke(main, ["-q", "calibrate", *_words(folder), "--overwrite"])
    assert (quiet.exit_code, quiet.stderr) == (0, "")


def _words(folder: Path) -> list[str]:
    return [f"{folder}/images", "-p", f"{folder}/points", "-m", f"{folder}/masks", "-o", f"{folder}/style.toml"]


def test_a_glob_and_a_table(folder):
    rows = [f"{k},{column},{row}" for k in range(3) for row, column in scene_of(k).points]
    (folder / "points.csv").write_text("\n".join(["image,x,y", *rows]))
    words = [folder / "images/[012].png", "-p", folder / "points.csv", "-m", folder / "masks", "-o", folder / "s.toml"]
    result = invoke("calibrate", *words, "--json", "--seed", "3", "--no-progress")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["images"] == 3


def test_dark_targets_are_annotated_as_dark(folder):
    for path in (folder / "images").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert run(folder, "--polarity", "dark").exit_code == 0
    stored = tomllib.loads((folder / "style.toml").read_text())
    assert stored["annotate"]["polarity"] == "dark"
    assert stored["params"]["border_px"] > 0


def spoil_mask(folder: Path) -> None:
    Image.fromarray(np.zeros((9, 9), bool)).save(folder / "masks/1.png")


def spoil_bytes(folder: Path) -> None:
    (folder / "masks/1.png").write_bytes(b"x")


def spoil_number(folder: Path) -> None:
    (folder / "masks").rename(folder / "away")
    (folder / "masks").mkdir()
    (folder / "away/0.png").rename(folder / "masks/other.png")


def spoil_points(folder: Path) -> None:
    (folder / "points").rename(folder / "clicks")


def spoil_out(folder: Path) -> None:
    (folder / "style.toml").mkdir()


@pytest.mark.parametrize(
    ("spoil", "code", "sentence"),
    [
        (spoil_mask, 2, "masks/1.png: the true mask is 9 x 9, its image 96 x 96"),
        (spoil_bytes, 2, "masks/1.png: "),
        (spoil_number, 2, "masks has no mask for any image of "),
        (spoil_points, 2, "points: no such file or folder"),
        (spoil_out, 1, "style.toml (it is a folder)"),
    ],
)
def test_bad_input_gets_a_sentence(folder, spoil, code, sentence):
    spoil(folder)
    result = run(folder, "--overwrite")
    assert result.exit_code == code
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (folder / "style.toml").is_file()


def test_no_torch_is_needed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(folder).exit_code == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("border_px = 4.0", "DefaultParams.border_px must lie in [-3, 3], got 4.0"),
        ("loosest = 'wide'", "parameter loosest of method default must be a number, got 'wide'"),
        ("style = 'wide'", "parameter style of method default must be a list of numbers, got 'wide'"),
        ("style = [true]", "style of method default must be a list of finite numbers, got [True]"),
        ("style = [1.0]", "style must be a tuple of no or 7 numbers in [-3, 3], got (1.0,)"),
        ("style = [nan]", "style of method default must be a list of finite numbers, got [nan]"),
    ],
)
def test_a_spoilt_style_gets_a_sentence(folder, text, sentence):
    (folder / "bad.toml").write_text(f"[params]\n{text}\n")
    places = [folder / "images", "-p", folder / "points", "-o", folder / "out"]
    result = invoke("annotate", *places, "--config", folder / "bad.toml")
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_style_of_another_method_gets_a_sentence(learned):
    folder, _ = learned
    places = [folder / "images", "-p", folder / "points", "-o", folder / "other"]
    result = invoke("annotate", *places, "--config", folder / "style.toml", "--method", "threshold")
    assert result.exit_code == 2
    assert "style.toml, [params]: method threshold has no parameter border_px; " in result.stderr


def test_a_style_without_changes_is_the_default():
    assert Style().params(get_method("default").params()) == get_method("default").params()
