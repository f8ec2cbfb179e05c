"""Pictures and a recording of the page of `pointlabel serve` on drawn scenes. They need chromium and playwright.

python -m docs.serve_pictures docs/images
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.browser import browser_page, missing, served
from pointlabel.synthetic import draw_scene

SIZE = {"width": 1280, "height": 760}
SHAPE = (256, 320)
STEPS = 14  # frames of the sequence, cut out of one scene
#: The recording: size of the page, of its scenes and of the pointer that is drawn into it, and colours that it keeps.
RECORDED = {"width": 1040, "height": 600}
RECORDED_SHAPE, POINTER_PX, COLOURS = (120, 150), 22, 250
POINTER = ((0, 0), (0, 0.75), (0.18, 0.6), (0.32, 0.9), (0.44, 0.84), (0.31, 0.56), (0.54, 0.56))


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


class Recording:
    """Frames of the page with the pointer and the key that is pressed, which a picture of the browser lacks."""

    def __init__(self, page: Any) -> None:
        self.page, self.place, self.key = page, (620.0, 560.0), ""
        self.frames: list[Image.Image] = []
        self.times_ms: list[int] = []

    def shoot(self, ms: int) -> None:
        """Add what the page shows, for some milliseconds."""
        frame = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        draw, font = ImageDraw.Draw(frame), ImageFont.load_default(22)
        x, y = self.place
        draw.polygon([(x + POINTER_PX * a, y + POINTER_PX * b) for a, b in POINTER], fill="white", outline="black")
        if self.key:
            box = draw.textbbox((frame.width / 2, frame.height - 110), self.key, font, anchor="mm")
            draw.rounded_rectangle((box[0] - 14, box[1] - 9, box[2] + 14, box[3] + 9), 8, fill="#e2e6ec")
            draw.text((frame.width / 2, frame.height - 110), self.key, "#101216", font, anchor="mm")
        self.frames.append(frame)
        self.times_ms.append(ms)

    def click(self, x: float, y: float) -> None:
        """Bring the pointer to a place of the page, and click."""
        start = self.place
        for share in (0.35, 0.7, 0.9, 1.0):
            self.place = (start[0] + share * (x - start[0]), start[1] + share * (y - start[1]))
            self.page.mouse.move(*self.place)
            self.shoot(90)
        self.page.mouse.click(x, y)
        self.page.wait_for_timeout(500)
        self.shoot(500)
        self.place = (x + 34, y + 26)  # away from the mask
        self.shoot(900)

    def press(self, key: str, text: str, ms: int) -> None:
        """Press a key, and say which."""
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(500)
        self.key = text
        self.shoot(ms)
        self.key = ""

    def store(self, path: Path) -> None:
        """Store all frames as a GIF."""
        whole = Image.new("RGB", (RECORDED["width"], RECORDED["height"] * 2))
        for k, frame in enumerate((self.frames[0], self.frames[-1])):
            whole.paste(frame, (0, k * RECORDED["height"]))
        colours = whole.quantize(COLOURS, Image.Quantize.MEDIANCUT)
        first, *rest = (frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in self.frames)
        first.save(path, save_all=True, append_images=rest, duration=self.times_ms, loop=0, optimize=True, disposal=1)


def record(folder: Path, path: Path) -> None:
    """A click, its mask, tightened, and the next image."""
    frames = folder / "recorded"
    frames.mkdir()
    points = []
    for k, background in enumerate(("sea", "cloud", "sea", "cloud")):
        style: Any = {"background": background, "contrast": 14.0, "noise": 0.004, "shapes": ("gaussian",)}
        scene = draw_scene(57 + k, RECORDED_SHAPE, n_targets=2, dtype=np.uint16, **style)
        Image.fromarray(scene.image).save(frames / f"night-{k + 1:02d}.png")
        points.append(scene.points[:, ::-1].astype(int).tolist())
    with served(str(frames), "-o", str(folder / "clicked")) as link, browser_page(link, **RECORDED) as page:
        page.wait_for_timeout(1200)
        recording = Recording(page)
        recording.shoot(1000)
        (first, second), (third, _), *_ = (list(places(page, each)) for each in points)
        recording.click(*first)
        for _ in range(3):
            recording.press("[", "[  tighten", 500)
        recording.click(*second)
        recording.press("Space", "space  accept, next image", 1300)
        recording.click(*third)
        recording.shoot(900)
        recording.store(path)


def places(page: Any, points: list[list[int]]) -> Iterator[tuple[float, float]]:
    """Where pixels (x, y) of an image that fills the view are on the page."""
    box = page.locator("#view").bounding_box()
    height, width = RECORDED_SHAPE
    scale = int(4 * 0.97 * min(box["width"] / width, box["height"] / height)) / 4  # as `fit` of the view has it
    for x, y in points:
        left, top = box["x"] + (box["width"] - width * scale) / 2, box["y"] + (box["height"] - height * scale) / 2
        yield left + (x + 0.5) * scale, top + (y + 0.5) * scale


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the pictures")
    args = parser.parse_args()
    if why := missing():
        sys.exit(f"no pictures: {why}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        record(folder, args.out / "serve.gif")
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
