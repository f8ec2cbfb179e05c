"""Time and peak memory of `annotate` by the number of images: one process, workers, shards with their merge, Ray.

python -m benchmarks.speed.scale --out benchmarks/results/scale.json
python -m benchmarks.speed.scale --shape 512 640 --sizes 10000 --ways workers Ray --repeat 3 \
    --out benchmarks/results/scale_ray.json
python -m benchmarks.speed.scale --sizes 10000 100000 1000000 --ways "one of 1,000 shards" \
    --out benchmarks/results/scale_plan.json

The images are few drawn frames under many names (hard links), so that 100,000 of them take little disk; the points are
one table. Each run is the command in a process of its own, so its time holds the start of Python and of the workers. A
cluster of Ray runs already, as it does where Ray is of use; a command that starts one itself is a way of its own.
`--repeat` takes the ways in turn, for a machine whose speed changes. The peak is that of the process that was started,
without workers: beyond the program it holds the list of the images and the points. Processor seconds say more than the
clock on a machine that does other work too (`load`); those of workers are not known. One shard of many shows what it
costs to list the images and to match the points, which each shard does for all of them.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import ONE_THREAD, finish, parser, replace_rows
from pointlabel.synthetic import draw_scene

SIZES = (1_000, 10_000, 100_000)
N_FRAMES, SHAPE, N_TARGETS = 64, (96, 96), 2
#: Ways that are compared; the first is what the others are measured by.
WAYS = ("one process", "workers", "shards", "Ray", "Ray, started for it")
#: A way that does few images, for what comes before the first.
ONE_SHARD = "one of 1,000 shards"
COMMAND = """
import re, sys
from pointlabel.cli.main import main
try:
    main(sys.argv[1:], prog_name="pointlabel")
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def draw_frames(folder: Path, n: int, shape: tuple[int, int] = SHAPE) -> None:
    """`n` images, of which each is one of `N_FRAMES` drawn ones, and the table of their points."""
    (folder / "frames").mkdir(parents=True)
    (folder / "images").mkdir()
    spots = []
    for seed in range(min(n, N_FRAMES)):
        scene = draw_scene(seed, shape=shape, n_targets=N_TARGETS)
        Image.fromarray(scene.image).save(folder / f"frames/{seed}.png")
        spots.append(np.rint(scene.points).astype(int).tolist())
    with open(folder / "clicks.csv", "w", encoding="utf-8") as table:
        table.write("image,x,y\n")
        for k in range(n):
            os.link(folder / f"frames/{k % N_FRAMES}.png", folder / f"images/{k:06}.png")
            table.writelines(f"{k:06}.png,{column},{row}\n" for row, column in spots[k % N_FRAMES])


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command of pointlabel in the folder."""
    command = [sys.executable, "-c", COMMAND, "-q", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD})


def peak_of(process: subprocess.Popen[str]) -> float:
    """Wait for a command; its peak memory in MB."""
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a run ended with exit code {process.returncode}")
    return int(output.split()[-1]) / 1024


def annotate(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start `annotate` with more words."""
    return start(folder, "annotate", "images", "-p", "clicks.csv", "-o", "out", *words)


def run_shards(folder: Path, n: int) -> dict[str, float]:
    """As many shards as workers, all at the same time, and then their merge, which is also timed alone."""
    works = [annotate(folder, "--shard", f"{k}/{n}") for k in range(1, n + 1)]
    peaks = [peak_of(work) for work in works]
    begin = perf_counter()
    merge_mb = peak_of(start(folder, "merge", "out"))
    return {"peak_mb": max(peaks), "merge_mb": merge_mb, "merge_s": perf_counter() - begin}


