"""How long from a click to its mask on the screen, and from a key to the next image, in a real browser.

The page of `pointlabel serve` on drawn frames of 640 x 512 pixels and 16 bits. Measured in the page, from the event to
the end of the drawing of the first frame that shows the answer. Needs chromium and playwright.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.browser import browser_page, draw_frames, missing, served
from benchmarks.common import finish, parser, spread

MOST_CLICK_MS, MOST_NEXT_MS = 30.0, 150.0  # median, and 90th percentile
PER_IMAGE = 8
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


def measure(page: Any, kind: str, element: str, act: Callable[..., None], *arguments: Any) -> float:
    """Milliseconds from an event to the drawing of what it brought."""
    page.evaluate(TIMER, [kind, element])
    act(*arguments)
    return float(page.evaluate("window.measured"))


def run(n_images: int) -> dict[str, Any]:
    """Click on every target of some images, and go to the next one."""
    clicks, nexts = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "frames"
        points = draw_frames(folder, n_images, n_targets=PER_IMAGE)
        with served(str(folder), "-o", str(Path(place) / "out")) as link, browser_page(link) as page:
            box = page.locator("#view").bounding_box()
            page.keyboard.press("1")
            page.wait_for_timeout(300)
            for k, targets in enumerate(points):
                if k:
                    nexts.append(measure(page, "keydown", "name", page.keyboard.press, "n"))
                    page.wait_for_timeout(400)
                left, top = box["x"] + box["width"] / 2 - 320, box["y"] + box["height"] / 2 - 256
                for x, y in targets:
                    place_x, place_y = left + x + 0.5, top + y + 0.5
                    page.mouse.move(place_x, place_y)
                    clicks.append(measure(page, "pointerup", "targets-head", page.mouse.click, place_x, place_y))
    return {"click": spread(clicks[1:]), "first_click_ms": clicks[0], "next": spread(nexts)}


def main() -> None:
    args = parser(__doc__).parse_args()
    if why := missing():
        print(f"skipped: {why}")
        sys.exit(0)
    result = run(4 if args.quick else 20)
    for name, most in (("click", MOST_CLICK_MS), ("next", MOST_NEXT_MS)):
        row = result[name]
        figures = ", ".join(f"{key} {row[f'{key}_ms']:.1f}" for key in ("median", "p90", "p99"))
        print(f"{name}: {figures} ms over {row['n_runs']}; asked for {most:g} ms")
    print(f"first click: {result['first_click_ms']:.0f} ms")
    finish(result, args.out)


if __name__ == "__main__":
    main()
