"""Everything that can be wrong with the input of ``pointlabel annotate``, and what is said and done then."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.io.points.images import point_image

Run = Callable[..., Result]
SHAPE = (40, 48)


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def noise(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, shape).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good image ``good.png`` with one point; the folder is the current one."""
    for kind in ("images", "points"):
        (tmp_path / kind).mkdir()
    (tmp_path / "images/good.png").write_bytes(png(noise()))
    point_image([(20, 20)], SHAPE).save(tmp_path / "points/good.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run the command on the folder with more arguments."""

    def call(*more: str, images: str = "images", points: str = "points", method: str = "threshold") -> Result:
        words = ["annotate", images, "-p", points, "-o", "out", "--method", method, "--soft", "--instances"]
        return CliRunner().invoke(main, [*words, *more])

    return call


def line_of(folder: Path, image_id: str) -> dict:
    lines = [json.loads(line) for line in (folder / "out/manifest.jsonl").read_text().splitlines()]
    (found,) = [line for line in lines if line["id"] == image_id]
    return found


def mask_of(folder: Path, image_id: str) -> np.ndarray:
    return np.asarray(Image.open(folder / f"out/masks/{image_id}.png"))


# One bad image does not stop a batch


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "images/bad.png: the file is empty (0 bytes)"),
        (b"words", "images/bad.png: not a PNG, TIFF, BMP or JPEG image"),
        (png(noise())[:700], "images/bad.png: the file is cut short or damaged"),
    ],
    ids=["empty", "unreadable", "truncated"],
)
def test_bad_files_are_named_recorded_and_counted(run, folder, content, sentence):
    (folder / "images/bad.png").write_bytes(content)
    point_image([(5, 5)], SHAPE).save(folder / "points/bad.png")
    result = run()
    assert result.exit_code == 3
    assert f"error: bad: {sentence}" in result.stderr
    line = line_of(folder, "bad")
    assert (line["status"], line["targets"]) == ("error", [])
    assert line["error"].startswith(sentence)
    assert line_of(folder, "good")["status"] == "ok"
    assert not list((folder / "out").rglob("bad.png"))
    assert dict(row.rsplit(maxsplit=1) for row in result.stderr.splitlines())["errors"] == "1"


def test_an_image_that_vanishes_is_an_error(run, folder):
    (folder / "images/gone.png").symlink_to(folder / "nowhere.png")
    result = run()
    assert result.exit_code == 3
    assert "error: gone: images/gone.png: cannot be read (No such file or directory)" in result.stderr


def test_a_bad_point_image_is_an_error_of_its_image(run, folder):
    (folder / "images/bad.png").write_bytes(png(noise()))
    (folder / "points/bad.png").write_bytes(b"")
    result = run()
    assert result.exit_code == 3
    assert "error: bad: points/bad.png: the file is empty (0 bytes)" in result.stderr


def test_images_with_one_id_are_an_error_naming_both(run, folder):
    (folder / "images/good.bmp").write_bytes(png(noise()))
    result = run()
    assert result.exit_code == 3
    assert "good.bmp, good.png: images with the same id good; rename one" in result.stderr
    assert not (folder / "out/masks/good.png").exists()


def test_a_table_that_names_a_missing_image(run, folder):
    (folder / "points.csv").write_text("image,x,y\ngood,20,20\ns/lost.png,3,4\n")
    result = run(points="points.csv")
    assert result.exit_code == 3
    assert "error: s/lost: points.csv, line 3: there is no image s/lost.png" in result.stderr
    assert line_of(folder, "s/lost")["status"] == "error"
    assert line_of(folder, "good")["status"] == "ok"


def test_missing_images_of_one_id_have_one_line(run, folder):
    (folder / "points.csv").write_text("image,x,y\ngood,20,20\nlost.png,3,4\nlost.bmp,3,5\n")
    assert run(points="points.csv").exit_code == 3
    names = [json.loads(line)["id"] for line in (folder / "out/manifest.jsonl").read_text().splitlines()]
    assert names.count("lost") == 1
    assert len(names) == len(set(names))


def test_stop_at_the_first_error(run, folder):
    (folder / "images/bad.png").write_bytes(b"")
    result = run("--on-error", "stop")
    assert result.exit_code == 3
    assert "stopped at the first error; --resume goes on" in result.stderr
    assert not (folder / "out/masks/good.png").exists()


# Points


def test_a_point_image_of_another_size_is_scaled_where_the_shape_agrees(run, folder):
    point_image([(40, 40)], (80, 96)).save(folder / "points/good.png")
    result = run()
    assert result.exit_code == 0
    assert "warning: points/good.png is 96 x 80, its image 48 x 40: points scaled" in result.stderr
    line = line_of(folder, "good")
    assert [(target["x"], target["y"]) for target in line["targets"]] == [(19.75, 19.75)]
    assert line["warnings"] == ["points/good.png is 96 x 80, its image 48 x 40: points scaled"]


