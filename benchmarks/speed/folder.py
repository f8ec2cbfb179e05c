"""How long until the first mask, and how a folder's time compares with reading and writing the same files alone.

The plain loop decodes each image and its point image, hashes both files, encodes a ready mask with Pillow, writes it
under a passing name and renames it: what any program that turns a folder of images into masks must do.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common import finish, parser
from pointlabel import annotate
from pointlabel.folder.run import annotate_folder
from pointlabel.io.points.images import point_image
from pointlabel.synthetic import draw_scene

MOST_FIRST_S, MOST_COMPILE_S, MOST_RATIO = 2.0, 20.0, 1.5
FIRST_MASK = """
import numpy as np
from pointlabel import annotate
image = np.zeros((64, 64), np.uint8)
image[30:33, 30:33] = 200
annotate(image, [[31, 31]])
"""


def first_mask(cache: str | None) -> float:
    """Seconds that a new process takes to its first mask; `cache` is Numba's folder of compiled kernels."""
    env = dict(os.environ) if cache is None else {**os.environ, "NUMBA_CACHE_DIR": cache}
    start = perf_counter()
    subprocess.run([sys.executable, "-c", FIRST_MASK], check=True, env=env)
    return perf_counter() - start


def plain_loop(folder: Path, ready: dict[str, NDArray[np.bool_]], out: Path) -> float:
    """Seconds to read, hash, encode and rename, with masks that are already there."""
    start = perf_counter()
    for name, mask in ready.items():
        for kind in ("images", "masks_centroid"):
            data = (folder / kind / f"{name}.png").read_bytes()
            np.asarray(Image.open(io.BytesIO(data)))
            hashlib.sha256(data).hexdigest()
        passing = out / f"{name}.part"
        Image.fromarray(mask.astype(np.uint8) * 255).save(passing, "PNG")
        passing.replace(out / f"{name}.png")
    return perf_counter() - start


def folder_run(folder: Path) -> float:
    """Seconds of a whole run with one worker in this process, compiled before."""
    with tempfile.TemporaryDirectory() as out:
        start = perf_counter()
        annotate_folder(folder / "images", folder / "masks_centroid", Path(out) / "run", jobs=1)
        return perf_counter() - start


def draw_folder(folder: Path, n: int) -> None:
    """Drawn scenes with their point images, where there are no real ones."""
    for kind in ("images", "masks_centroid"):
        (folder / kind).mkdir()
    for seed in range(n):
        scene = draw_scene(seed, n_targets=2)
        Image.fromarray(scene.image).save(folder / f"images/{seed:04}.png")
        point_image(scene.points, scene.image.shape).save(folder / f"masks_centroid/{seed:04}.png")


def compare(folder: Path, repeat: int) -> dict[str, Any]:
    """Fastest of several runs of both, taken in turn, and their ratio."""
    ready = {}
    for path in sorted((folder / "images").glob("*.png")):
        with Image.open(path) as image:
            ready[path.stem] = np.zeros((image.height, image.width), bool)
    for number, mask in enumerate(ready.values()):
        mask[10 : 14 + number % 5, 20:25] = True
    folder_run(folder)
    whole, plain = [], []
    for _ in range(repeat):
        whole.append(folder_run(folder))
        with tempfile.TemporaryDirectory() as out:
            plain.append(plain_loop(folder, ready, Path(out)))
    return {
        "n_images": len(ready),
        "annotate_s": min(whole),
        "plain_s": min(plain),
        "images_a_second": len(ready) / min(whole),
        "ratio": min(whole) / min(plain),
    }


def by_targets(n: int, side: int, repeat: int) -> float:
    """Milliseconds of `annotate` on one image of side x side pixels with n targets, the fastest call."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 110, (side, side)).astype(np.uint8)
    at = np.stack(np.meshgrid(*[np.linspace(80, side - 80, 5).astype(int)] * 2), axis=-1).reshape(-1, 2)[:n]
    for row, column in at:
        image[row - 1 : row + 2, column - 1 : column + 2] = 220
    times = []
    for _ in range(repeat):
        start = perf_counter()
        annotate(image, at)
        times.append(perf_counter() - start)
    return min(times) * 1000


def main() -> None:
    """Measure, print, write the result."""
    options = parser(__doc__)
    options.add_argument("--dataset", default="SIRST-v1", help="data set that is timed, default SIRST-v1")
    args: argparse.Namespace = options.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as cache:
        result["compile_s"] = first_mask(cache)
        result["first_mask_s"] = min(first_mask(cache) for _ in range(3))
    for name, most in (("compile_s", MOST_COMPILE_S), ("first_mask_s", MOST_FIRST_S)):
        print(f"{name:<14}{result[name]:8.2f}  <= {most:g} s: {'met' if result[name] <= most else 'MISSED'}")
    repeat = 2 if args.quick else 5
    if args.data is None:
        with tempfile.TemporaryDirectory() as folder:
            draw_folder(Path(folder), 20 if args.quick else 200)
            row = compare(Path(folder), repeat)
        row["images"] = "drawn scenes"
    else:
        row = compare(args.data / args.dataset, repeat)
        row["images"] = args.dataset
    result["folder"] = row
    print(
        f"{row['images']}: {row['n_images']} images, annotate {row['annotate_s']:.2f} s "
        f"({row['images_a_second']:.0f} a second), reading and writing alone {row['plain_s']:.2f} s, "
        f"ratio {row['ratio']:.2f}  <= {MOST_RATIO:g}: {'met' if row['ratio'] <= MOST_RATIO else 'MISSED'}"
    )
    sizes = {(side, n): by_targets(n, side, 20) for side in (512, 4096) for n in (1, 20)}
    result["annotate_ms"] = {f"{side} px, {n} targets": ms for (side, n), ms in sizes.items()}
    for name, ms in result["annotate_ms"].items():
        print(f"{name:<22}{ms:8.2f} ms")
    finish(result, args.out)


if __name__ == "__main__":
    main()
