"""The tutorial, word by word: its commands run in an empty folder, in their order, and what they promise is there.

Only figures are replaced, so that it ends in a minute: a fifth of the images, fewer epochs, smaller crops (`SHORTEST`).
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointlabel.evaluation.metrics import Totals, score_image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: What stands for the figures of the page; each has to be found in it.
SHORTEST = {r"(?<= -n )60\b": "15", r"(?<= -n )12\b": "4", r"(?<=--epochs )40\b": "16", r"(?<=--crop )128\b": "64"}


def shortened(text: str) -> str:
    """The page in its shortest form; fails where a figure is not in it."""
    for pattern, figure in SHORTEST.items():
        text, n = re.subn(pattern, figure, text)
        assert n, f"{PAGE.name} has no {pattern}"
    return text


def run(block: str, folder: Path) -> str:
    """Give the commands of a block to a shell as the page's reader does, and return what they printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # As wide as the tables, one thread, and no GPU: the same numbers everywhere.
    surroundings = {**os.environ, "PATH": path, "COLUMNS": "120", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        ["sh", "-e", "-c", block], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def figures(printed: str, name: str) -> list[float]:
    """The figures that stand in lines of a table that begin with `name`."""
    rows = [line.split("│")[1:-1] for line in printed.splitlines() if line.count("│") > 1]
    cells = [cell for row in rows if row[0].strip().startswith(name) for cell in row[1:]]
    return [float(figure) for cell in cells for figure in re.findall(r"[-+]?\d+\.\d+", cell)]


def masks(folder: Path) -> dict[str, np.ndarray]:
    """Masks of a folder by file name."""
    return {path.name: np.array(Image.open(path)) > 127 for path in sorted(folder.iterdir())}


def pooled_iou(predicted: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> float:
    """IoU over the pixels of all images."""
    totals = Totals()
    for name, mask in true.items():
        totals.add(score_image(predicted[name], mask))
    return totals.summary()["iou"]


def test_the_tutorial_word_by_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")  # all that the page uses of the checkout
    blocks = BLOCK.findall(shortened(PAGE.read_text(encoding="utf-8")))
    assert {kind for kind, _ in blocks} == {"sh", "text", "python"}
    printed: dict[str, str] = {}
    names: dict[str, object] = {}
    for kind, body in blocks:
        if kind == "sh":
            printed[body.splitlines()[-1]] = run(body, tmp_path)
        elif kind == "python":
            exec(compile(body, PAGE.name, "exec"), names)
    said = {
        what: next(text for line, text in printed.items() if what in line)
        for what in ("--against", "compare", "found/masks")
    }
    out = tmp_path / "tutorial"

    # Masks from clicks, and the same with a style.
    true = masks(out / "data/masks")
    assert len(true) == 15
    assert sum(len(list((out / part / "images").iterdir())) for part in ("data", "new")) == 19
    for labels in (out / "labels", out / "styled"):
        found = masks(labels / "masks")
        assert found.keys() == true.keys()
        assert all(mask.any() for mask in found.values())
        assert pooled_iou(found, true) > 0.8
        assert (labels / "overlay/contact-sheet.png").stat().st_size > 1000
    style, plain = figures(said["--against"], "IoU, pooled")[:2]
    assert style == pytest.approx(pooled_iou(masks(out / "styled/masks"), true), abs=1e-4)
    assert plain == pytest.approx(pooled_iou(masks(out / "labels/masks"), true), abs=1e-4)
    assert len(list((out / "few").iterdir())) == 3

    # Two runs, and what sets them apart.
    parts = [(out / f"data/img_idx/{part}.txt").read_text().split() for part in ("train", "val", "test")]
    assert [len(part) for part in parts] == [9, 3, 3]
    for name in ("offline", "bilevel"):
        results = json.loads((out / f"runs/{name}/results.json").read_text())
        assert results["test"]["whole"]["images"] == 3
        assert figures(said["compare"], name)[0] == pytest.approx(results["test"]["whole"]["iou"], abs=1e-4)
        assert (out / f"runs/{name}/best.safetensors").is_file()
        label = np.array(Image.open(out / f"runs/{name}/labels/data/{parts[0][0]}.png")) > 127
        np.testing.assert_array_equal(label, masks(out / "styled/masks")[f"{parts[0][0]}.png"])
    with (out / "runs/bilevel/weights.csv").open(newline="") as file:
        weights = [float(row["weight"]) for row in csv.DictReader(file)]
    assert len(weights) == 9
    assert len(set(weights)) > 1
    assert "<html" in (out / "runs.html").read_text()
    assert (out / "runs.png").read_bytes().startswith(b"\x89PNG")

    # New images.
    found, true = masks(out / "found/masks"), masks(out / "new/masks")
    assert found.keys() == true.keys()
    assert any(mask.any() for mask in found.values())
    (iou,) = figures(said["found/masks"], "IoU, pooled")
    assert iou == pytest.approx(pooled_iou(found, true), abs=1e-4)
    assert iou > 0
    with (out / "found/detections.csv").open(newline="") as file:
        assert sum(int(row["area"]) for row in csv.DictReader(file)) == sum(int(mask.sum()) for mask in found.values())

    # The exported detector says what predict says.
    np.testing.assert_array_equal(names["mask"], found["cloud_00.png"])
    assert math.isfinite(float(np.asarray(names["logits"]).sum()))
