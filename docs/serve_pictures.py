"""Pictures of the page of `pointlabel serve` on drawn scenes. They need chromium and playwright.

python -m docs.serve_pictures docs/images
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.browser import browser_page, missing, served
from pointlabel.synthetic import draw_scene

SIZE = {"width": 1280, "height": 760}
SHAPE = (256, 320)
STEPS = 14  # frames of the sequence, cut out of one scene


def draw_images(folder: Path) -> None:
    """Scenes with clicks for every other one, and a sequence of frames in which the camera moves."""
    frames = folder / "frames"
    frames.mkdir()
    rows = ["image,x,y"]
    for k in range(9):
        scene = draw_scene(20 + k, SHAPE, background=("cloud", "sea", "gradient")[k % 3], dtype=np.uint16)
        name = f"night-{k + 1:02d}.png"
        Image.fromarray(scene.image).save(frames / name)
        if k % 2 == 0:
            rows += [f"{name},{column:.0f},{row:.0f}" for row, column in scene.points]
    (folder / "clicks.csv").write_text("\n".join(rows) + "\n")
    (folder / "flight").mkdir()
    wide = draw_scene(3, (320, 420), n_targets=6, background="cloud", contrast=12.0, dtype=np.uint16, noise=0.004)
    for k in range(STEPS):
        part = wide.image[2 * k : 2 * k + SHAPE[0], 3 * k : 3 * k + SHAPE[1]]
        Image.fromarray(np.ascontiguousarray(part)).save(folder / "flight" / f"{k:03d}.png")


def store(page: Any, path: Path) -> None:
    """Store what the page shows, in 256 colours, so that the file stays small."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(600)
    page.screenshot(path=str(path))
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the pictures")
    args = parser.parse_args()
    if why := missing():
        sys.exit(f"no pictures: {why}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw_images(folder)
        arguments = [str(folder / "frames"), "-p", str(folder / "clicks.csv"), "-o", str(folder / "out")]
        with served(*arguments) as link, browser_page(link, **SIZE) as page:
            page.locator(".row .about", has_text="worst").nth(4).wait_for()
            page.keyboard.press("a")
            page.keyboard.press("j")
            store(page, args.out / "serve-page.png")
            page.keyboard.press("n")
            page.keyboard.press("f")
            page.locator("#banner", has_text="Proposal").wait_for()
            store(page, args.out / "serve-find.png")
        with served(str(folder / "flight"), "-o", str(folder / "flown")) as link, browser_page(link, **SIZE) as page:
            page.keyboard.press("f")
            page.locator("#banner", has_text="Proposal").wait_for()
            page.keyboard.press("y")
            page.locator("#targets .card").wait_for()
            page.keyboard.press("f")
            page.keyboard.press("r")
            page.locator("#banner", has_text="Carried").wait_for()
            store(page, args.out / "serve-carry.png")


if __name__ == "__main__":
    main()
