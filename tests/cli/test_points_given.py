"""How ``annotate`` and its kin find points for images, and refuse or tell what cannot be right."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.io.points.images import point_image

SHAPE = (64, 80)
POINTS = [(20.0, 30.0), (50.0, 70.0)]  # (row, column); the second lies outside where x and y are swapped


def save(path: Path, pixels: np.ndarray | Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path)


def scene(seed: int = 0, sign: int = 1) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(seed).normal(120, 3, SHAPE)
    for row, column in POINTS:
        image += sign * 90 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4)
    return np.clip(image, 0, 255).astype(np.uint8)


def rows_for(*names: str, swap: bool = False, scale: tuple[float, float] = (1, 1)) -> str:
    lines = ["image,x,y"]
    for name in names:
        for row, column in POINTS:
            x, y = column * scale[1], row * scale[0]
            lines.append(f"{name},{y},{x}" if swap else f"{name},{x},{y}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images ``img/a.png`` and ``img/s/b.png``; the folder is the current one."""
    save(tmp_path / "img/a.png", scene())
    save(tmp_path / "img/s/b.png", scene(1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def annotate(points: str, images: str = "img", *more: str) -> Result:
    return CliRunner().invoke(main, ["annotate", images, "-p", points, "-o", "out", "--method", "point", *more])


def targets() -> dict[str, int]:
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    return {line["id"]: len(line["targets"]) for line in lines}


# What matches nothing


def write_json(folder: Path) -> None:
    for name in ("a", "b", "c"):
        (folder / f"{name}.json").write_text("{}")


def write_text(folder: Path) -> None:
    (folder / "a.txt").write_text("no numbers\n")


def write_other_names(folder: Path) -> None:
    save(folder / "a_point.png", point_image(POINTS, SHAPE))


def write_capitals(folder: Path) -> None:
    save(folder / "A.png", point_image(POINTS, SHAPE))


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (write_json, r"the folder holds 3 .json and no image"),
        (write_text, r"the folder holds 1 .txt and no image"),
        (lambda folder: None, r"the folder holds no file"),
        (write_other_names, "none of its 1 point images is the path of an image below that folder; a was looked for, "
         "and the nearest is a_point"),
        (write_capitals, "a was looked for, and the nearest is A; capitals and small letters differ"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["annotate", "timing", "train", "calibrate"])
def test_a_folder_that_has_no_points_ends_every_command(place, write, sentence, command):
    (place / "given").mkdir()
    write(place / "given")
    words = {
        "annotate": ["annotate", "img", "-p", "given", "-o", "out"],
        "timing": ["bench", "timing", "img", "-p", "given", "--json", "out.json"],
        "train": ["train", "img", "--points", "given", "-o", "out"],
        "calibrate": ["calibrate", "img", "-p", "given", "--masks", "img", "-o", "out"],
    }[command]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize("name", ["b", "C:\\data\\img\\a.png", "/nowhere/img/a.png", "img2/a.png", "a.png.png"])
def test_a_table_of_other_names_ends_the_command(place, name):
    (place / "p.csv").write_text(rows_for(name))
    result = annotate("p.csv")
    assert result.exit_code == 2
    assert "p.csv has no points for any image of img: none of its 1 names is the path of an image" in result.stderr
    assert not (place / "out").exists()


def test_names_that_lead_out_of_the_images_are_refused(place):
    (place / "p.csv").write_text(rows_for("a", "../img2/a.png"))
    result = annotate("p.csv")
    assert result.exit_code == 2
    assert "p.csv, line 4: ../img2/a.png leads to no image of the run" in result.stderr


def test_names_that_match_in_part_are_errors_with_their_number(place):
    (place / "p.csv").write_text(rows_for("a", "x", "y"))
    result = annotate("p.csv")
    assert result.exit_code == 3
    assert "warning: p.csv: 2 of its images are not in img" in result.stderr


# What belongs together


@pytest.mark.parametrize("start", ["", "./", "/", "img/", "{here}/img/", "../{name}/img/"])
def test_names_are_paths_that_lead_to_the_images(place, start):
    start = start.format(here=place, name=place.name)
    (place / "p.csv").write_text(rows_for(f"{start}a.png", f"{start}s/b"))
    assert annotate("p.csv").exit_code == 0
    assert targets() == {"a": 2, "s/b": 2}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_forms_and_the_ending_of_sirst_make_no_difference(place, form):
    composed, decomposed = (unicodedata.normalize("NFC", "Gelände/Ü_1"), unicodedata.normalize("NFD", "Gelände/Ü_1"))
    image, points = (composed, decomposed) if form == "NFC" else (decomposed, composed)
    save(place / f"mine/{image}.png", scene())
    save(place / f"points/{points}_pixels0.png", point_image(POINTS, SHAPE))
    (place / "p.csv").write_text(rows_for(f"{points}_pixels0.png"))
    for given in ("points", "p.csv"):
        assert annotate(given, "mine", "--overwrite").exit_code == 0
        assert targets() == {"Gelände/Ü_1": 2}
    save(place / f"mine/{points}.png", scene())
    result = annotate("p.csv", "mine", "--overwrite")
    assert result.exit_code == 3
    assert "images with the same id Gelände/Ü_1; rename one" in result.stderr


def test_links_to_folders_are_followed_once(place):
    save(place / "store/c.png", scene(2))
    for link, to in (("img/linked", "store"), ("img/again", "store"), ("img/loop", "img"), ("img/up", ".")):
        os.symlink(place / to, place / link)
    save(place / "p/again/c.png", point_image(POINTS, SHAPE))
    save(place / "p/a.png", point_image(POINTS, SHAPE))
    save(place / "p/s/b.png", point_image(POINTS, SHAPE))
    assert annotate("p").exit_code == 0
    assert targets() == {"a": 2, "s/b": 2, "again/c": 2}


# What is no points


def test_an_earlier_run_below_the_images_gives_no_points(draw_dataset):
    folder = draw_dataset()
    words = ("annotate", folder / "images", "--method", "threshold", "-o")
    run = CliRunner().invoke(main, [*map(str, words), str(folder / "images/one"), "-p", str(folder / "masks_centroid")])
    assert run.exit_code == 0, run.output
    for more, sentence in (([], "for other images give --points"), (["-p", str(folder / "images")], "the same folder")):
        again = CliRunner().invoke(main, [*map(str, words), str(folder / "two"), *more])
        assert again.exit_code == 2
        assert sentence in again.stderr


def test_images_as_points_are_refused_at_once(place):
    os.symlink(place / "img", place / "same")
    for given in ("img", "same"):
        result = annotate(given)
        assert result.exit_code == 2
        assert f"{given}: images and points are the same folder" in result.stderr


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (scene(), "5120 of 5120 pixels (100.00%) are not zero, too many to be points"),
        (255 - np.asarray(point_image(POINTS, SHAPE)), "5118 of 5120 pixels (99.96%) are not zero, too many"),
        (np.asarray(point_image([(r, c) for r in range(9, 13) for c in range(5, 9)], SHAPE)),
         "16 of 5120 pixels (0.31%) are not zero, and most of them touch each other: a mask, not points; "
         "pointlabel points"),
    ],
    ids=["image", "inverted", "mask"],
)  # fmt: skip
def test_masks_and_images_are_no_points(place, pixels, sentence):
    save(place / "p/a.png", pixels)
    save(place / "p/s/b.png", point_image(POINTS, SHAPE))
    result = annotate("p")
    assert result.exit_code == 3
    assert f"error: a: p/a.png: {sentence}" in result.stderr
    assert targets() == {"a": 0, "s/b": 2}


