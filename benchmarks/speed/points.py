"""How long each format of points takes to read: 100,000 points in 1,000 images, each format in a process of its own.

The time is that from the path to the rows of every image, as a run reads them, without the images themselves. The
memory is the peak above that of the process before it reads; the rows, which all formats but those with a file an image
keep, are in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.common import finish, parser
from pointlabel.evaluation.environment import peak_memory_mb
from pointlabel.io.points.readers import open_points
from tests.point_writers import WRITERS, Images

MOST_S = 5.0
N_IMAGES, N_POINTS = 1000, 100
SIDE = 256


def draw_images(n: int) -> dict[str, tuple[tuple[int, int], list[tuple[float, float]]]]:
    """Names, sizes and points of `n` images; the points are whole pixels that do not touch."""
    rng = np.random.default_rng(0)
    cells = np.stack(np.meshgrid(*[np.arange(2, SIDE - 2, 4)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    out = {}
    for k in range(n):
        chosen = cells[rng.choice(len(cells), N_POINTS, replace=False)]
        out[f"night/{k:05d}"] = ((SIDE, SIDE), [(float(row), float(column)) for row, column in chosen.tolist()])
    return out


def read(path: str, names: list[str]) -> dict[str, float]:
    """Read every image's points here: seconds, points, and megabytes that the process grew by at its peak."""
    before = peak_memory_mb() or 0.0
    start = perf_counter()
    bound = open_points(path, allow_pickle=True).bind(frozenset(names))
    n = sum(len(entry.load().rows) for entry in bound.entries.values())
    seconds = perf_counter() - start
    return {"seconds": seconds, "points": n, "peak_mb": (peak_memory_mb() or 0.0) - before}


def measure(kind: str, folder: Path, images: Images) -> dict[str, Any]:
    """Write one format, and read it in a new process."""
    name, write = WRITERS[kind]
    path = write(folder, images)
    files = [path] if os.path.isfile(path) else [str(each) for each in Path(path).rglob("*") if each.is_file()]
    size = sum(os.path.getsize(each) for each in files)
    command = [sys.executable, "-m", "benchmarks.speed.points", "--read", path, "--images", str(len(images))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"kind": kind, "format": name, "files": len(files), "file_mb": size / 1e6, **json.loads(done.stdout)}


def main() -> None:
    """Measure, print, write the result."""
    options = parser(__doc__)
    options.add_argument("--read", help="read this path, and print what it took as JSON")
    options.add_argument("--images", type=int, help="how many images, default 1000")
    args = options.parse_args()
    n = args.images or (N_IMAGES // 10 if args.quick else N_IMAGES)
    images = draw_images(n)
    if args.read:
        print(json.dumps(read(args.read, list(images))))
        return
    rows = []
    print(f"{'format':<14}{'files':>7}{'MB':>8}{'s':>8}{'peak MB':>10}")
    for kind in WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(kind, Path(folder), images)
        rows.append(row)
        verdict = "" if row["points"] == n * N_POINTS and row["seconds"] < MOST_S else "  MISSED"
        print(
            f"{kind:<14}{row['files']:>7}{row['file_mb']:>8.1f}{row['seconds']:>8.2f}{row['peak_mb']:>10.0f}{verdict}"
        )
    finish({"images": n, "points": n * N_POINTS, "most_s": MOST_S, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
