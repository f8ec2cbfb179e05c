"""Names that lead out of a folder, are markup, or start a formula: nothing outside OUT is touched, and none acts."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.errors import PointLabelError
from pointlabel.io.exchange.convert import convert
from pointlabel.io.exchange.table import FORMATS
from pointlabel.session import open_session
from pointlabel.synthetic import draw_scene
from tests.folder.test_hostile import tree


def run(*words: object) -> str:
    """What a command says; it must not end with an unexpected error, or one of writing."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code in (0, 2, 3, 4), result.output
    return result.output


# Paths

OUTSIDE = ("../../evil.png", "/evil.png", "a/../../../evil.png", "..\\..\\evil.png", "C:\\evil.png", "~/evil.png")


def sources(name: str) -> dict[str, tuple[str, str]]:
    """A source of each format of masks that names its images, with an image called `name`."""
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "segmentation": [[1, 1, 3, 1, 3, 3]]}
    coco = {
        "images": [{"id": 1, "file_name": name, "width": 5, "height": 4}],
        "annotations": [box],
        "categories": [{"id": 1, "name": "a"}],
    }
    shape = {"label": "a", "shape_type": "polygon", "points": [[1, 1], [3, 1], [3, 3]]}
    labelme = {"imagePath": name, "imageHeight": 4, "imageWidth": 5, "shapes": [shape]}
    task = {"data": {"image": f"/data/upload/{name}", "width": 5, "height": 4}, "predictions": []}
    points = '<polygon label="a" points="1,1;3,1;3,3"/>'
    cvat = f"<annotations><image name='{name}' width='5' height='4'>{points}</image></annotations>"
    line = {"id": name, "status": "ok", "targets": [], "height": 4, "width": 5, "image": name, "outputs": ["masks"]}
    voc = (
        f"<annotation><folder>../..</folder><filename>{name}</filename><size><width>5</width><height>4</height></size>"
        "<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object>"
        "</annotation>"
    )
    return {
        "coco": ("x.json", json.dumps(coco)),
        "labelme": ("x.json", json.dumps(labelme)),
        "label-studio": ("x.json", json.dumps([task])),
        "cvat": ("annotations.xml", cvat),
        "voc": ("Annotations/x.xml", voc),
        "run": ("manifest.jsonl", json.dumps(line) + "\n"),
    }