@pytest.mark.parametrize("side", [2, 4])
def test_a_folder_of_masks_is_refused_before_anything_is_written(place, side):
    """Blobs of a few pixels pass for clicks in one image, but not in all of them."""
    for name, corner in (("a", (9, 5)), ("s/b", (30, 40))):
        blob = np.zeros(SHAPE, np.uint8)
        for top in (0, 20):
            blob[corner[0] + top :, corner[1] :][:side, :side] = 255
        save(place / f"p/{name}.png", blob)
    for name in ("c", "d"):
        save(place / f"img/{name}.png", scene())
        save(place / f"p/{name}.png", np.asarray(Image.open(place / "p/a.png")))
    result = annotate("p")
    assert result.exit_code == 2
    assert "a mask, not points" in result.stderr or "masks, not points" in result.stderr
    assert not (place / "out").exists()


def test_targets_side_by_side_with_one_pixel_each_are_points(place):
    grid = [(float(row), float(column)) for row in range(1, 62, 3) for column in range(1, 78, 3)]
    save(place / "p/a.png", point_image(grid, SHAPE))
    assert annotate("p").exit_code == 0
    assert targets()["a"] == len(grid)


# Values


def test_shares_are_refused(place):
    (place / "p.csv").write_text(rows_for("a", "s/b", scale=(1 / SHAPE[0], 1 / SHAPE[1])))
    result = annotate("p.csv")
    assert result.exit_code == 2
    assert "p.csv: all 4 points lie in [0, 1], the first at (x, y) = (0.375, 0.3125): shares" in result.stderr


