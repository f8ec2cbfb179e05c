"""Tables of the page on data sets: layouts and findings as the program declares them, and what inspect says."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.inspection.faults import KINDS
from pointlabel.io.layouts.rules import LAYOUTS
from pointlabel.synthetic import draw_scene


def layouts() -> str:
    """A row for each layout, in the order in which they claim a folder."""
    rows = [f"| {each.name} | {each.used_by} | {each.shown_by} |" for each in LAYOUTS]
    return "\n".join(["| layout | of | is what holds |", "| --- | --- | --- |", *rows, ""])


def findings() -> str:
    """A row for each kind of finding."""
    rows = [f"| `{name}` | {kind.what} | {'yes' if kind.is_wrong else 'no'} |" for name, kind in KINDS.items()]
    return "\n".join(["| `kind` in JSON | what was found | wrong |", "| --- | --- | --- |", *rows, ""])


def inspected() -> str:
    """What the command says of a drawn data set with some faults."""
    with tempfile.TemporaryDirectory() as place, _working_in(place):
        _draw(Path("data"))
        done = CliRunner().invoke(main, ["inspect", "data"])
    assert done.exit_code == 4, done.output
    return f"```text\n{done.output}```\n"


TABLES = (layouts, findings, inspected)


@contextlib.contextmanager
def _working_in(place: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(before)


def _draw(folder: Path) -> None:
    """Eight images; a mask is missing, a point lies beside its target, and a scene is in both parts."""
    for k in range(8):
        scene = draw_scene(seed=2 if k == 7 else k, shape=(96, 128), n_targets=2, contrast=(12.0, 15.0))
        points = np.floor(scene.points).astype(int)
        if k == 4:
            points[0] += 12
        marks = np.zeros(scene.mask.shape, np.uint8)
        marks[tuple(points.T)] = 255
        image = np.rint(scene.image * 0.9 + 5).astype(np.uint8) if k == 7 else scene.image
        parts = {"images": image, "masks_centroid": marks}
        if k != 3:
            parts["masks"] = scene.mask.astype(np.uint8) * 255
        for part, pixels in parts.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / part / f"{k}.png")
    (folder / "img_idx").mkdir()
    for name, ids in (("train", range(5)), ("test", range(4, 8))):
        text = "".join(f"{k}.png\r\n" for k in ids)
        (folder / "img_idx" / f"{name}.txt").write_bytes(text.encode())