@pytest.mark.parametrize("form", ["coco", "labelme", "label-studio", "cvat", "voc", "run"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_of_a_source_leads_out_of_the_folder(name, form, tmp_path):
    file, text = sources(name)[form]
    source = tmp_path / "in" / file
    source.parent.mkdir(parents=True)
    source.write_text(text)
    (tmp_path / "precious.png").write_bytes(b"mine")
    out = tmp_path / "a/b/out"
    out.mkdir(parents=True)
    before = tree(tmp_path, out)
    for to in (name for name, each in FORMATS.items() if each.write):
        with contextlib.suppress(PointLabelError):
            convert(source if form != "voc" else tmp_path / "in", out / to, to, form=form)
    assert tree(tmp_path, out) == before
    assert not list(Path("/").glob("evil*"))


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_of_points_leads_out_of_the_folder(name, draw_dataset, tmp_path):
    folder = draw_dataset(n_images=1)
    (tmp_path / "evil.png").write_bytes((folder / "images/0.png").read_bytes())
    (folder / "clicks.csv").write_text(f'image,x,y\n"{name}",20,20\n0.png,20,20\n')
    (folder / "clicks.json").write_text(sources(name)["coco"][1])
    out = folder / "a/out"
    out.mkdir(parents=True)
    before = tree(tmp_path, out)
    for points in ("clicks.csv", "clicks.json"):
        run("annotate", folder / "images", "-p", folder / points, "-o", out, "--overwrite")
    assert tree(tmp_path, out) == before


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_of_a_list_leads_out_of_the_data_set(name, draw_dataset, tmp_path):
    folder = draw_dataset()
    (tmp_path / "evil.png").write_bytes((folder / "images/0.png").read_bytes())
    (folder / "img_idx").mkdir()
    (folder / "img_idx/train.txt").write_text(f"{name}\n0\n")
    said = run("bench", "timing", folder, "--methods", "point", "--split", "train", "--json", tmp_path / "a.json")
    assert "evil" in said or json.loads((tmp_path / "a.json").read_text())["data"][0]["images"] == 1


LINKED = {
    "predict": ("masks", "detections.csv", "predict.json"),
    "train": ("run.json", "labels", "metrics.jsonl", "last.safetensors"),
    "convert": ("pointlabel-files.jsonl", "0.png"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn data set, and a run of `train` on it."""
    root = tmp_path_factory.mktemp("trained")
    for k in range(4):
        drawn = draw_scene(seed=k, shape=(48, 48), n_targets=2)
        spots = np.zeros(drawn.mask.shape, bool)
        spots[tuple(drawn.points.astype(int).T)] = True
        for part, pixels in {"images": drawn.image, "masks": drawn.mask, "masks_centroid": spots}.items():
            (root / "data" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / "data" / part / f"{k}.png")
    assert "Error" not in run(*train_words(root / "data", root / "run"))
    return root


def train_words(data: Path, out: Path) -> list[object]:
    sizes = ("--crop", 16, "--epochs", 1, "--batch-size", 4)
    return ["train", data, "-o", out, "--model", "tiny", "--strategy", "point", *sizes]


@pytest.mark.parametrize(("command", "name"), [(command, name) for command, names in LINKED.items() for name in names])
def test_no_link_below_out_is_followed(command, name, trained, tmp_path):
    words: dict[str, list[object]] = {
        "predict": ["predict", trained / "run", trained / "data/images", "-o", tmp_path / "out"],
        "train": train_words(trained / "data", tmp_path / "out"),
        "convert": ["convert", trained / "data/masks", "-o", tmp_path / "out", "--to", "png"],
    }
    again = "--resume" if command == "train" else "--overwrite"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine").write_bytes(b"mine")
    out = tmp_path / "out"
    for is_first in (True, False):
        if not is_first:  # over what an earlier run left
            run(*words[command])
        out.mkdir(exist_ok=True)
        path = out / name
        if path.is_dir():
            path.rename(tmp_path / "elsewhere" / "moved")
        path.unlink(missing_ok=True)
        path.symlink_to(tmp_path / "elsewhere" / ("" if "." not in name else "mine"))
        before = tree(tmp_path, out)
        run(*words[command], again)
        assert tree(tmp_path, out) == before
        if path.is_symlink():
            path.unlink()


# Markup

MARKUP = "<img src=x onerror=alert(1)>'\"&amp;<script>"


class Tags(HTMLParser):
    """Counts the tags of a page, and refuses what a name could have brought in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        assert tag not in ("img", "iframe", "object", "link")
        assert not [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("command", ["annotate", "evaluate", "predict", "bench", "inspect"])
def test_names_are_no_markup_in_a_report(command, trained, tmp_path):
    data = tmp_path / f"d {MARKUP.replace('/', '')}"
    for part in ("images", "masks", "masks_centroid"):
        (data / part).mkdir(parents=True)
        for k in range(3):
            (data / part / f"{MARKUP}{k}.png").write_bytes((trained / "data" / part / f"{k}.png").read_bytes())
    page = tmp_path / "page.html"
    points = tmp_path / "clicks.csv"
    with open(points, "w", newline="") as file:
        table = csv.writer(file)
        table.writerows([("image", "x", "y", "label"), *((f"{MARKUP}{k}.png", 20, 20, MARKUP) for k in range(3))])
    words = {
        "annotate": [data / "images", "-p", points, "-o", tmp_path / "out", "--html", page],
        "evaluate": [data / "masks", data / "masks", "--images", data / "images", "--html", page],
        "predict": [trained / "run", data / "images", "-o", tmp_path / "out", "--threshold", 0.01, "--html", page],
        "bench": ["accuracy", data, "--methods", "point", "--html", page],
        "inspect": [data],
    }[command]
    said = run(command, *words)
    if command != "inspect":
        text = page.read_text("utf-8")
        assert Tags(text).scripts == 1
        assert "onerror=alert(1)&gt;" in text
        assert "<img" not in text
    assert "Traceback" not in said


# Formulas

FORMULAS = ("=1+1", "+1+cmd", "-2+3+cmd", "@sum", "=HYPERLINK(0)")


@pytest.fixture
def named(draw_dataset: Callable[..., Path]) -> Path:
    """A data set whose images have names that spreadsheets take for formulas."""
    folder = draw_dataset("named", len(FORMULAS))
    for part in ("images", "masks", "masks_centroid"):
        for k, name in enumerate(FORMULAS):
            (folder / part / f"{k}.png").rename(folder / part / f"{name}.png")
    return folder


def cells(data: bytes) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(data.decode(), newline="")) for cell in row]


def is_formula(cell: str) -> bool:
    if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        try:
            float(cell)
        except ValueError:
            return True
    return False


def test_no_cell_of_a_table_starts_a_formula(named, trained, tmp_path):
    run("evaluate", named / "masks", named / "masks", "--csv", tmp_path / "evaluate.csv")
    run("points", named / "masks", "-o", tmp_path / "points.csv")
    for to in ("boxes", "points"):
        run("convert", named / "masks", "-o", tmp_path / f"{to}.csv", "--to", to, "--overwrite")
    run("predict", trained / "run", named / "images", "-o", tmp_path / "out", "--threshold", "0.01")
    with open_session(named / "images", tmp_path / "session") as session:
        for item in session.items:
            session.do(item.index, {"do": "add", "x": 20, "y": 20})
            session.do(item.index, {"do": "restyle", "target": 1, "label": "=1+1"})
    tables = [*tmp_path.glob("*.csv"), tmp_path / "out/detections.csv", tmp_path / "session/clicks.csv"]
    assert len(tables) == 5
    for table in tables:
        found = cells(table.read_bytes())
        assert any(cell.startswith(("'=", "'@")) for cell in found), table
        assert [cell for cell in found if is_formula(cell)] == [], table


@pytest.mark.parametrize("table", ["points.csv", "session/clicks.csv"])
def test_tables_with_such_cells_are_read_back(table, named, tmp_path):
    run("points", named / "masks", "-o", tmp_path / "points.csv")
    with open_session(named / "images", tmp_path / "session") as session:
        for item in session.items:
            session.do(item.index, {"do": "add", "x": 20, "y": 20})
    run("annotate", named / "images", "-p", tmp_path / table, "-o", tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(FORMULAS)
    assert all(line["targets"] for line in lines)