def test_swapped_coordinates_are_refused(place):
    (place / "p.csv").write_text(rows_for("a", "s/b", swap=True))
    result = annotate("p.csv")
    assert result.exit_code == 2
    assert "p.csv: x and y look swapped: 2 of 4 points lie outside their images" in result.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\nimage;x;y\r\na.png;30,0;20\r\ns/b.png;70,5;50,25\r\n",
        "sep=,\nimage,x,y\na.png,30,20\ns/b,70,50\n",
        '"sep=\t"\nImage\tX\tY\ngood\na\t30\t20\ns\\b.png\t70.5\t50\n'.replace("good\n", ""),
    ],
)
def test_tables_as_spreadsheets_write_them(place, text, encoding):
    (place / "p.csv").write_bytes(text.encode(encoding))
    assert annotate("p.csv").exit_code == 0
    assert targets() == {"a": 1, "s/b": 1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('image,x,y\na,"30,5",20\n', "line 2: x must have a decimal point, got '30,5'"),
        ("image,x,y\na,30,2\x000\n", "the table must be text, and holds a zero byte"),
        ("image,x,y\na,30," + "2" * 200_000, "line 2: not a row of a table (field larger than field limit"),
    ],
)
def test_what_no_table_holds(place, text, sentence):
    (place / "p.csv").write_text(text)
    result = annotate("p.csv")
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_columns_that_are_left_unused_are_told_once(place):
    (place / "p.csv").write_text("image,x,y,who,when\na,30,20,me,now\ns/b,30,20,me,now\n")
    result = annotate("p.csv")
    assert result.exit_code == 0
    assert result.stderr.count("these columns are left unused: who, when") == 1


# The run as a whole


def test_dark_targets_labelled_as_bright_are_told_before_and_after(place):
    for k in range(4):
        save(place / f"hot/{k}.png", scene(k, sign=-1))
        save(place / f"p/{k}.png", point_image(POINTS, SHAPE))
    words = ["annotate", "hot", "-p", "p", "-o", "out", "--method", "threshold"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert "most points are darker than their surroundings; if targets are dark, take --polarity dark" in result.stderr
    assert "at 8 of 8 points no target was found (flag empty)" in result.stderr
    assert dict(row.rsplit(maxsplit=1) for row in result.stderr.splitlines())["warnings"] == "2"
    again = CliRunner().invoke(main, [*words, "--resume"])
    assert "darker" not in again.stderr  # nothing is left to look at
    right = CliRunner().invoke(main, [*words, "--overwrite", "--polarity", "dark"])
    assert "warning:" not in right.stderr


def test_a_run_without_any_point_is_told(place):
    for name in ("a", "s/b", "s/c"):
        save(place / f"img/{name}.png", scene())
        save(place / f"p/{name}.png", point_image([], SHAPE))
    assert "p: no image has a point; all 3 masks are empty" in annotate("p").stderr