@contextmanager
def cluster(n_workers: int) -> Iterator[str]:
    """A cluster of Ray on this machine, which gives its token to the commands started here; its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    started: Any = ray.init(num_cpus=n_workers, include_dashboard=False, log_to_driver=False)
    try:
        yield started.address_info["address"]
    finally:
        ray.shutdown()


def measure(folder: Path, way: str, n_workers: int) -> dict[str, Any]:
    """Do all images in one way; the output folder is left."""
    with cluster(n_workers) if way == "Ray" else nullcontext() as address:
        workers = ["-j", str(n_workers)]
        with_ray = [*workers, "--engine", "ray", *(["--ray-address", address] if address else [])]
        words = {"one process": [], "workers": workers, "Ray": with_ray, "Ray, started for it": with_ray}
        words[ONE_SHARD] = ["--shard", "1/1000"]
        begin, before = perf_counter(), cpu_seconds()
        row = run_shards(folder, n_workers) if way == "shards" else {"peak_mb": peak_of(annotate(folder, *words[way]))}
        seconds = perf_counter() - begin
        cpu_s = cpu_seconds() - before if way in ("one process", "shards") else None
    return {"way": way, "load": os.getloadavg()[0], **row, "seconds": seconds, "cpu_s": cpu_s}


def cpu_seconds() -> float:
    """Processor seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compile_kernels() -> None:
    """Do a few images, so that no run that is measured has to compile anything."""
    with tempfile.TemporaryDirectory() as top:
        draw_frames(Path(top) / "data", 4)
        peak_of(annotate(Path(top) / "data"))


def masks_of(folder: Path) -> dict[str, bytes]:
    """The masks of the output folder, each of the drawn frames once."""
    return {path.name: path.read_bytes() for path in sorted((folder / "out/masks").iterdir())[:N_FRAMES]}


def main() -> None:
    """Measure, print, write the result."""
    options = parser(__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of images, default up to 100,000")
    options.add_argument("--shape", type=int, nargs=2, default=SHAPE, metavar=("ROWS", "COLUMNS"), help="of the images")
    options.add_argument(
        "--ways", nargs="+", default=WAYS, choices=(*WAYS, ONE_SHARD), metavar="WAY", help="default all but one shard"
    )
    options.add_argument("--repeat", type=int, default=1, help="times that each way is measured, default 1")
    options.add_argument("--workers", type=int, default=2, help="workers, shards and processors of Ray, default 2")
    options.add_argument("--replace", action="store_true", help="put the rows into --out and leave its other rows")
    args: argparse.Namespace = options.parse_args()
    if args.replace and (args.out is None or not args.out.exists()):
        options.error("--replace needs an --out that holds rows")
    ways = [way for way in args.ways if not way.startswith("Ray") or find_spec("ray")]
    rows = []
    compile_kernels()
    for n in [size // 10 for size in args.sizes] if args.quick else args.sizes:
        with tempfile.TemporaryDirectory() as top:
            folder = Path(top) / "data"
            draw_frames(folder, n, tuple(args.shape))
            expected: dict[str, bytes] = {}
            for way in ways * args.repeat:
                row = {"name": f"{n} images, {way}", "n_images": n, **measure(folder, way, args.workers)}
                found = masks_of(folder)
                expected = expected or found
                if found != expected:
                    sys.exit(f"{way}: other masks than those of {ways[0]}")
                shutil.rmtree(folder / "out")
                rows.append(row)
                cpu = "" if row["cpu_s"] is None else f"{row['cpu_s']:.1f} s of processors, "
                merge = f", merge {row['merge_s']:.1f} s with {row['merge_mb']:.0f} MB" if "merge_s" in row else ""
                print(
                    f"{n:>7} images, {way:<20}{row['seconds']:8.1f} s, {n / row['seconds']:6.0f} a second, "
                    f"{cpu}load {row['load']:.1f}, "
                    f"peak {row['peak_mb']:.0f} MB{merge}",
                    flush=True,
                )
    about = {"workers": args.workers, "shape": list(args.shape), "targets_an_image": N_TARGETS}
    if args.replace:
        replace_rows(rows, about, args.out)
    else:
        finish({**about, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
