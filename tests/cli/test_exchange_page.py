"""The sections of docs/exchange.md, run as written: clicks made in a tool become masks that go back there."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.io.masks.read import read_mask
from tests.point_writers import write_csv, write_cvat, write_label_studio, write_labelme
from tests.test_docs import FENCE, ROOT, commands

PAGE = (ROOT / "docs/exchange.md").read_text(encoding="utf-8")
#: Section -> what writes the clicks, where the page has them, and what comes back from the tool in their place.
TOOLS = {
    "From CVAT and back": (write_cvat, "annotations.xml", "out/cvat/annotations.xml"),
    "From LabelMe and back": (write_labelme, "data/images", None),
    "From Label Studio and back": (write_label_studio, "export.json", "out/label-studio/tasks.json"),
}


def section(name: str) -> list[str]:
    """The commands of a section."""
    text = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert text is not None, name
    return [line for _, language, body in FENCE.findall(text[1]) if language == "bash" for line in commands(body)]


def run(line: str) -> None:
    done = CliRunner().invoke(main, shlex.split(line)[1:])
    assert done.exit_code == 0, (line, done.output)


@pytest.fixture
def clicked(draw_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Images in data/images of the current folder; the size and the points of each."""
    folder = draw_dataset("data")
    monkeypatch.chdir(tmp_path)
    found = {}
    for path in sorted((folder / "images").iterdir()):
        pixels = np.array(Image.open(folder / "masks_centroid" / path.name))
        found[path.stem] = (pixels.shape, [tuple(map(float, point)) for point in np.argwhere(pixels)])
    return found


@pytest.mark.parametrize("name", TOOLS)
def test_clicks_of_a_tool_come_back_as_masks(name, clicked, tmp_path):
    write, place, answer = TOOLS[name]
    made = Path(write(tmp_path / "data/images" if place == "data/images" else tmp_path, clicked))
    if made != tmp_path / place:
        shutil.move(made, tmp_path / place)
    first, *rest = section(name)
    run(first)
    assert rest
    if answer is not None:
        shutil.copy(tmp_path / answer, tmp_path / place)  # as exported after the masks were loaded
    for line in rest:
        run(line)
    same_as_of_a_table(clicked, tmp_path)


def test_masks_go_to_coco_tools_and_to_ultralytics(clicked, tmp_path):
    run(f"pointlabel annotate data/images -p {shlex.quote(write_csv(tmp_path, clicked))} -o out --rle")
    for name in ("To ultralytics", "To COCO tools"):
        for line in section(name):
            run(line)
    for source in ("yolo", "coco.json"):
        shutil.rmtree(tmp_path / "masks", ignore_errors=True)
        run(f"pointlabel convert {source} -o masks --to png")
        same_as_of_a_table(clicked, tmp_path)


def same_as_of_a_table(clicked: dict, folder: Path) -> None:
    """The masks in masks/ are those that `annotate` makes of the same points in a table."""
    shutil.rmtree(folder / "plain", ignore_errors=True)
    run(f"pointlabel annotate data/images -p {shlex.quote(write_csv(folder, clicked))} -o plain")
    for name in clicked:
        mask = read_mask(folder / f"plain/masks/{name}.png")
        assert mask.any()
        assert (mask == (np.array(Image.open(folder / f"masks/{name}.png")) > 0)).all(), name
