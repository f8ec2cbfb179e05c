"""The page of `pointlabel serve` in a real browser: for a benchmark, tests, and pictures of the documentation."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointlabel.synthetic import draw_scene

OPTIONS = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
FLAGS = [f"--{name}" for name in f"{OPTIONS} disable-component-update disable-sync".split()]


@cache
def missing() -> str | None:
    """What the machine lacks to run the page in a browser; None where nothing is missing."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    place = chromium()
    if place is None:
        return "there is no chromium"
    try:  # some systems have a program of that name that only tells how to install it
        subprocess.run([place, "--version"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return f"{place} does not start"
    return None


def chromium() -> str | None:
    """Where the browser is."""
    return os.environ.get("POINTLABEL_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The link of `pointlabel serve` with these arguments, while it runs; it is ended by Ctrl-C."""
    command = [sys.executable, "-m", "pointlabel", "-q", "serve", *arguments, "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


@contextmanager
def browser_page(link: str, width: int = 1440, height: int = 860, **context: Any) -> Iterator[Any]:
    """A page of the browser that has opened a link, with an image on it; errors of its scripts end the block."""
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height}, **context)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if _is_fault(message) else None)
        page.goto(link)
        page.locator("#name:not(:empty)").wait_for()
        yield page
        browser.close()
    if errors:
        raise AssertionError("; ".join(errors))


def _is_fault(message: Any) -> bool:
    """Whether a line of the browser's console is a fault of the page, and no file that cannot be read."""
    return message.type == "error" and "Failed to load resource" not in message.text


def draw_frames(folder: Path, n: int, shape: tuple[int, int] = (512, 640), **scene: Any) -> list[list[list[int]]]:
    """Draw scenes of 16 bits as ``folder/frame-NNNN.png``; the points (x, y) of each."""
    folder.mkdir(parents=True, exist_ok=True)
    points = []
    for k in range(n):
        drawn = draw_scene(k, shape, dtype=np.uint16, **scene)
        Image.fromarray(drawn.image).save(folder / f"frame-{k:04d}.png")
        points.append(drawn.points.astype(int)[:, ::-1].tolist())
    return points
