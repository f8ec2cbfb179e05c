"""The page in a real browser: mouse and keys alone, and what is on the disk afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.browser import browser_page, draw_frames, missing, served
from pointlabel.folder import annotate_folder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=str(missing()))]
SHAPE = (200, 240)
#: What the page shows in the middle of the image: red, green, blue, opacity.
MIDDLE = """() => {
  const canvas = document.getElementById("view");
  return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
}"""


class Desk(NamedTuple):
    """A page on three drawn frames: its points (x, y), and where its output lies."""

    page: Any
    points: list[list[list[int]]]
    frames: Path
    out: Path


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    frames, out = tmp_path / "frames", tmp_path / "out"
    points = draw_frames(frames, 3, SHAPE, n_targets=3, contrast=12.0, background="cloud")
    with served(str(frames), "-o", str(out)) as link, browser_page(link) as page:
        page.keyboard.press("1")
        yield Desk(page, points, frames, out)


def at(page: Any, x: int, y: int) -> tuple[float, float]:
    """Where a pixel of the image is on the page, with one pixel to a pixel and the image in the middle."""
    box = page.locator("#view").bounding_box()
    left = box["x"] + box["width"] / 2 - SHAPE[1] / 2
    top = box["y"] + box["height"] / 2 - SHAPE[0] / 2
    return left + x + 0.5, top + y + 0.5


def targets(page: Any, n: int) -> Any:
    """The cards of the targets, once there are `n` of them."""
    cards = page.locator("#targets .card")
    cards.nth(n).wait_for(state="detached")
    cards.nth(n - 1).wait_for() if n else page.locator("#targets .empty").wait_for()
    return cards


def test_clicks_keys_and_files(desk):
    page = desk.page
    for x, y in desk.points[0]:
        page.mouse.click(*at(page, x, y))
    cards = targets(page, 3)
    assert "quality" in cards.nth(0).inner_text()
    page.keyboard.press("[")
    page.locator("#targets .card", has_text="tightness 0.55").wait_for()
    page.keyboard.press("d")
    page.locator("#targets .card", has_text="dark").wait_for()
    page.keyboard.press("Control+z")
    page.locator("#targets .card", has_text="dark").wait_for(state="detached")
    page.keyboard.press("v")
    page.keyboard.type("drone")
    page.keyboard.press("Enter")
    page.locator("#targets .card", has_text="3 drone").wait_for()
    page.keyboard.press("Delete")
    targets(page, 2)
    page.keyboard.press("Control+z")
    targets(page, 3)
    page.keyboard.press("Control+Shift+Z")
    targets(page, 2)
    page.keyboard.down("Shift")
    page.mouse.click(*at(page, *desk.points[0][1]))
    page.keyboard.up("Shift")
    targets(page, 1)
    page.keyboard.press("a")
    page.locator("#accept", has_text="Accepted").wait_for()
    page.keyboard.press("n")
    page.locator("#name", has_text="frame-0001.png").wait_for()
    targets(page, 0)
    assert "1 of 3 done" in page.locator("#counts").inner_text()


def test_the_keyboard_alone(desk):
    page = desk.page
    page.keyboard.press("ArrowRight")  # the cursor begins in the middle
    for key, n in (("ArrowRight", 4), ("ArrowDown", 3), ("Shift+ArrowUp", 2)):
        for _ in range(n):
            page.keyboard.press(key)
    page.keyboard.press("Enter")
    targets(page, 1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.locator("#targets .card", has_text="by hand").wait_for()
    page.keyboard.press("u")
    page.locator("#targets .card", has_text="by hand").wait_for(state="detached")
    page.keyboard.press("?")
    page.locator("#dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    page.locator("#name", has_text="frame-0001.png").wait_for()
    page.keyboard.press("p")
    page.locator("#name", has_text="frame-0000.png").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("0002")
    assert page.locator(".row").count() == 1
    actions = [json.loads(line) for line in (desk.out / "journal.jsonl").read_bytes().splitlines()[2:]]
    middle_x, middle_y = SHAPE[1] // 2 + 5, SHAPE[0] // 2 + 3 - 20
    assert actions[0] == {"image": "frame-0000", "do": "add", "x": middle_x, "y": middle_y}
    assert [action["do"] for action in actions] == ["add", "brush", "unbrush"]


def test_dragging_moves_targets_and_the_image_and_paints(desk):
    page, (x, y) = desk.page, desk.points[0][0]
    page.mouse.click(*at(page, x, y))
    targets(page, 1)
    page.mouse.move(*at(page, x, y))
    page.mouse.down()
    page.mouse.move(*at(page, x + 6, y + 4))
    page.mouse.move(*at(page, x + 12, y + 9))
    page.mouse.up()
    page.mouse.move(*at(page, 5, 5))  # the image itself
    page.mouse.down()
    page.mouse.move(*at(page, 35, 25))
    page.mouse.up()
    page.keyboard.press("b")
    page.mouse.move(*at(page, 50 + 30, 60 + 20))
    page.mouse.down()
    page.mouse.move(*at(page, 54 + 30, 60 + 20))
    page.mouse.up()
    page.locator("#targets .card", has_text="by hand").wait_for()
    actions = [json.loads(line) for line in (desk.out / "journal.jsonl").read_bytes().splitlines()[2:]]
    assert [action["do"] for action in actions] == ["add", "move", "brush"]
    assert (actions[1]["x"], actions[1]["y"]) == (x + 12, y + 9)
    assert sorted(actions[2]["on"]) == [[column, 60] for column in range(50, 55)]


def test_grey_levels_are_set_by_keys_by_hand_and_on_the_histogram(desk):
    page = desk.page

    def middle():
        page.wait_for_timeout(100)
        return page.evaluate(MIDDLE)

    def value(name):
        return float(page.locator(f"#{name}").input_value())

    plain = middle()
    page.keyboard.press("i")
    inverted = middle()
    assert page.locator("#invert").is_checked()
    assert abs(plain[0] + inverted[0] - 255) <= 1
    page.keyboard.press("i")
    assert middle() == plain
    page.keyboard.press("g")
    assert value("gamma") == pytest.approx(1.1)
    assert middle()[0] > plain[0]
    page.keyboard.press("G")
    before = page.locator("#range").input_value()
    page.keyboard.press("c")
    assert page.locator("#range").input_value() not in ("", before)
    page.locator("#low").fill("1")
    page.locator("#high").fill("2")
    page.locator("#high").press("Tab")
    assert page.locator("#range").input_value() == ""
    assert (value("low"), value("high")) == (1, 2)
    assert middle()[:3] == [255, 255, 255]
    box = page.locator("#histogram").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.up()
    assert value("low") == 1
    assert value("high") > 10
    page.keyboard.press("l")
    assert page.locator("#fixed").is_checked()
    page.keyboard.press("n")
    page.locator("#name", has_text="frame-0001.png").wait_for()
    assert value("low") == 1


def test_proposals_are_taken_and_refused_by_key(desk):
    page = desk.page
    page.keyboard.press("f")
    page.locator("#banner", has_text="Proposal").wait_for()
    page.keyboard.press("x")
    page.wait_for_timeout(300)
    page.keyboard.press("y")
    targets(page, 1)
    page.keyboard.press("f")
    actions = [json.loads(line) for line in (desk.out / "journal.jsonl").read_bytes().splitlines()[2:]]
    assert [action["do"] for action in actions] == ["refuse", "add"]
    drawn = np.add(desk.points[0], 0)
    place = np.array([actions[1]["x"], actions[1]["y"]])
    assert np.abs(drawn - place).max(1).min() <= 6


def test_what_is_on_the_disk_is_what_annotate_makes(tmp_path):
    frames, out = tmp_path / "frames", tmp_path / "out"
    points = draw_frames(frames, 2, SHAPE, n_targets=3)
    with served(str(frames), "-o", str(out)) as link, browser_page(link) as page:
        page.keyboard.press("1")
        for x, y in points[0]:
            page.mouse.click(*at(page, x, y))
        targets(page, 3)
    annotate_folder(frames, out / "clicks.csv", tmp_path / "again")
    name = "masks/frame-0000.png"
    assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_floating_point_with_holes_and_broken_files(tmp_path):
    frames = tmp_path / "frames"
    draw_frames(frames, 1, SHAPE)
    levels = np.random.default_rng(1).normal(-20.0, 0.5, SHAPE).astype(np.float32)
    levels[:40] = np.nan
    tifffile.imwrite(frames / "a.tif", levels)
    (frames / "b.png").write_bytes(b"no image")
    with served(str(frames), "-o", str(tmp_path / "out")) as link, browser_page(link) as page:
        page.keyboard.press("1")
        page.mouse.move(*at(page, 100, 100))
        assert page.locator("#readout").inner_text().startswith("100, 100")
        assert float(page.locator("#low").input_value()) < -20 < float(page.locator("#high").input_value())
        page.keyboard.press("n")
        page.locator(".toast", has_text="b.png").wait_for()
        page.locator(".row .dot.error").wait_for()


def test_another_window_is_followed_and_a_file_that_is_gone_shows_nothing(tmp_path):
    frames, out = tmp_path / "frames", tmp_path / "out"
    points = draw_frames(frames, 5, SHAPE, n_targets=2, contrast=14.0)
    with served(str(frames), "-o", str(out)) as link, browser_page(link) as page:
        page.keyboard.press("1")
        other = page.context.browser.new_page()
        other.goto(link)
        other.locator("#name", has_text="frame-0000.png").wait_for()
        page.mouse.click(*at(page, *points[0][0]))
        targets(page, 1)
        targets(other, 1)
        other.close()
        page.keyboard.press("b")
        (frames / "frame-0004.png").unlink()
        page.locator(".row").nth(4).click()
        page.locator("#banner", has_text="cannot be read").wait_for()
        assert page.locator("#name").inner_text() == "frame-0004.png"
        targets(page, 0)
        page.keyboard.press("p")
        page.locator("#name", has_text="frame-0003.png").wait_for()
        assert page.locator("#tool-click").get_attribute("aria-pressed") == "true"
        assert page.locator("#banner").is_hidden()


def test_ten_thousand_images_scroll(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(frames / "00000.png")
    for k in range(1, 10_000):
        (frames / f"{k:05d}.png").hardlink_to(frames / "00000.png")
    with served(str(frames), "-o", str(tmp_path / "out")) as link, browser_page(link) as page:
        page.locator(".row").first.wait_for()
        slowest = page.evaluate(
            """async () => {
              const list = document.getElementById("list");
              let slowest = 0;
              for (let k = 0; k < 60; k++) {
                list.scrollTop += 9000;
                const start = performance.now();
                list.dispatchEvent(new Event("scroll"));
                slowest = Math.max(slowest, performance.now() - start);
                await new Promise(requestAnimationFrame);
              }
              return slowest;
            }"""
        )
        assert page.locator(".row").count() < 40
        assert slowest < 500  # milliseconds, on a machine that does other things, too
        page.locator("#list").focus()
        page.keyboard.press("End")
        page.locator("#name", has_text="09999.png").wait_for()


def test_carried_targets_are_shown_and_taken_back(tmp_path):
    frames, out = tmp_path / "frames", tmp_path / "out"
    ((point, *_), *_) = draw_frames(frames, 1, SHAPE, n_targets=2, contrast=14.0, background="cloud")
    with Image.open(frames / "frame-0000.png") as first:
        for k in range(1, 4):
            first.save(frames / f"frame-{k:04d}.png")
    with served(str(frames), "-o", str(out)) as link, browser_page(link) as page:
        page.keyboard.press("1")
        page.mouse.click(*at(page, *point))
        targets(page, 1)
        page.keyboard.press("r")
        page.locator("#strip figure").nth(2).wait_for()
        page.locator("#strip .no").first.click()
        page.locator("#strip figure").nth(2).wait_for(state="detached")
        page.locator("#strip .see").first.click()
        page.locator("#name", has_text="frame-0002.png").wait_for()
        targets(page, 1)
        page.keyboard.press("t")
        page.locator("#dialog button", has_text="Only write").click()
        page.locator("#dialog pre", has_text="pointlabel train").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("o")
        page.locator("#dialog select").select_option("labelme")
        page.locator("#dialog button.primary").click()
        page.locator("#toasts", has_text="3 targets of 4 images are in").wait_for()
    assert len(list((out / "export" / "labelme").glob("*.json"))) == 4
    actions = [json.loads(line) for line in (out / "journal.jsonl").read_bytes().splitlines()[2:]]
    done = [(action["image"][-1], action["do"]) for action in actions]
    assert done == [("0", "add"), ("1", "add"), ("2", "add"), ("3", "add"), ("1", "remove")]


def test_a_detector_is_trained_on_the_page_and_proposes(tmp_path):
    pytest.importorskip("torch")
    frames, out = tmp_path / "frames", tmp_path / "out"
    points = draw_frames(frames, 4, SHAPE, n_targets=2, contrast=14.0)
    rows = [f"frame-{k:04d}.png,{x},{y}" for k, targets in enumerate(points) for x, y in targets]
    (tmp_path / "clicks.csv").write_text("\n".join(["image,x,y", *rows]))
    words = [str(frames), "-p", str(tmp_path / "clicks.csv"), "-o", str(out)]
    with served(*words) as link, browser_page(link) as page:
        page.set_default_timeout(120_000)
        page.locator(".row .about", has_text="worst").nth(3).wait_for()
        page.keyboard.press("t")
        page.locator("#dialog input").fill("500")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.locator("#dialog .curves figure").nth(1).wait_for()
        page.keyboard.press("Escape")
        page.locator("#train", has_text="/500").wait_for()
        page.keyboard.press("t")
        page.locator("#dialog button", has_text="Stop").click()
        page.locator("#dialog .training", has_text="Stopped after").wait_for()
        assert "--resume" in page.locator("#dialog pre").inner_text()
        assert float(page.locator("#dialog figcaption").first.inner_text().removeprefix("Loss ")) > 0
        page.locator("#dialog button", has_text="Propose with it").click()
        page.locator("#banner", has_text="roposal").wait_for()
    assert (out / "run-1" / "best.safetensors").exists()


def test_a_style_is_offered_after_three_mended_masks(desk):
    page = desk.page
    for x, y in desk.points[0]:
        page.keyboard.press("Escape")
        page.mouse.click(*at(page, x, y))
        page.wait_for_timeout(200)
        page.keyboard.press("b")
        page.keyboard.press(".")
        page.mouse.click(*at(page, x + 2, y))
        page.keyboard.press(",")
        page.wait_for_timeout(200)
    page.locator("#banner", has_text="3 masks are mended by hand").wait_for()
    page.locator("#banner button", has_text="Learn").click()
    page.locator("#dialog .examples figure").nth(2).wait_for(timeout=120_000)


def test_nothing_that_axe_finds_is_wrong(desk):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page = desk.page
    page.mouse.click(*at(page, *desk.points[0][0]))
    targets(page, 1)
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text())
    for keys in ((), ("f",), ("t",), ("Escape", "?")):  # a dialog keeps the keys, and hides what is behind it
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(800)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
