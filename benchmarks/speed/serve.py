"""How quick the page of `pointlabel serve` is in a real browser: clicks, next images, and a list of 10,000 images.

Drawn frames of 640 x 512 and of 1280 x 1024 pixels and 16 bits. Measured in the page, from the event to the end of the
drawing of the first frame that shows the answer, and of scrolling, between frames of the browser. Needs chromium and
playwright.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.browser import browser_page, draw_frames, missing, served
from benchmarks.common import finish, parser, spread

#: What is asked for, in milliseconds: a click's median and 99th percentile, the next image's median.
MOST_CLICK_MS, MOST_CLICK_P99_MS, MOST_NEXT_MS = 30.0, 80.0, 150.0
SHAPES = {"640 x 512": (512, 640), "1280 x 1024": (1024, 1280)}
PER_IMAGE = 8
N_LISTED, N_SCROLLS = 10_000, 240
FRAME_MS = 1000 / 60
#: Waits in the page for an event of one kind, then for a change of one element, then for the drawing of it.
TIMER = """
([kind, id]) => {
  window.measured = new Promise((resolve) => {
    document.addEventListener(kind, (event) => {
      const start = event.timeStamp;
      const watcher = new MutationObserver(() => {
        watcher.disconnect();
        const done = () => resolve(performance.now() - start);
        document.getElementById("view").addEventListener("painted", done, {once: true});
      });
      watcher.observe(document.getElementById(id), {childList: true, characterData: true, subtree: true});
    }, {once: true, capture: true});
  });
}
"""
#: Scrolls the list by `step` pixels a frame: milliseconds of the work of each scroll, and between frames.
SCROLL = """
async ([step, n]) => {
  const list = document.getElementById("list");
  const [work, gaps] = [[], []];
  let last = await new Promise(requestAnimationFrame);
  for (let k = 0; k < n; k++) {
    const start = performance.now();
    list.scrollTop += step;
    list.dispatchEvent(new Event("scroll"));
    list.getBoundingClientRect();
    work.push(performance.now() - start);
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  return [work, gaps];
}
"""


def measure(page: Any, kind: str, element: str, act: Callable[..., None], *arguments: Any) -> float:
    """Milliseconds from an event to the drawing of what it brought."""
    page.evaluate(TIMER, [kind, element])
    act(*arguments)
    return float(page.evaluate("window.measured"))


def click(shape: tuple[int, int], n_images: int) -> dict[str, Any]:
    """Click on every target of some images, and go to the next one."""
    clicks, nexts = [], []
    height, width = shape
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "frames"
        points = draw_frames(folder, n_images, shape, n_targets=PER_IMAGE)
        size = {"width": width + 800, "height": height + 348}
        with served(str(folder), "-o", str(Path(place) / "out")) as link, browser_page(link, **size) as page:
            box = page.locator("#view").bounding_box()
            page.keyboard.press("1")
            page.wait_for_timeout(300)
            for k, targets in enumerate(points):
                if k:
                    nexts.append(measure(page, "keydown", "name", page.keyboard.press, "n"))
                    page.wait_for_timeout(400)
                left, top = box["x"] + box["width"] / 2 - width / 2, box["y"] + box["height"] / 2 - height / 2
                for x, y in targets:
                    place_x, place_y = left + x + 0.5, top + y + 0.5
                    page.mouse.move(place_x, place_y)
                    clicks.append(measure(page, "pointerup", "targets-head", page.mouse.click, place_x, place_y))
    return {"click": spread(clicks[1:]), "first_click_ms": clicks[0], "next": spread(nexts)}


def scroll() -> dict[str, Any]:
    """Scroll through a list of `N_LISTED` images, five rows a frame."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "frames"
        folder.mkdir()
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(folder / "00000.png")
        for k in range(1, N_LISTED):
            (folder / f"{k:05d}.png").hardlink_to(folder / "00000.png")
        with served(str(folder), "-o", str(Path(place) / "out")) as link, browser_page(link) as page:
            page.locator(".row").first.wait_for()
            page.wait_for_timeout(1000)
            work, gaps = page.evaluate(SCROLL, [300, N_SCROLLS])
    dropped = sum(max(round(gap / FRAME_MS) - 1, 0) for gap in gaps)
    return {"work": spread(work), "frame": spread(gaps), "dropped": dropped, "slowest_work_ms": max(work)}


def main() -> None:
    args = parser(__doc__).parse_args()
    if why := missing():
        print(f"skipped: {why}")
        sys.exit(0)
    result: dict[str, Any] = {}
    asked = {"click": f"{MOST_CLICK_MS:g}, p99 {MOST_CLICK_P99_MS:g}", "next": f"{MOST_NEXT_MS:g}"}
    for size, shape in SHAPES.items():
        result[size] = click(shape, 4 if args.quick else 20)
        for name, most in asked.items():
            row = result[size][name]
            figures = ", ".join(f"{key} {row[f'{key}_ms']:.1f}" for key in ("median", "p90", "p99"))
            print(f"{size}, {name}: {figures} ms over {row['n_runs']}; asked for {most} ms")
        print(f"{size}, first click: {result[size]['first_click_ms']:.0f} ms", flush=True)
    result["list"] = row = scroll()
    work = ", ".join(f"{key} {row['work'][f'{key}_ms']:.1f}" for key in ("median", "p99"))
    print(f"{N_LISTED:,} images, a scroll: {work}, slowest {row['slowest_work_ms']:.1f} ms")
    print(f"frames dropped: {row['dropped']} of {N_SCROLLS}")
    finish(result, args.out)


if __name__ == "__main__":
    main()