def test_a_point_image_of_another_shape_is_an_error(run, folder):
    point_image([(20, 20)], (80, 90)).save(folder / "points/good.png")
    result = run()
    assert result.exit_code == 3
    assert "points/good.png is 90 x 80, its image 48 x 40: the aspect ratios differ by more than 1%" in result.stderr


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("good,48,3", "points.csv, line 3: (x, y) = (48, 3) lies outside the 48 x 40 image; point dropped"),
        ("good,-1,3", "points.csv, line 3: (x, y) = (-1, 3) lies outside the 48 x 40 image; point dropped"),
        ("good,nan,3", "points.csv, line 3: (x, y) = (nan, 3) is not finite; point dropped"),
        ("good,3,-inf", "points.csv, line 3: (x, y) = (3, -inf) is not finite; point dropped"),
        ("good,20,20", "points.csv, line 3: (x, y) = (20, 20) lies in the same pixel as line 2; point dropped"),
    ],
    ids=["outside", "negative", "nan", "infinite", "duplicate"],
)
def test_points_that_cannot_be_used_are_dropped_with_a_warning(run, folder, row, sentence):
    (folder / "points.csv").write_text(f"image,x,y\ngood,20,20\n{row}\n")
    result = run(points="points.csv")
    assert result.exit_code == 0
    assert f"warning: {sentence}" in result.stderr
    line = line_of(folder, "good")
    assert line["warnings"] == [sentence]
    assert [(target["x"], target["y"]) for target in line["targets"]] == [(20, 20)]
    assert dict(row.rsplit(maxsplit=1) for row in result.stderr.splitlines())["warnings"] == "1"
    assert "of images done before" not in result.stderr
    again = run("--resume", points="points.csv").stderr
    assert "warning:" not in again
    assert dict(row.rsplit(maxsplit=1) for row in again.splitlines())["  of images done before, in the manifest"] == "1"


def test_a_point_image_without_points_gives_an_empty_mask(run, folder):
    point_image([], SHAPE).save(folder / "points/good.png")
    result = run()
    assert result.exit_code == 0
    assert not mask_of(folder, "good").any()
    assert mask_of(folder, "good").shape == SHAPE
    assert line_of(folder, "good")["targets"] == []
    assert "warning" not in result.stderr.replace("warnings", "")


def test_an_image_without_a_point_file_gives_an_empty_mask_and_is_said(run, folder):
    (folder / "images/bare.png").write_bytes(png(noise()))
    result = run()
    assert result.exit_code == 0
    assert not mask_of(folder, "bare").any()
    assert "warning: images/bare.png: no points for this image; its mask is empty" in result.stderr


def test_a_bad_row_ends_the_command_before_it_starts(run, folder):
    (folder / "points.csv").write_text("image,x,y\ngood,20,twenty\n")
    result = run(points="points.csv")
    assert result.exit_code == 2
    assert "Error: points.csv, line 2: y must be a number, got 'twenty'" in result.stderr
    assert not (folder / "out").exists()


