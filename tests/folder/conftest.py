"""A small folder of images with points, and what a run left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointlabel.folder import RunSettings, RunSummary, annotate_folder
from pointlabel.io.points.images import point_image


def write_folder(root: Path, n_images: int, n_points: int = 2, seed: int = 0) -> Path:
    """Draw `n_images` noisy images of 40 x 48 pixels, every third in a sub-folder, with their point images."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:40, :48]
    for number in range(n_images):
        image = rng.normal(60, 3, rows.shape)
        points = rng.permutation(35 * 43)[:n_points]
        places = [(float(p // 43 + 2), float(p % 43 + 2)) for p in points]
        for row, column in places:
            image += 90 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4)
        name = f"{'s/' if number % 3 == 2 else ''}t{number}.png"
        for folder in ("images", "points"):
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(root / "images" / name)
        point_image(places, rows.shape).save(root / "points" / name)
    return root


def run(root: Path, out: str = "out", **options: Any) -> RunSummary:
    """Annotate the images below `root` with a threshold, by the points below it; options are settings or arguments."""
    outputs = tuple(name for name in ("soft", "instances", "overlay") if options.pop(name, False))
    own = {name: options.pop(name) for name in tuple(options) if name in RunSettings.__dataclass_fields__}
    settings = RunSettings(**{"method": "threshold", "outputs": outputs, **own})
    places = [options.pop(name, root / name) for name in ("images", "points")]
    return annotate_folder(places[0], places[1], root / out, settings, **options)


def read_lines(out: Path) -> list[dict[str, Any]]:
    """Lines of the manifest, sorted by id, without times."""
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("ms")
        for target in line["targets"]:
            target.pop("ms")
    return sorted(lines, key=lambda line: line["id"])


def read_files(out: Path) -> dict[str, bytes]:
    """Every file of an output folder but the manifest."""
    paths = [path for path in out.rglob("*") if path.is_file() and path.name != "manifest.jsonl"]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@pytest.fixture
def lines_of() -> Callable[[Path], list[dict[str, Any]]]:
    """`read_lines`."""
    return read_lines


@pytest.fixture
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """`read_files`."""
    return read_files


@pytest.fixture(scope="session")
def make_folder() -> Callable[..., Path]:
    """`write_folder`."""
    return write_folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Seven images with two points each."""
    return write_folder(tmp_path, 7)
