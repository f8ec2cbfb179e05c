"""How long 100,000 targets take to become COCO, YOLO and the others, without making their masks.

The targets are discs of 1 to 40 pixels, 10 on each of 10,000 images of 640 x 512. Beside it: the microseconds of one
target's run lengths, made of its window, and of the same by pycocotools from the whole mask, where it is installed.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.common import finish, parser
from pointlabel.io.exchange import rle
from pointlabel.io.exchange.base import ImageMasks, MaskTarget
from pointlabel.io.exchange.convert import export
from pointlabel.io.exchange.ledger import ExportFolder
from pointlabel.io.exchange.table import FORMATS

SHAPE, EACH, N_IMAGES, MOST_S = (512, 640), 10, 10_000, 10.0
NAMES = ("coco", "yolo", "yolo-seg", "labelme", "cvat")
LARGE = (1024, 1280)


def draw(n_images: int) -> list[ImageMasks]:
    """Discs at random places; each has a window of its own."""
    rng = np.random.default_rng(0)
    images = []
    for number in range(n_images):
        targets = []
        rows, columns = rng.integers(8, SHAPE[0] - 8, EACH), rng.integers(8, SHAPE[1] - 8, EACH)
        for radius, row, column in zip(rng.uniform(0.4, 3.5, EACH), rows, columns, strict=True):
            reach = int(radius)
            away = np.arange(-reach, reach + 1) ** 2
            mask = away[:, None] + away <= radius**2
            targets.append(MaskTarget((int(row) - reach, int(column) - reach), mask, "target", 0.5))
        images.append(ImageMasks(f"{number:05}", SHAPE, tuple(targets), f"{number:05}.png"))
    return images


def seconds_of(name: str, images: list[ImageMasks]) -> float:
    """Seconds to write a format to a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        export(images, ExportFolder(str(Path(folder) / "out")), FORMATS[name])
        return perf_counter() - start


def of_one_target(repeat: int) -> dict[str, float]:
    """Microseconds of the run lengths of one target of 5 x 5 pixels in a large image."""
    mask = np.ones((5, 5), bool)
    start = perf_counter()
    for _ in range(repeat):
        rle.encode(mask, (500, 600), LARGE)
    out = {"window_us": (perf_counter() - start) / repeat * 1e6}
    if importlib.util.find_spec("pycocotools") is not None:
        from pycocotools import mask as coco

        whole = np.zeros(LARGE, np.uint8)
        whole[500:505, 600:605] = 1
        start = perf_counter()
        for _ in range(repeat // 20):
            coco.encode(np.asfortranarray(whole))
        out["pycocotools_us"] = (perf_counter() - start) / (repeat // 20) * 1e6
    return out


def main() -> None:
    """Measure, print, write the result."""
    args = parser(__doc__).parse_args()
    n_images = N_IMAGES // 10 if args.quick else N_IMAGES
    images = draw(n_images)
    result: dict[str, Any] = {"n_targets": n_images * EACH, **of_one_target(2000)}
    print(f"one target in {LARGE[1]} x {LARGE[0]}: {result['window_us']:.0f} us from its window", end="")
    print(f", {result['pycocotools_us']:.0f} us by pycocotools" if "pycocotools_us" in result else "")
    for name in NAMES:
        result[f"{name}_s"] = seconds_of(name, images)
        print(f"{name:<14}{result[f'{name}_s']:8.2f} s for {n_images * EACH:,} targets on {n_images:,} images")
    limit = MOST_S * n_images / N_IMAGES
    print(f"coco <= {limit:g} s: {'met' if result['coco_s'] <= limit else 'MISSED'}")
    finish(result, args.out)


if __name__ == "__main__":
    main()