# Images that leave little to see


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 7)])
def test_the_smallest_images(run, folder, shape):
    (folder / "images/tiny.png").write_bytes(png(noise(shape)))
    point_image([(shape[0] // 2, shape[1] // 2)], shape).save(folder / "points/tiny.png")
    result = run("--overlay")
    assert result.exit_code == 0, result.stderr
    assert mask_of(folder, "tiny").shape == shape
    assert (mask_of(folder, "tiny")[:, max(shape[1] // 2 - 2, 0) : shape[1] // 2 + 3] == 255).any()  # at its peak


@pytest.mark.parametrize("value", [0, 100, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_constant_images_keep_the_point(run, folder, value, dtype):
    (folder / "images/flat.png").write_bytes(png(np.full(SHAPE, value, dtype)))
    point_image([(10, 12)], SHAPE).save(folder / "points/flat.png")
    result = run("--overlay")
    assert result.exit_code == 0, result.stderr
    assert mask_of(folder, "flat")[10, 12] == 255


@pytest.mark.parametrize(
    ("hole", "filled"), [("corner", [False, True]), ("target", [True, True]), ("all", [False, False])]
)
def test_pixels_that_are_not_finite(run, folder, hole, filled):
    image = noise().astype(np.float32)
    size = {"corner": 9, "target": 1, "all": 48}[hole]
    start = 20 if hole == "target" else 0
    image[start : start + size, start : start + size] = np.nan
    image[39, 47] = np.inf
    tifffile.imwrite(folder / "images/holes.tif", image)
    point_image([(20, 20), (3, 3)], SHAPE).save(folder / "points/holes.png")
    result = run("--overlay")
    assert result.exit_code == 0, result.stderr
    line = line_of(folder, "holes")
    assert [target["area"] >= 1 for target in line["targets"]] == filled
    assert all(np.isfinite(target["quality"]) for target in line["targets"])


@pytest.mark.parametrize("level", [0, 255], ids=["all zero", "saturated"])
def test_targets_without_inner_contrast(run, folder, level):
    image = noise()
    image[15:22, 15:22] = level
    (folder / "images/good.png").write_bytes(png(image))
    result = run("--overlay")
    assert result.exit_code == 0, result.stderr
    assert (mask_of(folder, "good")[18:23, 18:23] == 255).any()  # the peak may lie 2 px off


# Arguments


def test_an_unknown_method_suggests_the_nearest(run, folder):
    result = run(method="treshold")
    assert result.exit_code == 2
    assert "Invalid value for '--method': unknown method 'treshold'; did you mean threshold?" in result.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--resume", "--overwrite"], "--resume and --overwrite exclude each other"),
        (["--masks", "points"], "--masks is read with --size-prior oracle only"),
        (["--size-prior", "oracle"], "--size-prior oracle needs the true masks: --masks DIR"),
        (["--size-prior", "fixed"], "method threshold has no size prior; leave --size-prior out"),
        (["--checkpoint", "models"], "method threshold has no checkpoint; leave --checkpoint out"),
        (["--refine", "blur"], "'blur' is not one of 'none', 'crf'"),
        (["--set", "level"], "expected NAME=VALUE, got 'level'"),
        (["--set", "level=high"], "parameter level of method threshold must be a number, got 'high'"),
        (["--tightness", "2"], "2.0 is not in the range 0<=x<=1"),
        (["--polarity", "cold"], "'cold' is not one of 'bright', 'dark', 'auto'"),
        (["-j", "-1"], "-1 is not in the range 0<=x<=1024"),
        (["--config", "nowhere.toml"], "File 'nowhere.toml' does not exist"),
        (["--colour"], "No such option"),
    ],
)
def test_wrong_arguments(run, folder, more, sentence):
    result = run(*more)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not (folder / "out").exists()


@pytest.mark.parametrize("words", [["images", "-p", "points"], ["-p", "points", "-o", "out"]])
def test_missing_arguments(folder, words):
    result = CliRunner().invoke(main, ["annotate", *words])
    assert result.exit_code == 2
    assert "Missing" in result.stderr


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        ({"images": "nowhere"}, "Error: nowhere: no such file or folder"),
        ({"images": "images/*.jpg"}, "Error: images/*.jpg: no image found"),
        ({"points": "nowhere"}, "Error: nowhere: no such file or folder"),
        ({"points": "notes.doc"}, "Error: notes.doc: no points that can be read; they must be one of: manifest.jsonl"),
    ],
)
def test_places_where_nothing_is(run, folder, places, sentence):
    (folder / "notes.doc").write_text("x")
    result = run(**places)
    assert result.exit_code == 2
    assert sentence in result.stderr


# Output


def test_an_output_folder_that_holds_another_run(run, folder):
    assert run().exit_code == 0
    before = (folder / "out/manifest.jsonl").read_bytes()
    result = run()
    assert result.exit_code == 2
    assert result.stderr == "Error: out holds a run already; --resume goes on with it, --overwrite replaces it\n"
    result = run("--resume", "--tightness", "0.6")
    assert result.exit_code == 2
    assert "Error: out holds a run with tightness 0.5, this one has tightness 0.6" in result.stderr
    assert (folder / "out/manifest.jsonl").read_bytes() == before


def test_an_output_below_a_plain_file(run, folder):
    (folder / "plain").write_text("x")
    result = run("-o", "plain/out")
    assert result.exit_code == 1
    assert result.stderr == "Error: cannot create the folder plain/out (Not a directory)\n"
    assert (folder / "plain").read_text() == "x"


def test_true_masks_in_the_output_folder_are_safe(run, folder):
    (folder / "masks").mkdir()
    Image.fromarray(noise()).save(folder / "masks/good.png")
    before = (folder / "masks/good.png").read_bytes()
    result = run("-o", ".")
    assert result.exit_code == 2
    assert "masks/good.png: not written by this program, and would be replaced" in result.stderr
    assert (folder / "masks/good.png").read_bytes() == before


def test_ctrl_c_is_130(run, monkeypatch):
    import pointlabel.folder

    def interrupted(*places: str, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pointlabel.folder, "annotate_folder", interrupted)
    result = run()
    assert result.exit_code == 130
    assert "images are done; --resume goes on" in result.stderr
